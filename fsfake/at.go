package fsfake

import (
	"os"
	"strings"
)

// The calls that begin in an open directory instead of at a root: what the name
// of the directory means by now is no matter. path is the name in full, of which
// the last element counts.

// at gives a view that begins in a directory.
func (v *FS) at(dir *File) *FS {
	return v.with(func(n *FS) { n.root = dir.node })
}

func lastElement(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

func (v *FS) unlinkAt(dir *File, path string) error {
	return v.call(Op{Name: "unlink", Dir: dir, Path: path}, func() error { return v.at(dir).unlink(lastElement(path)) })
}

func (v *FS) rmdirAt(dir *File, path string) error {
	return v.call(Op{Name: "rmdir", Dir: dir, Path: path}, func() error { return v.at(dir).rmdir(lastElement(path)) })
}

// openDirAt opens a directory that is no symbolic link, for listing.
func (v *FS) openDirAt(dir *File, path string) (*File, error) {
	const flag = os.O_RDONLY | O_DIRECTORY | O_NOFOLLOW
	f := &File{v: v, name: path}
	op := &Op{Name: "open", FS: v, Dir: dir, Path: path, Flag: flag}
	do := func() error {
		err := v.at(dir).open(lastElement(path), flag, 0, f)
		if err == nil {
			op.File = f
		}
		return err
	}
	var err error
	if o := v.observed(); o != nil {
		err = o.run(op, do)
	} else {
		err = do()
	}
	if err != nil {
		if f.node != nil {
			f.close()
		}
		return nil, err
	}
	return f, nil
}

// Path gives the present name of an open directory, from the root of the disk
// and without symbolic links; "" for a directory that was removed, and for
// anything that is none.
func (f *File) Path() string {
	d := f.v.disk
	defer d.mu.RUnlock(d.mu.RLock())
	return pathOf(d.root, f.node)
}

// Inode gives the number of the open file, as Stat would, but is no operation.
func (f *File) Inode() uint64 { return f.node.attr.Load().ino }

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
	n.mu.RLock()
	defer n.mu.RUnlock()
	for i := range n.dir.entries {
		if n.dir.entries[i].node == child {
			return n.dir.entries[i].name
		}
	}
	return ""
}
