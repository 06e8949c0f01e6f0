//go:build !linux

package fsfake

// Open flags beyond those of package os. Systems other than Linux lack some of
// them, or give them other meanings; here they are private bits that only this
// package reads.
const (
	O_NOFOLLOW  = 1 << 24       // a symbolic link as the last component gives ELOOP
	O_DIRECTORY = 1 << 25       // anything but a directory gives ENOTDIR
	O_TMPFILE   = 1<<26 | 1<<25 // an unnamed file in the given directory
	O_PATH      = 1 << 27       // a handle that only names the object
	O_NOATIME   = 1 << 28       // reads leave the access time; owner only
	O_NONBLOCK  = 1 << 29       // opening a FIFO does not wait
)
