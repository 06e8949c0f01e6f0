package fsfake

import (
	"os"
	"strings"
	"syscall"
)

// The calls that begin in an open directory instead of at a root: what the name
// of the directory means by now is no matter.

// at gives a view in which relative names begin in a directory, which must be
// open. A view that is confined stays so: its names do not leave the directory.
func (v *FS) at(dir *File) (*FS, error) {
	n := dir.inode()
	if n == nil {
		return nil, syscall.EBADF
	}
	return v.with(func(at *FS) {
		at.from = n
		if v.beneath {
			at.root = n
		}
	}), nil
}

// inode is what the file is open on, nil after Close.
func (f *File) inode() *node {
	n := f.h.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if f.h.file != f {
		return nil
	}
	return n
}

// below is the name in full of an entry of an open directory, as hooks see it.
func (f *File) below(name string) string {
	switch {
	case f.name == "." || strings.HasPrefix(name, "/"):
		return name
	case strings.HasSuffix(f.name, "/"):
		return f.name + name
	}
	return f.name + "/" + name
}

// callAt runs an operation on a name in an open directory.
func (v *FS) callAt(op string, dir *File, name string, do func(at *FS) error) error {
	return v.call(Op{Name: op, Dir: dir, Path: dir.below(name)}, func() error {
		at, err := v.at(dir)
		if err != nil {
			return err
		}
		return do(at)
	})
}

func (v *FS) unlinkAt(dir *File, name string) error {
	return v.callAt("unlink", dir, name, func(at *FS) error { return at.unlink(name) })
}

func (v *FS) rmdirAt(dir *File, name string) error {
	return v.callAt("rmdir", dir, name, func(at *FS) error { return at.rmdir(name) })
}

func (v *FS) lstatAt(dir *File, name string) (a *attr, err error) {
	err = v.callAt("lstat", dir, name, func(at *FS) (err error) {
		a, err = at.stat(name, false)
		return err
	})
	return a, err
}

func (v *FS) readlinkAt(dir *File, name string) (text string, err error) {
	err = v.callAt("readlink", dir, name, func(at *FS) (err error) {
		text, err = at.readlink(name)
		return err
	})
	return text, err
}

// openDirAt opens a directory that is no symbolic link, for listing.
func (v *FS) openDirAt(dir *File, name string) (*File, error) {
	const flag = os.O_RDONLY | O_DIRECTORY | O_NOFOLLOW
	full := dir.below(name)
	op := &Op{Name: "open", FS: v, Dir: dir, Path: full, Flag: flag}
	do := func() error {
		at, err := v.at(dir)
		if err != nil {
			return err
		}
		f, err := at.open(full, name, flag, 0)
		if err != nil {
			return err
		}
		f.v = v
		op.File = f
		return nil
	}
	var err error
	if o := v.observed(); o != nil {
		err = o.run(op, do)
	} else {
		err = do()
	}
	if err != nil {
		if op.File != nil {
			_ = op.File.close()
		}
		return nil, err
	}
	return op.File, nil
}

// Path gives the present name of an open directory, from the root of the disk
// and without symbolic links; "" for a directory that was removed, and for
// anything that is none.
func (f *File) Path() string {
	n := f.inode()
	if n == nil {
		return ""
	}
	d := f.v.disk
	defer d.mu.RUnlock(d.mu.RLock())
	return pathOf(d.root, n)
}

// Inode gives the number of the open file, as Stat would, but is no operation;
// 0 after Close.
func (f *File) Inode() uint64 {
	n := f.inode()
	if n == nil {
		return 0
	}
	return n.attr.Load().ino
}

// Base gives the present name of the directory at which the view's paths begin:
// "/" but for a view made by Sub or Root.
func (v *FS) Base() string {
	defer v.disk.mu.RUnlock(v.disk.mu.RLock())
	return pathOf(v.disk.root, v.root)
}

// pathOf looks for the names that lead to a directory. Disk.mu is held.
func pathOf(root, n *node) string {
	if n == root {
		return "/"
	}
	path := ""
	for ; n != root; n = n.dir.parent {
		if n == nil || !n.isDir() || n.dir.dead {
			return ""
		}
		name := n.dir.parent.nameOf(n)
		if name == "" {
			return ""
		}
		path = "/" + name + path
	}
	return path
}

// nameOf gives the name that a directory has in its parent.
func (n *node) nameOf(child *node) string {
	n.lock()
	defer n.unlock()
	for i := range n.dir.entries {
		if n.dir.entries[i].node == child {
			return n.dir.entries[i].name
		}
	}
	return ""
}
