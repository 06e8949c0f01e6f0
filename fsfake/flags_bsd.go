//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package fsfake

import "syscall"

// Open flags beyond those of package os. They are the system's own values where
// it has them; the others are private bits that only this package reads.
const (
	O_NOFOLLOW  = syscall.O_NOFOLLOW  // a symbolic link as the last component gives ELOOP
	O_DIRECTORY = syscall.O_DIRECTORY // anything but a directory gives ENOTDIR
	O_TMPFILE   = 1<<25 | O_DIRECTORY // an unnamed file in the given directory
	O_PATH      = 1 << 26             // a handle that only names the object
	O_NOATIME   = 1 << 27             // reads leave the access time; owner only
	O_NONBLOCK  = syscall.O_NONBLOCK  // opening a FIFO does not wait
)
