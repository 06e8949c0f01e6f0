//go:build unix

package sweep

import (
	"os"

	"golang.org/x/sys/unix"
)

// errLocked is the error of lock where another has it.
const errLocked = unix.EWOULDBLOCK

// lock takes the file's lock, which ends with the process, or fails at once
// when another one has it.
func lock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EINTR {
			return err
		}
	}
}
