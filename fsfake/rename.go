package fsfake

import "syscall"

// Flags of Renameat2.
const (
	RenameNoReplace = 1 << iota // EEXIST if the new name exists
	RenameExchange              // the two names change places
)

// rename is rename(2) of the kernel, with its order of checks.
func (v *FS) rename(oldPath, newPath string, flags uint) error {
	if hasNUL(oldPath) || hasNUL(newPath) {
		return syscall.EINVAL
	}
	if flags&^(RenameNoReplace|RenameExchange) != 0 || flags == RenameNoReplace|RenameExchange {
		return syscall.EINVAL
	}
	err, alone := v.tryRename(oldPath, newPath, flags, false)
	if alone {
		err, _ = v.tryRename(oldPath, newPath, flags, true)
	}
	return err
}

// tryRename reports whether it must have the disk for itself: it need not for a
// plain file that stays in its directory.
func (v *FS) tryRename(oldPath, newPath string, flags uint, excl bool) (err error, alone bool) {
	var from walk
	from.begin(v, excl)
	defer from.end()
	to := walk{v: v, excl: excl, gen: from.gen}
	if err := from.parent(oldPath); err != nil {
		return err, false
	}
	if err := to.parent(newPath); err != nil {
		return err, false
	}
	if !excl && (flags != 0 || from.dir != to.dir) {
		return nil, true
	}
	from.lock()
	n, target, err := v.renamed(&from, &to, flags)
	if err != nil || n == target {
		return err, false
	}
	if !excl && (!n.plain() || target != nil && !target.plain()) {
		return nil, true
	}
	if err := v.mayRename(&from, &to, n, target, flags); err != nil {
		return err, false
	}
	v.disk.move(from.dir, from.last, to.dir, clip(to.last, newPath), flags&RenameExchange != 0)
	return nil, false
}

// plain tells an inode that no walk passes through.
func (n *node) plain() bool { return !n.isDir() && !n.isLink() }

// renamed finds the inodes of a rename and checks what does not depend on the
// user.
func (v *FS) renamed(from, to *walk, flags uint) (n, target *node, err error) {
	fold := v.disk.conf().fold
	exchange := flags&RenameExchange != 0
	if from.dir.attr.Load().dev != to.dir.attr.Load().dev {
		return nil, nil, syscall.EXDEV
	}
	switch {
	case from.kind != lastName:
		return nil, nil, syscall.EBUSY
	case to.kind != lastName && flags&RenameNoReplace != 0:
		return nil, nil, errExist
	case to.kind != lastName:
		return nil, nil, syscall.EBUSY
	case v.disk.conf().readOnly:
		return nil, nil, syscall.EROFS
	case len(from.last) > maxName:
		return nil, nil, syscall.ENAMETOOLONG
	}
	if n = from.dir.dir.get(fold, from.last); n == nil {
		return nil, nil, syscall.ENOENT
	}
	if len(to.last) > maxName {
		return nil, nil, syscall.ENAMETOOLONG
	}
	target = to.dir.dir.get(fold, to.last)
	switch {
	case target != nil && flags&RenameNoReplace != 0:
		return nil, nil, errExist
	case target == nil && exchange:
		return nil, nil, syscall.ENOENT
	case exchange && !target.isDir() && to.slash:
		return nil, nil, syscall.ENOTDIR
	case !n.isDir() && (from.slash || to.slash && !exchange):
		return nil, nil, syscall.ENOTDIR
	case n.isDir() && n.above(to.dir):
		return nil, nil, syscall.EINVAL
	case target != nil && target.isDir() && target.above(from.dir) && exchange:
		return nil, nil, syscall.EINVAL
	case target != nil && target.isDir() && target.above(from.dir):
		return nil, nil, errNotEmpty
	}
	if target == n && from.dir == to.dir && from.last != to.last && fold != nil && n.stat().nlink == 1 {
		return n, nil, nil // another case of the same name
	}
	return n, target, nil
}

// above tells whether a directory is another one or an ancestor of it.
func (n *node) above(dir *node) bool {
	for dir != n {
		if dir.dir.parent == dir {
			return false
		}
		dir = dir.dir.parent
	}
	return true
}

// mayRename is vfs_rename's list of checks.
func (v *FS) mayRename(from, to *walk, n, target *node, flags uint) error {
	exchange := flags&RenameExchange != 0
	if err := from.mayDelete(n, n.isDir()); err != nil {
		return err
	}
	if target == nil {
		if err := to.mayCreate(); err != nil {
			return err
		}
	} else {
		asDir := n.isDir()
		if exchange {
			asDir = target.isDir()
		}
		if err := to.mayDelete(target, asDir); err != nil {
			return err
		}
	}
	if from.dir != to.dir {
		// The entry ".." changes.
		if n.isDir() && n.check(&v.cred, mayWrite) != nil {
			return errAccess
		}
		if exchange && target.isDir() && target.check(&v.cred, mayWrite) != nil {
			return errAccess
		}
	}
	isDir := target != nil && target.isDir()
	switch {
	case n.isDir() && n.dir.mount, isDir && target.dir.mount:
		return syscall.EBUSY
	case n.isDir() && !isDir && from.dir != to.dir && !v.disk.roomForLink(to.dir):
		return syscall.EMLINK
	case isDir && !exchange && target.dir.live > 0:
		return errNotEmpty
	}
	return nil
}

// move carries a rename out. The disk is held alone, or the one directory. What
// changes is locked until all has changed, so that nobody sees a half of it.
func (d *Disk) move(from *node, oldName string, to *node, newName string, exchange bool) {
	fold := d.conf().fold
	i, j := from.dir.find(fold, oldName), to.dir.find(fold, newName)
	n := from.dir.entries[i].node
	var target *node
	if j >= 0 && to.dir.entries[j].node != n {
		target = to.dir.entries[j].node
	}
	if d.moveLocking(n, target, func() bool { return d.moveLocked(from, i, to, j, newName, exchange) }) {
		d.reuse(target)
	}
}

func (d *Disk) moveLocking(n, target *node, move func() (gone bool)) (gone bool) {
	lockBoth(n, target)
	defer n.mu.Unlock()
	if target != nil {
		defer target.mu.Unlock()
	}
	return move()
}

// lockBoth locks one or two inodes.
func lockBoth(n, target *node) {
	switch {
	case target == nil:
		n.mu.Lock()
	case n.attr.Load().ino < target.attr.Load().ino:
		n.mu.Lock()
		target.mu.Lock()
	default:
		target.mu.Lock()
		n.mu.Lock()
	}
}

// moveLocked moves the i-th entry to the name of the j-th, or to a new one. It
// reports whether an inode is gone with that.
func (d *Disk) moveLocked(from *node, i int, to *node, j int, newName string, exchange bool) (gone bool) {
	now := d.now()
	n := from.dir.entries[i].node
	var target *node
	if j >= 0 {
		target = to.dir.entries[j].node
		target.unnamed.Add(1)
	}
	n.unnamed.Add(1)
	if n.isDir() || target != nil && target.isDir() {
		d.moved = true
	}
	src, dst := d.edit(from), d.edit(to)
	src.touch(now)
	dst.touch(now)
	d.edit(n).setStamp(ctime, now)
	switch {
	case exchange:
		d.put(from, i, target)
		d.put(to, j, n)
		d.edit(target).setStamp(ctime, now)
		if target.isDir() {
			dst.nlink--
			src.nlink++
			d.reparent(target, from)
		}
	case target == n: // another case of the same name
		d.leave(from, i)
		d.enter(to, newName, n)
		return false
	case target != nil:
		d.put(to, j, n)
		d.leave(from, i)
		if target.isDir() {
			dst.nlink--
		}
		gone = d.unlinked(target, now)
		src.size -= entrySize
	default:
		d.leave(from, i)
		d.enter(to, newName, n)
		src.size -= entrySize
		dst.size += entrySize
	}
	if n.isDir() {
		src.nlink--
		dst.nlink++
		d.reparent(n, to)
	}
	return gone
}

// put makes an existing entry name another inode.
func (d *Disk) put(dir *node, i int, n *node) {
	e := &dir.dir.entries[i]
	if v := d.history(); v != nil {
		v.add(change{kind: changedEntry, node: dir, name: e.name, child: e.node, seq: e.seq})
	}
	e.node = n
}

func (d *Disk) reparent(n, to *node) {
	if n.dir.parent == to {
		return
	}
	if v := d.history(); v != nil {
		v.add(change{kind: changedParent, node: n, child: n.dir.parent})
	}
	n.dir.parent = to
}
