package fsfake

import (
	"io/fs"
	"sync/atomic"
	"syscall"
)

// Link is os.Link; a symbolic link is not followed but linked itself.
func (v *FS) Link(oldname, newname string) error {
	return linkError("link", oldname, newname, v.call(Op{Name: "link", Path: oldname, NewPath: newname}, func() error {
		return v.link(nil, local(oldname), local(newname))
	}))
}

// Link gives a file opened with O_TMPFILE a name, or any file a further one, as
// linkat(2) with AT_EMPTY_PATH does. A file without a name that was opened with
// O_EXCL gives ENOENT.
func (f *File) Link(newname string) error {
	return linkError("link", f.name, newname, f.v.call(Op{Name: "flink", File: f, Path: f.name, NewPath: newname}, func() error {
		return f.v.link(f, "", local(newname))
	}))
}

// Symlink is os.Symlink.
func (v *FS) Symlink(oldname, newname string) error {
	return linkError("symlink", oldname, newname, v.call(Op{Name: "symlink", Path: newname, NewPath: oldname}, func() error {
		return v.symlink(slashed(oldname), local(newname))
	}))
}

// SymlinkIfPossible is Symlink, for afero.
func (v *FS) SymlinkIfPossible(oldname, newname string) error { return v.Symlink(oldname, newname) }

// slashed is local for the text of a symbolic link.
func slashed(target string) string { return local(target) }

// Readlink is os.Readlink.
func (v *FS) Readlink(name string) (string, error) {
	var target string
	err := pathError("readlink", name, v.call(Op{Name: "readlink", Path: name}, func() (err error) {
		target, err = v.readlink(local(name))
		return err
	}))
	return target, err
}

// ReadlinkIfPossible is Readlink, for afero.
func (v *FS) ReadlinkIfPossible(name string) (string, error) { return v.Readlink(name) }

func (v *FS) readlink(name string) (string, error) {
	var w walk
	w.begin(v, false)
	defer w.end()
	n, err := w.resolve(name, false)
	if err != nil {
		return "", err
	}
	if !n.isLink() {
		return "", syscall.EINVAL
	}
	v.disk.accessed(n)
	return n.target(), nil
}

// Unlink is unlink(2): a directory gives EISDIR, where FS.Remove would go on.
func (v *FS) Unlink(name string) error {
	return pathError("unlink", name, v.unlinkRaw(name))
}

func (v *FS) unlinkRaw(name string) error {
	if v.observed() == nil {
		return v.unlink(local(name))
	}
	return v.call(Op{Name: "unlink", Path: name}, func() error { return v.unlink(local(name)) })
}

// Rmdir is rmdir(2): anything but an empty directory is an error.
func (v *FS) Rmdir(name string) error {
	return pathError("rmdir", name, v.rmdirRaw(name))
}

func (v *FS) rmdirRaw(name string) error {
	return v.call(Op{Name: "rmdir", Path: name}, func() error { return v.rmdir(local(name)) })
}

// Mknod is mknod(2). The type is in mode: none for a regular file,
// fs.ModeNamedPipe, fs.ModeSocket, fs.ModeDevice with or without
// fs.ModeCharDevice. Nothing is behind what it makes: see OpenFile. Devices need
// root, but for the character device 0.
func (v *FS) Mknod(name string, mode fs.FileMode, dev uint64) error {
	return pathError("mknod", name, v.call(Op{Name: "mknod", Path: name, Mode: mode, Dev: dev}, func() error {
		return v.mknod(local(name), typeBits(mode)|permBits(mode), dev)
	}))
}

// Mkfifo is mkfifo(3).
func (v *FS) Mkfifo(name string, perm fs.FileMode) error {
	return v.Mknod(name, fs.ModeNamedPipe|perm&^fs.ModeType, 0)
}

// DrainFIFO lets somebody open a FIFO for reading and writing, and read all that
// is written to it from then on: who opens it does not wait. taken says how many bytes
// came. It is for the other side in a test: hooks do not see it.
func (v *FS) DrainFIFO(name string) (taken func() int64, err error) {
	err = v.onPath(local(name), false, false, func(n *node) error {
		if n.typ != typeFifo {
			return syscall.EINVAL
		}
		if n.data.more == nil {
			n.data.more = &extents{}
		}
		n.data.more.drain = new(atomic.Int64)
		taken = n.data.more.drain.Load
		return nil
	})
	return taken, pathError("open", name, err)
}

// drained counts what is written to a FIFO that somebody reads; nil: nobody does.
func (n *node) drained() *atomic.Int64 {
	if n.typ != typeFifo || n.data.more == nil {
		return nil
	}
	return n.data.more.drain
}

// Truncate is os.Truncate. A file may be as long as 1<<63-1; what was never
// written takes no space.
func (v *FS) Truncate(name string, size int64) error {
	return pathError("truncate", name, v.call(Op{Name: "truncate", Path: name, Offset: size}, func() error {
		if size < 0 {
			return syscall.EINVAL
		}
		return v.onPath(local(name), true, false, func(n *node) error { return v.truncate(n, size) })
	}))
}

// Access tells whether the user may read (4), write (2) or execute or search
// (1) a path; 0 asks only whether it exists.
func (v *FS) Access(name string, mode uint32) error {
	return pathError("access", name, v.call(Op{Name: "access", Path: name, Mode: fs.FileMode(mode)}, func() error {
		return v.allows(local(name), mode)
	}))
}

// Statfs tells the size and use of the disk that a path is on.
func (v *FS) Statfs(name string) (Statfs, error) {
	var s Statfs
	err := pathError("statfs", name, v.call(Op{Name: "statfs", Path: name}, func() error {
		if _, err := v.stat(local(name), true); err != nil {
			return err
		}
		s = v.disk.statfs()
		return nil
	}))
	return s, err
}

// Renameat2 is renameat2(2) with RenameNoReplace, RenameExchange or 0, where it
// is rename(2): unlike FS.Rename, which does what os.Rename does, it replaces an
// empty directory.
func (v *FS) Renameat2(oldname, newname string, flags uint) error {
	return linkError("rename", oldname, newname, v.renameRaw(oldname, newname, flags))
}

func (v *FS) renameRaw(oldname, newname string, flags uint) error {
	if v.observed() == nil {
		return v.rename(local(oldname), local(newname), flags)
	}
	return v.call(Op{Name: "rename", Path: oldname, NewPath: newname, Flag: int(flags)}, func() error {
		return v.rename(local(oldname), local(newname), flags)
	})
}
