package fsfake

import (
	"sync"
	"sync/atomic"
	"time"
	"weak"
)

// Disk is a file system in memory. As gives the views through which it is used.
// All methods may be used at the same time; an operation is atomic, and takes
// effect at one moment between its call and its return.
type Disk struct {
	// mu is held for reading by every operation, and for writing by those that
	// can change what an existing path means (removing or renaming a directory
	// or a symbolic link, chmod and chown of a directory, mounts) or that touch
	// two directories. So a walk sees directories stay where they are, and a
	// directory's own lock is enough for the rest.
	mu     diskLock
	config atomic.Pointer[config] // replaced, never changed
	root   *node
	// gen is odd while somebody holds mu for writing, and another even number
	// after he changed what paths mean (moved). Operations that do not take mu
	// look at it: see cachedPath.
	gen   atomic.Uint64
	moved bool
	alive atomic.Uint32 // generation of the handles; Restore ends it
	epoch uint32        // counts snapshots and restores
	undo  weak.Pointer[version]

	born     time.Time
	bornNano int64
	reads    atomic.Uint32 // that asked whether an access time is a day old

	usage usage
	dev   uint32
	seen  atomic.Pointer[observers]
	watch sync.Mutex // serialises changes of seen
}

// usage counts what is in use. Orphans are inodes without a name that a handle
// keeps; no snapshot contains them.
type usage struct {
	pages, inodes             atomic.Int64
	orphanPages, orphanInodes atomic.Int64
	lastIno                   atomic.Uint64
	lastDev                   atomic.Uint32
}

var lastDevice atomic.Uint32

// New makes a disk with a root directory (mode 0755, owner root) and /tmp (mode
// 1777). What a mount of tmpfs on Linux answers, it answers: relatime, no quota,
// and the fs.protected_* settings off, as in the kernel's own default.
func New(opts ...Option) *Disk {
	conf := &config{inodeSeed: 1}
	for _, o := range opts {
		o.apply(conf)
	}
	d := &Disk{born: time.Now()}
	d.bornNano = d.born.UnixNano()
	d.config.Store(conf)
	d.dev = lastDevice.Add(1 << 8)
	d.usage.lastDev.Store(d.dev)
	d.usage.lastIno.Store(conf.inodeSeed - 1)
	d.usage.inodes.Store(1)
	d.root = d.newNode(typeDir|0o755, 0, 0, d.dev, d.now())
	d.root.dir.parent = d.root
	if !conf.bare {
		root := cred{root: true}
		tmp, _ := d.create(&root, d.root, "tmp", typeDir|bitSticky|0o777, 0, "")
		tmp.dir.mode = tmp.attr.Load().mode
	}
	return d
}

// Remount changes options of a disk in use, as mount -o remount does. Those
// that shape what is already there (CaseInsensitive, InodeSeed, Bare) have no
// effect.
func (d *Disk) Remount(opts ...Option) {
	defer d.alone()()
	next := *d.conf()
	for _, o := range opts {
		o.apply(&next)
	}
	next.fold = d.conf().fold
	d.config.Store(&next)
}

func (d *Disk) conf() *config { return d.config.Load() }

// lock takes the disk for one operation alone.
func (d *Disk) lock() {
	d.mu.Lock()
	d.gen.Add(1)
}

func (d *Disk) unlock() {
	if d.moved {
		d.moved = false
		d.gen.Add(1)
	} else {
		d.gen.Add(^uint64(0))
	}
	d.mu.Unlock()
}

// alone is lock, and gives unlock.
func (d *Disk) alone() (end func()) {
	d.lock()
	return d.unlock
}

// now gives the time of the disk's clock. Without the option it is the system's
// at the making of the disk and the time since, at half the cost of time.Now.
func (d *Disk) now() stamp {
	if clock := d.conf().clock; clock != nil {
		return stampOf(clock())
	}
	ns := d.bornNano + int64(time.Since(d.born))
	return stamp{ns / 1e9, int32(ns % 1e9)}
}

// newNode makes an inode with no name; mode has the type.
func (d *Disk) newNode(mode, uid, gid, dev uint32, now stamp) *node {
	var n *node
	switch typ := mode & typeMask; {
	case typ == typeReg && d.epoch == 0:
		n = usedNodes.Get().(*node)
	case typ == typeReg:
		n = newFile()
	case typ == typeDir:
		both := &struct {
			node
			d dir
		}{d: dir{mode: mode, uid: uid, gid: gid}}
		n = &both.node
		n.dir = &both.d
	default:
		n = new(node)
	}
	if n.typ == 0 { // it is no used one, which others may look at
		n.typ = uint16(mode & typeMask)
	}
	n.epoch, n.saved = d.epoch, d.epoch
	a := &n.first
	n.attr.Store(a)
	a.ino = d.usage.lastIno.Add(1)
	a.mode, a.uid, a.gid, a.dev = mode, uid, gid, dev
	a.size, a.rdev, a.pages = 0, 0, 0
	for i := range a.sec {
		a.sec[i], a.nsec[i] = now.sec, now.nsec
	}
	a.nlink = 1
	if n.typ == typeDir {
		a.nlink = 2
		a.size = 2 * entrySize
	}
	return n
}

// pagesOf is how many pages n bytes take.
func pagesOf(n int64) int64 { return n>>pageShift + min(n&(pageSize-1), 1) }

// charge takes up to want pages for a file and tells how many it got.
func (d *Disk) charge(a *attr, want int64) int64 {
	got := want
	if limit := d.conf().bytes; limit > 0 {
		for {
			used := d.usage.pages.Load()
			got = max(min(want, pagesOf(limit)-used), 0)
			if d.usage.pages.CompareAndSwap(used, used+got) {
				break
			}
		}
	} else {
		d.usage.pages.Add(got)
	}
	if a.nlink == 0 {
		d.usage.orphanPages.Add(got)
	}
	a.pages += uint32(got)
	return got
}

func (d *Disk) uncharge(a *attr, pages int64) {
	d.usage.pages.Add(-pages)
	if a.nlink == 0 {
		d.usage.orphanPages.Add(-pages)
	}
	a.pages -= uint32(pages)
}

// takeInode counts one more inode (or link) if the quota has room.
func (d *Disk) takeInode() bool {
	if limit := d.conf().inodes; limit > 0 {
		if d.usage.inodes.Add(1) > limit {
			d.usage.inodes.Add(-1)
			return false
		}
		return true
	}
	d.usage.inodes.Add(1)
	return true
}

// edit gives the attributes for a change. The caller holds n's lock for
// writing, or for a directory the disk alone.
func (d *Disk) edit(n *node) *attr {
	if n.epoch != d.epoch {
		n.epoch = d.epoch
		if v := d.history(); v != nil {
			v.add(change{kind: changedAttr, node: n, attr: n.attr.Load().share()})
		}
	}
	a := n.attr.Load()
	if a.shared.Load() {
		a = a.clone()
		n.attr.Store(a)
	}
	return a
}

// unlinked takes one link from an inode and, with the last, what it occupies
// unless a handle still holds it. It reports whether the inode is gone. The
// caller holds n.mu, and has counted the name in n.unnamed or the disk as moved.
func (d *Disk) unlinked(n *node, now stamp) bool {
	a := d.edit(n)
	a.setStamp(ctime, now)
	if n.isDir() {
		a.nlink = 0
		n.dir.dead = true
		n.dir.added.Add(1)
	} else {
		a.nlink--
	}
	if a.nlink > 0 {
		d.usage.inodes.Add(-1)
		return false
	}
	if !n.lost(d.alive.Load()) {
		d.usage.orphanPages.Add(int64(a.pages))
		d.usage.orphanInodes.Add(1)
		return false
	}
	d.forget(n, a)
	return true
}

// unlink is unlinked for a caller that does not hold n.mu.
func (d *Disk) unlink(n *node, now stamp) {
	if d.unlinkedLocking(n, now) {
		d.reuse(n)
	}
}

func (d *Disk) unlinkedLocking(n *node, now stamp) (gone bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return d.unlinked(n, now)
}

// closed frees an inode whose last handle was closed after its last name went,
// unless a Restore came between.
func (d *Disk) closed(n *node, alive uint32) {
	defer d.mu.RUnlock(d.mu.RLock())
	if alive == d.alive.Load() {
		n.lock()
		a := d.edit(n)
		d.usage.orphanPages.Add(-int64(a.pages))
		d.usage.orphanInodes.Add(-1)
		d.forget(n, a)
		n.unlock()
		d.reuse(n)
	}
}

// forget frees an inode that has neither name nor handle. Its lock is held.
func (d *Disk) forget(n *node, a *attr) {
	if a.pages > 0 {
		d.usage.pages.Add(-int64(a.pages))
		a.pages = 0
	}
	d.usage.inodes.Add(-1)
	if n.typ != typeReg {
		return // what a symbolic link says is what it said
	}
	d.own(n)
	if b := n.data.first.b; d.epoch == 0 && cap(b) <= keptBuffer {
		n.data = fileData{first: chunk{b: b[:0]}}
	} else {
		n.data = fileData{}
	}
}

// usedNodes has inodes of files that are gone, for newNode.
var usedNodes = sync.Pool{New: func() any { return newFile() }}

// newFile makes a node of a file with its first handle, in one allocation.
func newFile() *node {
	both := &struct {
		node
		h handle
	}{}
	both.h.node = &both.node
	both.handle = &both.h
	return &both.node
}

// reuse gives an inode that is gone to usedNodes. Neither a name nor a handle
// leads to it; of a disk that never had a snapshot nothing else can, but for a
// FileInfo that has its attributes. The caller does not hold its lock.
func (d *Disk) reuse(n *node) {
	if n.typ == typeReg && d.epoch == 0 && n.attr.Load() == &n.first && !n.first.shared.Load() {
		n.linkable = false
		n.opens = 0
		usedNodes.Put(n)
	}
}

// accessed sets the access time as the mount options say. The caller holds no
// lock on n but d.mu.
func (d *Disk) accessed(n *node) {
	conf := d.conf()
	if conf.atime == noatime || conf.readOnly {
		return
	}
	n.lock()
	defer n.unlock()
	if d.atimeDue(conf, n.attr.Load(), d.reads.Add(1)) {
		d.edit(n).setStamp(atime, d.now())
	}
}

// atimeDue tells whether the reads-th read is to set the access time.
func (d *Disk) atimeDue(conf *config, a *attr, reads uint32) bool {
	if conf.atime == strictatime {
		return true
	}
	at := a.stamp(atime)
	if !at.after(a.stamp(mtime)) || !at.after(a.stamp(ctime)) {
		return true
	}
	// Asking the clock is dear, and the system's does not jump: every 64th
	// read is soon enough to see that a day has gone.
	if conf.clock == nil && reads%64 != 0 {
		return false
	}
	return d.now().sec-at.sec >= 24*3600
}
