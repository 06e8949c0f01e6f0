package tmptest

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/windows"
)

func statfs(path string) (fsInfo, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return fsInfo{}, fmt.Errorf("volume of %q: %w", path, err)
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return fsInfo{}, fmt.Errorf("free space of %q: %w", path, err)
	}
	root, err := windows.UTF16PtrFromString(filepath.VolumeName(path) + `\`)
	if err != nil {
		return fsInfo{}, fmt.Errorf("volume of %q: %w", path, err)
	}
	info := fsInfo{freeBytes: free}
	if windows.GetDriveType(root) == windows.DRIVE_REMOTE {
		info.kind, info.remote = "a network drive", true
	}
	return info, nil
}
