package fsfake

import (
	"sync"
	"sync/atomic"
	"time"
)

// The four times of an inode.
const (
	atime = iota
	mtime
	ctime
	btime
)

// stamp is a point in time, seconds since 1970 and nanoseconds.
type stamp struct {
	sec  int64
	nsec int32
}

func stampOf(t time.Time) stamp {
	return stamp{t.Unix(), int32(t.Nanosecond())}
}

func (s stamp) time() time.Time { return time.Unix(s.sec, int64(s.nsec)) }

func (s stamp) after(o stamp) bool {
	return s.sec > o.sec || s.sec == o.sec && s.nsec > o.nsec
}

// attr is what stat shows of an inode. Once shared (with a FileInfo or a
// snapshot) it is never written again: Disk.edit makes a copy. So a Stat costs
// a pointer, and a snapshot too.
type attr struct {
	ino    uint64
	size   int64
	sec    [4]int64
	nsec   [4]int32
	rdev   uint32
	pages  uint32 // of data, in use
	mode   uint32
	uid    uint32
	gid    uint32
	nlink  uint32
	dev    uint32
	shared atomic.Bool
}

func (a *attr) stamp(i int) stamp { return stamp{a.sec[i], a.nsec[i]} }

func (a *attr) setStamp(i int, s stamp) { a.sec[i], a.nsec[i] = s.sec, s.nsec }

// touch sets the change time, and the modification time with it.
func (a *attr) touch(now stamp) {
	a.setStamp(mtime, now)
	a.setStamp(ctime, now)
}

func (a *attr) typ() uint32 { return a.mode & typeMask }

// share marks the attributes as read only and gives them out.
func (a *attr) share() *attr {
	if !a.shared.Load() {
		a.shared.Store(true)
	}
	return a
}

func (a *attr) clone() *attr {
	return &attr{ino: a.ino, size: a.size, rdev: a.rdev, pages: a.pages, sec: a.sec, nsec: a.nsec,
		mode: a.mode, uid: a.uid, gid: a.gid, nlink: a.nlink, dev: a.dev}
}

// node is an inode. Its type and birth never change, so typ and dir may be read
// at any time. mu guards the handles, and of all but directories the rest;
// dir.mu guards a directory's attributes and entries. Locks are taken from parent
// to child, of one inode mu first, and all of them under Disk.mu. Who does not
// hold Disk.mu may take mu alone, and then looks at Disk.gen before he uses what
// it guards; so what changes an inode takes mu even if it has the disk alone.
// Two files are locked by move only, the one with the smaller number first.
type node struct {
	mu       sync.Mutex
	attr     atomic.Pointer[attr]
	dir      *dir          // directories only
	handle   *handle       // the first one; on it hang further ones that no file has
	data     fileData      // of a symbolic link: what it says
	opens    uint32        // handles in use, and orphan
	gen      uint32        // the Disk.alive that opens is of
	unnamed  atomic.Uint32 // counts the names that were taken away
	epoch    uint32        // attr was saved for, or made in, this epoch of the disk
	saved    uint32        // the same for data
	typ      uint16
	linkable bool // made by O_TMPFILE without O_EXCL: may get its first name
	first    attr // the first attributes, in one allocation with the node
}

// target is what a symbolic link says; it never changes.
func (n *node) target() string { return n.data.more.link }

func (n *node) lock() {
	if n.dir != nil {
		n.dir.mu.Lock()
	} else {
		n.mu.Lock()
	}
}

func (n *node) unlock() {
	if n.dir != nil {
		n.dir.mu.Unlock()
	} else {
		n.mu.Unlock()
	}
}

func (n *node) isDir() bool { return n.typ == typeDir }

func (n *node) isLink() bool { return n.typ == typeLink }

// check tells whether the user has the wanted access to an inode that is not a
// directory on the way of a walk. The caller holds its lock.
func (n *node) check(c *cred, want uint32) error {
	a := n.attr.Load()
	return c.may(a.mode, a.uid, a.gid, want)
}

// stat gives the attributes out. Those that were given out before are never
// written again, so no lock is needed to give them out once more. Disk.mu is held.
func (n *node) stat() *attr {
	a := n.attr.Load()
	if a.shared.Load() {
		return a
	}
	n.lock()
	a = n.attr.Load().share()
	n.unlock()
	return a
}

func (n *node) owner() uint32 {
	n.lock()
	uid := n.attr.Load().uid
	n.unlock()
	return uid
}

// The handles of an inode are counted in opens, together with a bit that says
// that no name is left, so that of the last unlink and the last close exactly one
// finds that the inode is gone. The count is of one generation of the disk:
// Restore starts a new one, in which nothing is open. mu is held.
const orphan = 1 << 31

// count changes opens, which another generation left at zero.
func (n *node) count(alive, add uint32) uint32 {
	if n.gen != alive {
		n.gen, n.opens = alive, 0
	}
	n.opens += add
	return n.opens
}

// unused gives a handle: the one that stays with the inode, or if a file has it
// one of those that hang on it.
func (n *node) unused() *handle {
	first := n.handle
	switch {
	case first == nil:
		n.handle = &handle{node: n}
		return n.handle
	case first.file == nil:
		return first
	case first.free == nil:
		return &handle{node: n}
	}
	h := first.free
	first.free, h.free = h.free, nil
	return h
}

// open makes a file that is open on the inode.
func (n *node) open(v *FS, name string, access access) *File {
	h := n.unused()
	alive := v.disk.alive.Load()
	n.count(alive, 1)
	f := &File{v, name, h}
	h.file, h.off, h.next, h.alive, h.access = f, 0, 0, alive, access
	return f
}

// close takes a handle back, and reports whether the inode is gone with it.
func (n *node) close(h *handle) bool {
	h.file = nil
	if h != n.handle {
		h.free, n.handle.free = n.handle.free, h
	}
	if n.gen != h.alive {
		return false
	}
	n.opens--
	return n.opens == orphan
}

// lost notes that the last name was taken away, and reports whether the inode is
// gone with it; named, that a file without one has got its first.
func (n *node) lost(alive uint32) bool { return n.count(alive, orphan) == orphan }

func (n *node) named(alive uint32) { n.count(alive, orphan) } // takes the bit off again
