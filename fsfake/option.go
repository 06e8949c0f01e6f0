package fsfake

import (
	"strings"
	"time"
)

// Option configures a Disk.
type Option interface{ apply(*config) }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

// config is what options set. It changes only while Disk.mu is held for
// writing.
type config struct {
	bytes, inodes     int64 // limits, 0 for none
	readOnly          bool
	atime             atimeMode
	protectedSymlinks bool
	protectedLinks    bool
	protectedRegular  int
	protectedFIFOs    int
	fold              folder
	clock             func() time.Time
	inodeSeed         uint64
	maxLinks          int64
	bare              bool
}

type atimeMode uint8

const (
	relatime atimeMode = iota
	noatime
	strictatime
)

// Size limits the data on the disk to n bytes, counted in pages of 4096 and
// rounded up, as tmpfs does. A write beyond it is short, and then fails with ENOSPC.
func Size(n int64) Option {
	return optionFunc(func(c *config) { c.bytes = n })
}

// Inodes limits the number of inodes; as on tmpfs, each hard link counts as
// one, and so does the root directory. More give ENOSPC.
func Inodes(n int64) Option {
	return optionFunc(func(c *config) { c.inodes = n })
}

// ReadOnly refuses every change with EROFS. To fill a disk first, give it to
// Disk.Remount.
func ReadOnly() Option {
	return optionFunc(func(c *config) { c.readOnly = true })
}

// ReadWrite undoes ReadOnly, for Disk.Remount.
func ReadWrite() Option {
	return optionFunc(func(c *config) { c.readOnly = false })
}

// Relatime, the default as on Linux, lets a read set the access time only if it
// is not after the modification and the change time, or is a day old.
func Relatime() Option {
	return optionFunc(func(c *config) { c.atime = relatime })
}

// NoAtime leaves access times alone (mount -o noatime).
func NoAtime() Option {
	return optionFunc(func(c *config) { c.atime = noatime })
}

// StrictAtime sets the access time on every read (mount -o strictatime).
func StrictAtime() Option {
	return optionFunc(func(c *config) { c.atime = strictatime })
}

// ProtectedSymlinks is fs.protected_symlinks=1 of proc_sys_fs(5): in a sticky
// directory that others may write, a symbolic link as the last component is
// followed only if its owner is the follower or the directory's owner; EACCES
// otherwise.
func ProtectedSymlinks() Option {
	return optionFunc(func(c *config) { c.protectedSymlinks = true })
}

// ProtectedHardlinks is fs.protected_hardlinks=1: a hard link needs ownership,
// or a regular file without set-id bits that the user may read and write; EPERM
// otherwise.
func ProtectedHardlinks() Option {
	return optionFunc(func(c *config) { c.protectedLinks = true })
}

// ProtectedRegular is fs.protected_regular: level 1 refuses with EACCES to open
// with O_CREATE a file of another owner in a sticky directory that others may
// write, level 2 also where only the group may write.
func ProtectedRegular(level int) Option {
	return optionFunc(func(c *config) { c.protectedRegular = level })
}

// ProtectedFIFOs is fs.protected_fifos, the same for FIFOs.
func ProtectedFIFOs(level int) Option {
	return optionFunc(func(c *config) { c.protectedFIFOs = level })
}

// CaseInsensitive finds names without regard to the case of letters, and keeps
// them as they were written, as Windows and macOS do by default.
func CaseInsensitive() Option {
	return optionFunc(func(c *config) { c.fold = foldCase })
}

func foldCase(s string) string { return strings.ToLower(strings.ToUpper(s)) }

// Clock is where times come from instead of the system's clock. The disk calls
// it with its locks held, so it must not use the disk. A disk that is made
// outside of a testing/synctest bubble and used inside needs Clock(time.Now).
func Clock(now func() time.Time) Option {
	return optionFunc(func(c *config) { c.clock = now })
}

// InodeSeed sets the number of the root inode; the others count up from it.
// Two seeds show code that takes inode numbers for small, or for the same on
// every run.
func InodeSeed(n uint64) Option {
	return optionFunc(func(c *config) { c.inodeSeed = n })
}

// Bare leaves out /tmp (mode 1777, owner root), which a new disk has otherwise.
func Bare() Option {
	return optionFunc(func(c *config) { c.bare = true })
}

// MaxLinks limits the number of hard links to a file, and so of subdirectories,
// to n; more give EMLINK. The default is none, as on tmpfs; ext4 has 65000.
func MaxLinks(n int) Option {
	return optionFunc(func(c *config) { c.maxLinks = int64(n) })
}
