package fsfake

import "syscall"

// shortLink is the length from which the text of a symbolic link takes a page.
const shortLink = 128

// enter gives an inode a name that is not there; leave takes one away. Both
// save it for the snapshot. The caller holds dir's lock for writing, or Disk.mu.
func (d *Disk) enter(dir *node, name string, n *node) {
	if v := d.history(); v != nil {
		v.add(change{kind: changedEntry, node: dir, name: name})
	}
	dir.dir.insert(d.conf().fold, name, n, 0)
}

func (d *Disk) leave(dir *node, i int) {
	e := &dir.dir.entries[i]
	if v := d.history(); v != nil {
		v.add(change{kind: changedEntry, node: dir, name: e.name, child: e.node, seq: e.seq})
	}
	dir.dir.removeAt(d.conf().fold, i)
}

// create makes an inode with a name. What may be refused has been.
func (d *Disk) create(c *cred, dir *node, name string, mode uint32, rdev uint64, target string) (*node, error) {
	if !d.takeInode() {
		return nil, syscall.ENOSPC
	}
	now := d.now()
	n := d.inherit(c, dir, mode, now)
	n.first.rdev = uint32(rdev)
	if target != "" {
		n.data.more = &extents{link: target}
		n.first.size = int64(len(target))
		if len(target) >= shortLink && d.charge(&n.first, 1) == 0 {
			d.usage.inodes.Add(-1)
			return nil, syscall.ENOSPC
		}
	}
	a := d.edit(dir)
	a.touch(now)
	a.size += entrySize
	if n.isDir() {
		a.nlink++
		n.dir.parent = dir
	}
	d.enter(dir, name, n)
	return n, nil
}

// inherit makes an inode of the user's, with the group of a set-group-ID
// directory.
func (d *Disk) inherit(c *cred, dir *node, mode uint32, now stamp) *node {
	gid := c.gid
	if dir.dir.mode&bitSetgid != 0 {
		gid = dir.dir.gid
		if mode&typeMask == typeDir {
			mode |= bitSetgid
		}
	}
	return d.newNode(mode, c.uid, gid, dir.attr.Load().dev, now)
}

// newMode takes from a wanted mode what creation in this directory does not
// give: a set-group-ID bit on a file that its group may execute, where the user
// is not in the directory's group; and the umask.
func (v *FS) newMode(dir *node, mode uint32) uint32 {
	const both = bitSetgid | 0o010
	if mode&both == both && dir.dir.mode&bitSetgid != 0 && !v.cred.keepsSetgid(dir.dir.gid) {
		mode &^= bitSetgid
	}
	return mode &^ v.umask.Load()
}

// newName prepares the creation of a name: the walk's directory is locked, and
// the name is free. asDir allows a slash at the end.
func (w *walk) newName(path string, asDir bool) error {
	if err := w.parent(path); err != nil {
		return err
	}
	if w.kind != lastName {
		return errExist
	}
	if len(w.last) > maxName {
		return syscall.ENAMETOOLONG
	}
	w.lock()
	switch {
	case w.dir.dir.get(w.v.disk.conf().fold, w.last) != nil:
		return errExist
	case w.slash && !asDir:
		return syscall.ENOENT
	case w.v.disk.conf().readOnly:
		return syscall.EROFS
	}
	return nil
}

// mayCreate tells whether the user may add names to the walk's directory.
func (w *walk) mayCreate() error {
	d := w.dir.dir
	if d.dead {
		return syscall.ENOENT
	}
	return w.v.cred.may(d.mode, d.uid, d.gid, mayWrite|mayExec)
}

// mayDelete tells whether the user may take the name of n out of the walk's
// directory, in the order of the kernel's function of that name.
func (w *walk) mayDelete(n *node, asDir bool) error {
	c, d := &w.v.cred, w.dir.dir
	if err := c.may(d.mode, d.uid, d.gid, mayWrite|mayExec); err != nil {
		return err
	}
	if d.mode&bitSticky != 0 && d.uid != c.uid && !c.owns(n.owner()) {
		return errPerm
	}
	switch {
	case asDir && !n.isDir():
		return syscall.ENOTDIR
	case !asDir && n.isDir():
		return syscall.EISDIR
	case asDir && n == w.v.root:
		return syscall.EBUSY
	}
	return nil
}

func (v *FS) mkdir(path string, mode uint32) error {
	var w walk
	w.begin(v, false)
	defer w.end()
	if err := w.newName(path, true); err != nil {
		return err
	}
	if err := w.mayCreate(); err != nil {
		return err
	}
	if !v.disk.roomForLink(w.dir) {
		return syscall.EMLINK
	}
	_, err := v.disk.create(&v.cred, w.dir, clip(w.last, path), typeDir|v.newMode(w.dir, mode)&(0o777|bitSticky), 0, "")
	return err
}

// roomForLink tells whether an inode may have one more link.
func (d *Disk) roomForLink(n *node) bool {
	return d.conf().maxLinks == 0 || int64(n.attr.Load().nlink) < d.conf().maxLinks
}

// clip gives a name that does not keep a much longer path in memory.
func clip(name, path string) string {
	if len(path)-len(name) > 64 {
		return string(append([]byte(nil), name...))
	}
	return name
}

func (v *FS) mknod(path string, mode uint32, rdev uint64) error {
	if hasNUL(path) {
		return syscall.EINVAL
	}
	switch mode & typeMask {
	case 0:
		mode |= typeReg
	case typeReg, typeFifo, typeSock, typeChr, typeBlk:
	case typeDir:
		return errPerm
	default:
		return syscall.EINVAL
	}
	var w walk
	w.begin(v, false)
	defer w.end()
	if err := w.newName(path, false); err != nil {
		return err
	}
	if err := w.mayCreate(); err != nil {
		return err
	}
	typ := mode & typeMask
	whiteout := typ == typeChr && rdev == 0
	if (typ == typeChr || typ == typeBlk) && !whiteout && !v.cred.root {
		return errPerm
	}
	if typ != typeChr && typ != typeBlk {
		rdev = 0
	}
	_, err := v.disk.create(&v.cred, w.dir, clip(w.last, path), v.newMode(w.dir, mode), rdev, "")
	return err
}

func (v *FS) symlink(target, path string) error {
	switch {
	case hasNUL(target), hasNUL(path):
		return syscall.EINVAL
	case target == "":
		return syscall.ENOENT
	case len(target) >= maxPath:
		return syscall.ENAMETOOLONG
	}
	var w walk
	w.begin(v, false)
	defer w.end()
	if err := w.newName(path, false); err != nil {
		return err
	}
	if err := w.mayCreate(); err != nil {
		return err
	}
	_, err := v.disk.create(&v.cred, w.dir, clip(w.last, path), typeLink|0o777, 0, target)
	return err
}

// link gives an inode a second name: that of an open file, or without one that
// which oldPath names. A symbolic link is not followed.
func (v *FS) link(f *File, oldPath, path string) error {
	if hasNUL(oldPath) || hasNUL(path) {
		return syscall.EINVAL
	}
	d := v.disk
	var w walk
	w.begin(v, true)
	defer w.end()
	var n *node
	var err error
	if f != nil {
		n = f.h.node
		n.mu.Lock()
		err = f.usable()
		n.mu.Unlock()
	} else {
		n, err = w.resolve(oldPath, false)
	}
	if err != nil {
		return err
	}
	if err := w.newName(path, false); err != nil {
		return err
	}
	if n.attr.Load().dev != w.dir.attr.Load().dev {
		return syscall.EXDEV
	}
	if d.conf().protectedLinks && !v.mayLink(n) {
		return errPerm
	}
	if err := w.mayCreate(); err != nil {
		return err
	}
	switch {
	case n.isDir():
		return errPerm
	case n.attr.Load().nlink == 0 && !n.linkable:
		return syscall.ENOENT
	case !d.roomForLink(n):
		return syscall.EMLINK
	}
	if n.attr.Load().nlink > 0 && !d.takeInode() {
		return syscall.ENOSPC
	}
	now := d.now()
	n.mu.Lock()
	defer n.mu.Unlock()
	a := d.edit(n)
	if a.nlink == 0 {
		d.usage.orphanInodes.Add(-1)
		d.usage.orphanPages.Add(-int64(a.pages))
		n.linkable = false
		n.named(d.alive.Load())
	}
	a.nlink++
	a.setStamp(ctime, now)
	dir := d.edit(w.dir)
	dir.touch(now)
	dir.size += entrySize
	d.enter(w.dir, clip(w.last, path), n)
	return nil
}

// mayLink is the rule of fs.protected_hardlinks.
func (v *FS) mayLink(n *node) bool {
	a := n.attr.Load()
	if v.cred.owns(a.uid) {
		return true
	}
	const setgidExec = bitSetgid | 0o010
	return a.typ() == typeReg && a.mode&bitSetuid == 0 && a.mode&setgidExec != setgidExec &&
		n.check(&v.cred, mayRead|mayWrite) == nil
}

func (v *FS) unlink(path string) error {
	err, alone := v.tryUnlink(path, false)
	if alone {
		err, _ = v.tryUnlink(path, true)
	}
	return err
}

// tryUnlink reports whether it must have the disk for itself: the removal of a
// symbolic link changes what paths mean.
func (v *FS) tryUnlink(path string, excl bool) (err error, alone bool) {
	var w walk
	w.begin(v, excl)
	defer w.end()
	if err := w.parent(path); err != nil {
		return err, false
	}
	if w.kind != lastName {
		return syscall.EISDIR, false
	}
	if v.disk.conf().readOnly {
		return syscall.EROFS, false
	}
	if len(w.last) > maxName {
		return syscall.ENAMETOOLONG, false
	}
	w.lock()
	i := w.dir.dir.find(v.disk.conf().fold, w.last)
	if i < 0 {
		return syscall.ENOENT, false
	}
	n := w.dir.dir.entries[i].node
	if w.slash {
		if n.isDir() {
			return syscall.EISDIR, false
		}
		return syscall.ENOTDIR, false
	}
	if err := w.mayDelete(n, false); err != nil {
		return err, false
	}
	if n.isLink() && !excl {
		return nil, true
	}
	v.disk.drop(w.dir, i, v.disk.now())
	return nil, false
}

// drop takes the i-th name out of a directory.
func (d *Disk) drop(dir *node, i int, now stamp) {
	n := dir.dir.entries[i].node
	n.unnamed.Add(1)
	a := d.edit(dir)
	a.touch(now)
	a.size -= entrySize
	if n.isDir() {
		a.nlink--
	}
	d.leave(dir, i)
	d.unlink(n, now)
}

func (v *FS) rmdir(path string) error {
	var w walk
	w.begin(v, true)
	defer w.end()
	if err := w.parent(path); err != nil {
		return err
	}
	switch w.kind {
	case lastDotDot:
		return errNotEmpty
	case lastDot:
		return syscall.EINVAL
	case lastRoot:
		return syscall.EBUSY
	}
	if v.disk.conf().readOnly {
		return syscall.EROFS
	}
	if len(w.last) > maxName {
		return syscall.ENAMETOOLONG
	}
	i := w.dir.dir.find(v.disk.conf().fold, w.last)
	if i < 0 {
		return syscall.ENOENT
	}
	n := w.dir.dir.entries[i].node
	if err := w.mayDelete(n, true); err != nil {
		return err
	}
	if n.dir.mount {
		return syscall.EBUSY
	}
	if n.dir.live > 0 {
		return errNotEmpty
	}
	v.disk.drop(w.dir, i, v.disk.now())
	return nil
}
