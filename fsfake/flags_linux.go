package fsfake

import "golang.org/x/sys/unix"

// Open flags beyond those of package os. On Linux they are the kernel's own
// values, so that code written with package syscall or unix works unchanged.
const (
	O_NOFOLLOW  = unix.O_NOFOLLOW  // a symbolic link as the last component gives ELOOP
	O_DIRECTORY = unix.O_DIRECTORY // anything but a directory gives ENOTDIR
	O_TMPFILE   = unix.O_TMPFILE   // an unnamed file in the given directory
	O_PATH      = unix.O_PATH      // a handle that only names the object
	O_NOATIME   = unix.O_NOATIME   // reads leave the access time; owner only
	O_NONBLOCK  = unix.O_NONBLOCK  // opening a FIFO does not wait
)
