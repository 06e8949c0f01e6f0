package fsfake

import (
	"syscall"
	"time"
)

// onPath runs a change of an inode's attributes: with the name held, and the
// inode locked. A change of who may search a directory needs the disk for
// itself.
func (v *FS) onPath(path string, follow, dirsAlone bool, change func(n *node) error) error {
	err, alone := v.tryOnPath(path, follow, dirsAlone, false, change)
	if alone {
		err, _ = v.tryOnPath(path, follow, dirsAlone, true, change)
	}
	return err
}

func (v *FS) tryOnPath(path string, follow, dirsAlone, excl bool, change func(n *node) error) (err error, alone bool) {
	var w walk
	w.begin(v, excl)
	defer w.end()
	n, err := w.resolve(path, follow)
	if err != nil {
		return err, false
	}
	if n.isDir() && dirsAlone && !excl {
		return nil, true
	}
	n.lock()
	defer n.unlock()
	return change(n), false
}

// onFile does the same for the inode of an open handle.
func (f *File) onFile(change func(h *handle) error) error {
	h, d := f.h, f.v.disk
	if h.node.isDir() {
		defer d.alone()()
	} else {
		defer d.mu.RUnlock(d.mu.RLock())
	}
	h.node.mu.Lock()
	defer h.node.mu.Unlock()
	if err := f.usable(); err != nil {
		return err
	}
	if h.access&pathOnly != 0 {
		return syscall.EBADF
	}
	return change(h)
}

// setMode is chmod. The caller holds n's lock, for a directory Disk.mu, for writing.
func (v *FS) setMode(n *node, bits uint32) error {
	if v.disk.conf().readOnly {
		return syscall.EROFS
	}
	if !v.cred.owns(n.attr.Load().uid) {
		return errPerm
	}
	a := v.disk.edit(n)
	if bits&bitSetgid != 0 && !v.cred.keepsSetgid(a.gid) {
		bits &^= bitSetgid
	}
	a.mode = a.mode&typeMask | bits&bitsAll
	a.setStamp(ctime, v.disk.now())
	v.disk.shown(n)
	return nil
}

// shown copies what a walk needs from a directory's attributes.
func (d *Disk) shown(n *node) {
	if n.isDir() {
		n.setAttr(n.attr.Load())
		d.moved = true
	}
}

// setOwner is chown; -1 leaves an id.
func (v *FS) setOwner(n *node, uid, gid int) error {
	if v.disk.conf().readOnly {
		return syscall.EROFS
	}
	c, old := &v.cred, n.attr.Load()
	owner := c.uid == old.uid
	if uid != -1 && !c.root && !(owner && uint32(uid) == old.uid) {
		return errPerm
	}
	if gid != -1 && !c.root && !(owner && (uint32(gid) == old.gid || c.inGroup(uint32(gid)))) {
		return errPerm
	}
	var drop uint32
	if !n.isDir() {
		drop = old.mode&bitSetuid | c.droppedSetgid(old.mode, old.gid)
	}
	if drop != 0 && !c.owns(old.uid) {
		return errPerm
	}
	a := v.disk.edit(n)
	a.mode &^= drop
	if uid != -1 {
		a.uid = uint32(uid)
	}
	if gid != -1 {
		a.gid = uint32(gid)
	}
	a.setStamp(ctime, v.disk.now())
	v.disk.shown(n)
	return nil
}

// A time to set: a point, now, or left as it is.
type timeArg struct {
	at        stamp
	now, keep bool
}

// TimeNow and TimeOmit, given to UtimesNano, set the present time or leave a
// time as it is, as UTIME_NOW and UTIME_OMIT do in utimensat(2).
var (
	TimeNow  = time.Unix(0, 1<<30-1)
	TimeOmit = time.Unix(0, 1<<30-2)
)

func timeArgOf(t time.Time) timeArg {
	switch {
	case t.IsZero(), t.Equal(TimeOmit):
		return timeArg{keep: true}
	case t.Equal(TimeNow):
		return timeArg{now: true}
	}
	return timeArg{at: stampOf(t)}
}

// setTimes is utimensat: a given time needs the owner, the present one for both
// only write permission.
func (v *FS) setTimes(n *node, at, mt timeArg) error {
	if v.disk.conf().readOnly {
		return syscall.EROFS
	}
	if !v.cred.owns(n.attr.Load().uid) {
		if !at.now || !mt.now {
			return errPerm
		}
		if err := n.check(&v.cred, mayWrite); err != nil {
			return err
		}
	}
	a := v.disk.edit(n)
	now := v.disk.now()
	for i, t := range []timeArg{at, mt} {
		switch {
		case t.now:
			a.setStamp(i, now)
		case !t.keep:
			a.setStamp(i, t.at)
		}
	}
	a.setStamp(ctime, now)
	return nil
}

// truncate is truncate(2).
func (v *FS) truncate(n *node, size int64) error {
	switch {
	case n.isDir():
		return syscall.EISDIR
	case n.typ != typeReg:
		return syscall.EINVAL
	case v.disk.conf().readOnly:
		return syscall.EROFS
	}
	if err := n.check(&v.cred, mayWrite); err != nil {
		return err
	}
	v.resize(n, size, false)
	return nil
}

// resize sets a file's length. Where it stays as it was, the times change only
// if told so (ftruncate and O_TRUNC, not truncate).
func (v *FS) resize(n *node, size int64, always bool) {
	d := v.disk
	a := d.edit(n)
	drop := v.cred.droppedByWrite(a.mode, a.gid)
	changed := a.size != size
	if size <= a.size && a.pages > 0 {
		d.own(n)
		d.uncharge(a, n.data.cut(size))
		changed = true // tmpfs looks whether there were pages to cut
	}
	a.size = size
	a.mode &^= drop
	if changed || always {
		a.touch(d.now())
	}
}

// allows is faccessat(2) with AT_EACCESS: want has the low bits of a mode.
func (v *FS) allows(path string, want uint32) error {
	if want&^7 != 0 {
		return syscall.EINVAL
	}
	var w walk
	w.begin(v, false)
	defer w.end()
	n, err := w.resolve(path, true)
	if err != nil {
		return err
	}
	n.lock()
	defer n.unlock()
	if want&mayWrite != 0 && v.disk.conf().readOnly && (n.typ == typeReg || n.isDir() || n.isLink()) {
		return syscall.EROFS
	}
	return n.check(&v.cred, want)
}
