//go:build linux || darwin

package tmptest

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// readStatfs is statfs(2), again after a signal.
func readStatfs(path string) (unix.Statfs_t, error) {
	var st unix.Statfs_t
	for {
		err := unix.Statfs(path, &st)
		switch {
		case err == nil:
			return st, nil
		case !errors.Is(err, unix.EINTR):
			return st, fmt.Errorf("statfs %q: %w", path, err)
		}
	}
}
