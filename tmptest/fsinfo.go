package tmptest

import (
	"fmt"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// fsInfo is what statfs tells about a file system.
type fsInfo struct {
	kind   string // name of the type where it matters or is known
	remote bool
	unsure bool // may be either: FUSE
	oneDev bool // all files report the device of the directory: not so on overlay and btrfs

	freeBytes uint64
	inodes    uint64 // 0: the file system does not count them
	freeNodes uint64
}

// What a temporary file system must have free, less is E17.
const (
	minFreeBytes = 16 << 20
	minFreeNodes = 1024
)

// checkLocal is E08.
func checkLocal(path string, info fsInfo) []Violation {
	switch {
	case info.remote:
		return []Violation{{Rule: rules.E08, Path: path, Detail: "is on " + info.kind}}
	case info.unsure:
		return []Violation{{Rule: rules.E08, Path: path, Detail: "is on " + info.kind + ", which may be remote", advice: true}}
	}
	return nil
}

// checkRoom is E17.
func checkRoom(path string, info fsInfo) []Violation {
	var found []Violation
	if info.freeBytes < minFreeBytes {
		found = append(found, Violation{Rule: rules.E17, Path: path, Detail: fmt.Sprintf("%d KiB are free, less than %d MiB", info.freeBytes>>10, minFreeBytes>>20)})
	}
	if info.inodes > 0 && info.freeNodes < minFreeNodes {
		found = append(found, Violation{Rule: rules.E17, Path: path, Detail: fmt.Sprintf("%d inodes are free, less than %d", info.freeNodes, minFreeNodes)})
	}
	return found
}
