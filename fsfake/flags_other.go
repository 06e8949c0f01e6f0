//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package fsfake

// Open flags beyond those of package os. The systems without them get private
// bits that only this package reads, and that neither package os nor the file
// flags of Windows use.
const (
	O_NOFOLLOW  = 0x10000           // a symbolic link as the last component gives ELOOP
	O_DIRECTORY = 0x20000           // anything but a directory gives ENOTDIR
	O_TMPFILE   = 0x40000 | 0x20000 // an unnamed file in the given directory
	O_PATH      = 0x800             // a handle that only names the object
	O_NOATIME   = 0x8000            // reads leave the access time; owner only
	O_NONBLOCK  = 0x4000            // opening a FIFO does not wait
)
