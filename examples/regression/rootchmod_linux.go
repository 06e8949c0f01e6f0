package regression

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// os.Root.Chmod before Go 1.25.9 and 1.26.2 looked whether the name was a
// symbolic link and, if not, changed the mode by the name: AT_SYMLINK_NOFOLLOW
// means nothing to fchmodat. A link that was put there between the two calls
// led out of the root.
//
// GO-2026-4864, CVE-2026-32282, https://go.dev/issue/78293

var errLink = errors.New("is a symbolic link")

func rootChmod(root *os.File, name string, mode uint32) error {
	var st unix.Stat_t
	if err := unix.Fstatat(int(root.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return errLink
	}
	return unix.Fchmodat(int(root.Fd()), name, mode, 0)
}

// A fix: get hold of the object, look at it, and change what is held.
func rootChmodFixed(root *os.File, name string, mode uint32) error {
	fd, err := unix.Openat(int(root.Fd()), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return errLink
	}
	if st.Nlink > 1 && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return errors.New("has more than one name") // one may be outside
	}
	return unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), mode)
}
