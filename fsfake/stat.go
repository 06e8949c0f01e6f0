package fsfake

import (
	"io/fs"
	"time"
)

// Stat has what stat(2) and statx(2) tell of an inode.
type Stat struct {
	Dev, Ino uint64
	Nlink    uint64
	Mode     uint32 // type and permission bits as Linux has them
	Uid, Gid uint32
	Rdev     uint64
	Size     int64
	Blocks   int64 // in units of 512 bytes
	Atim     time.Time
	Mtim     time.Time
	Ctim     time.Time
	Btim     time.Time // of birth; syscall.Stat_t of Linux does not have it
}

// FileInfo is what Stat, Lstat and Readdir return. It does not change when the
// file does. On Linux and macOS, Sys returns a *syscall.Stat_t, so that code
// written for package os finds owner, links and inode number where it looks
// for them; on other systems it returns a *Stat.
type FileInfo struct {
	name string
	a    *attr
}

// Name is the last element of the name that was asked for.
func (i *FileInfo) Name() string { return i.name }

// Size is the length in bytes.
func (i *FileInfo) Size() int64 { return i.a.size }

// Mode has the type and the permission bits.
func (i *FileInfo) Mode() fs.FileMode { return fileMode(i.a.mode) }

// ModTime is when the content last changed.
func (i *FileInfo) ModTime() time.Time { return i.a.stamp(mtime).time() }

// IsDir is Mode().IsDir().
func (i *FileInfo) IsDir() bool { return i.a.typ() == typeDir }

// Sys is a *syscall.Stat_t or a *Stat: see FileInfo.
func (i *FileInfo) Sys() any { return sysOf(i.a) }

// Type has the type bits; with Info it makes an fs.DirEntry.
func (i *FileInfo) Type() fs.FileMode { return i.Mode().Type() }

// Info is the FileInfo itself.
func (i *FileInfo) Info() (fs.FileInfo, error) { return i, nil }

// String formats it as fs.FormatFileInfo does.
func (i *FileInfo) String() string { return fs.FormatFileInfo(i) }

// Stat gives all that the disk knows of the inode, the same on every system.
func (i *FileInfo) Stat() Stat {
	a := i.a
	return Stat{
		Dev: uint64(a.dev), Ino: a.ino, Nlink: uint64(a.nlink), Mode: a.mode, Uid: a.uid, Gid: a.gid,
		Rdev: uint64(a.rdev), Size: a.size, Blocks: int64(a.pages) * (pageSize / 512),
		Atim: a.stamp(atime).time(), Mtim: a.stamp(mtime).time(),
		Ctim: a.stamp(ctime).time(), Btim: a.stamp(btime).time(),
	}
}

// StatOf gives the Stat of a FileInfo that came from this package.
func StatOf(fi fs.FileInfo) (Stat, bool) {
	if i, ok := fi.(*FileInfo); ok {
		return i.Stat(), true
	}
	return Stat{}, false
}

// SameFile tells whether two results of Stat or Lstat are of one inode, as
// os.SameFile does for files of the system (and cannot for others).
func SameFile(a, b fs.FileInfo) bool {
	x, ok := a.(*FileInfo)
	y, ok2 := b.(*FileInfo)
	return ok && ok2 && x.a.dev == y.a.dev && x.a.ino == y.a.ino
}

// Statfs describes the disk, as statfs(2).
type Statfs struct {
	BlockSize   int64
	Blocks      int64 // 0: no limit
	BlocksFree  int64
	Files       int64 // inodes; 0: no limit
	FilesFree   int64
	NameMax     int64
	ReadOnly    bool
	BlocksInUse int64
	FilesInUse  int64
}

func (d *Disk) statfs() Statfs {
	defer d.mu.RUnlock(d.mu.RLock())
	s := Statfs{
		BlockSize: pageSize, NameMax: maxName, ReadOnly: d.conf().readOnly,
		BlocksInUse: d.usage.pages.Load(), FilesInUse: d.usage.inodes.Load(),
	}
	if d.conf().bytes > 0 {
		s.Blocks = pagesOf(d.conf().bytes)
		s.BlocksFree = max(s.Blocks-s.BlocksInUse, 0) // after Remount to less
	}
	if d.conf().inodes > 0 {
		s.Files = d.conf().inodes
		s.FilesFree = max(s.Files-s.FilesInUse, 0)
	}
	return s
}
