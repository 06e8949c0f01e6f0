package fsfake

import "syscall"

// Mount lays an empty file system of its own over a directory: another device
// number, so that rename and link to or from it give EXDEV, with a root like the
// directory's (owner, mode). The directory itself cannot be removed or renamed
// (EBUSY). It is part of the same Disk, with its quota, snapshots and hooks.
func (d *Disk) Mount(dir string) error {
	defer d.alone()()
	parent, i, err := d.mountPoint(dir)
	if err != nil {
		return pathError("mount", dir, err)
	}
	old := parent.dir.entries[i].node
	if !old.isDir() {
		return pathError("mount", dir, syscall.ENOTDIR)
	}
	if !d.takeInode() {
		return pathError("mount", dir, syscall.ENOSPC)
	}
	a := old.attr.Load()
	n := d.newNode(a.mode, a.uid, a.gid, d.usage.lastDev.Add(1), d.now())
	n.dir.parent, n.dir.mount, n.dir.covered = parent, true, old
	d.put(parent, i, n)
	d.moved = true
	return nil
}

// Unmount takes away what Mount laid over a directory, with all that is in it;
// EINVAL if there is nothing.
func (d *Disk) Unmount(dir string) error {
	defer d.alone()()
	parent, i, err := d.mountPoint(dir)
	if err != nil {
		return pathError("unmount", dir, err)
	}
	n := parent.dir.entries[i].node
	if !n.isDir() || !n.dir.mount {
		return pathError("unmount", dir, syscall.EINVAL)
	}
	now := d.now()
	d.moved = true
	d.empty(n, now, false)
	d.put(parent, i, n.dir.covered)
	d.unlink(n, now)
	return nil
}

// mountPoint finds the entry of a directory. The disk is held for writing.
func (d *Disk) mountPoint(dir string) (parent *node, i int, err error) {
	root := cred{root: true}
	w := walk{v: &FS{disk: d, root: d.root, cred: root}, excl: true}
	if err := w.parent(local(dir)); err != nil {
		return nil, 0, err
	}
	if w.kind != lastName {
		return nil, 0, syscall.EBUSY
	}
	if i = w.dir.dir.find(d.conf().fold, w.last); i < 0 {
		return nil, 0, syscall.ENOENT
	}
	return w.dir, i, nil
}
