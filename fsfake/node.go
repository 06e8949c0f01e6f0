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

// node is an inode. Its type and birth never change, so typ, dir and link may
// be read at any time; its lock guards the rest. A directory's lock guards its
// entries as well. Locks are taken from parent to child, under Disk.mu.
type node struct {
	mu       sync.Mutex // directories have dir.mu instead
	attr     atomic.Pointer[attr]
	dir      *dir    // directories only
	link     *string // symbolic links only: what they say
	data     fileData
	opens    atomic.Uint64
	epoch    uint32 // attr was saved for, or made in, this epoch of the disk
	saved    uint32 // the same for data
	typ      uint16
	linkable bool // made by O_TMPFILE without O_EXCL: may get its first name
	first    attr // the first attributes, in one allocation with the node
}

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

// rlock is lock for readers; those of one file wait for each other, as they do
// not do much.
func (n *node) rlock() {
	if n.dir != nil {
		n.dir.mu.RLock()
	} else {
		n.mu.Lock()
	}
}

func (n *node) runlock() {
	if n.dir != nil {
		n.dir.mu.RUnlock()
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
// written again, so no lock is needed to give them out once more.
func (n *node) stat() *attr {
	a := n.attr.Load()
	if a.shared.Load() {
		return a
	}
	n.rlock()
	a = n.attr.Load().share()
	n.runlock()
	return a
}

func (n *node) owner() uint32 {
	n.rlock()
	uid := n.attr.Load().uid
	n.runlock()
	return uid
}

// The handles of an inode are counted in opens, together with a bit that says
// that no name is left, so that of the last unlink and the last close exactly one
// finds that the inode is gone. The count is of one generation of the disk, in
// the upper half: Restore starts a new one, in which nothing is open.
const orphan = 1 << 31

// count changes the lower half of opens, which another generation left at zero.
func (n *node) count(gen uint32, change func(uint32) uint32) uint32 {
	for {
		old := n.opens.Load()
		low := uint32(old)
		if uint32(old>>32) != gen {
			low = 0
		}
		low = change(low)
		if n.opens.CompareAndSwap(old, uint64(gen)<<32|uint64(low)) {
			return low
		}
	}
}

func (n *node) open(gen uint32) {
	n.count(gen, func(low uint32) uint32 { return low + 1 })
}

// close reports whether the inode is gone with this handle.
func (n *node) close(gen uint32) bool {
	for {
		old := n.opens.Load()
		if uint32(old>>32) != gen {
			return false
		}
		if n.opens.CompareAndSwap(old, old-1) {
			return uint32(old-1) == orphan
		}
	}
}

// lost notes that the last name was taken away, and reports whether the inode is
// gone with it; named, that a file without one has got its first.
func (n *node) lost(gen uint32) bool {
	return n.count(gen, func(low uint32) uint32 { return low | orphan }) == orphan
}

func (n *node) named(gen uint32) {
	n.count(gen, func(low uint32) uint32 { return low &^ orphan })
}
