package tmptest

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

func statfs(path string) (fsInfo, error) {
	var st unix.Statfs_t
	for {
		err := unix.Statfs(path, &st)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return fsInfo{}, fmt.Errorf("statfs %q: %w", path, err)
		}
	}
	return fsInfo{
		kind:      unix.ByteSliceToString(st.Fstypename[:]),
		remote:    st.Flags&unix.MNT_LOCAL == 0,
		freeBytes: st.Bavail * uint64(st.Bsize),
		inodes:    st.Files,
		freeNodes: st.Ffree,
	}, nil
}
