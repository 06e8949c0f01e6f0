package fsfake

import (
	"sync"
	"weak"
)

// A disk with snapshots is a tree of versions of which one, the disk itself, is
// whole. Every other version knows its neighbour on the way to the disk and the
// changes that lead from that neighbour back to it (Baker's rerooting of
// persistent arrays). Taking a snapshot makes an empty list of changes, which
// the disk's operations then add to, each inode once; restoring applies lists,
// and turns them around on the way.
type version struct {
	mu      sync.Mutex // guards changes while they are being added
	next    *version   // towards the disk; nil: its neighbour is the disk
	changes []change   // from next to this version
	limit   int        // compact changes when they are more
	usage   counts
}

type counts struct {
	pages, inodes int64
	lastIno       uint64
}

type changeKind uint8

const (
	changedAttr changeKind = iota
	changedData
	changedEntry
	changedParent
)

// change is one thing as it was.
type change struct {
	kind  changeKind
	node  *node
	attr  *attr
	data  *fileData
	child *node // entry: what the name had, or nil; parent: the old one
	name  string
	seq   uint32
}

// add saves one thing as it was before a change.
func (v *version) add(c change) {
	v.mu.Lock()
	v.changes = append(v.changes, c)
	if len(v.changes) > v.limit {
		v.compact()
		v.limit = max(2*len(v.changes), 1<<10)
	}
	v.mu.Unlock()
}

// compact keeps the oldest value of each directory entry, the only kind that is
// saved more than once.
func (v *version) compact() {
	type entry struct {
		dir  *node
		name string
	}
	seen := make(map[entry]bool, len(v.changes)/2)
	kept := v.changes[:0]
	for _, c := range v.changes {
		if c.kind == changedEntry {
			e := entry{c.node, c.name}
			if seen[e] {
				continue
			}
			seen[e] = true
		}
		kept = append(kept, c)
	}
	clear(v.changes[len(kept):])
	v.changes = kept
}

// Snapshot is the state of a disk at one moment. It stays as it is whatever
// happens to the disk, costs nothing to take, and then one copy of each thing
// that changes after it: attributes, the table of a file's chunks, a directory
// entry, 64 KiB of data at the most.
type Snapshot struct {
	disk *Disk
	v    *version
}

// Snapshot takes the state of the disk, in constant time. Inodes that only an
// open handle keeps are not in it.
func (d *Disk) Snapshot() *Snapshot {
	defer d.alone()()
	v := d.history()
	if v == nil || len(v.changes) > 0 {
		next := &version{limit: 1 << 10, usage: d.counts()}
		if v != nil {
			v.next = next
		}
		v = next
		d.undo = weak.Make(v)
		d.epoch++
	}
	return &Snapshot{d, v}
}

// history gives the version that changes are to be saved in, nil if no snapshot
// can ask for it any more.
func (d *Disk) history() *version {
	if d.epoch == 0 {
		return nil
	}
	return d.undo.Value()
}

func (d *Disk) counts() counts {
	u := &d.usage
	return counts{u.pages.Load() - u.orphanPages.Load(), u.inodes.Load() - u.orphanInodes.Load(), u.lastIno.Load()}
}

// Restore brings the disk back to a snapshot of its own, in time proportional
// to what has changed since. Every open handle becomes stale: its methods
// return ESTALE. Hooks, faults and options stay.
//
// Restoring a snapshot of another disk panics.
func (d *Disk) Restore(s *Snapshot) {
	if s.disk != d {
		panic("fsfake: Restore of a snapshot of another disk; take the snapshot from the disk that it is restored to")
	}
	defer d.alone()()
	d.alive.Add(1)
	// The disk's own history is alive: the snapshot leads to it.
	var way []*version
	for v := s.v; v != nil; v = v.next {
		way = append(way, v)
	}
	// From the disk outwards: each step makes the next version whole, and the
	// one before it reachable from there.
	for i := len(way) - 1; i >= 0; i-- {
		v := way[i]
		last := i == len(way)-1
		back := d.apply(v.changes, !last)
		if !last {
			way[i+1].changes, way[i+1].next = back, v
		}
		clear(v.changes)
		v.changes = v.changes[:0]
	}
	s.v.next = nil
	u := &d.usage
	u.pages.Store(s.v.usage.pages)
	u.inodes.Store(s.v.usage.inodes)
	u.lastIno.Store(s.v.usage.lastIno)
	u.orphanPages.Store(0)
	u.orphanInodes.Store(0)
	d.undo = weak.Make(s.v)
	d.epoch++
}

// apply undoes changes, newest first, and returns what redoes them if asked.
func (d *Disk) apply(changes []change, keep bool) (back []change) {
	moved := false
	for i := len(changes) - 1; i >= 0; i-- {
		c := &changes[i]
		was := change{kind: c.kind, node: c.node, name: c.name}
		switch c.kind {
		case changedAttr:
			was.attr = c.node.attr.Load().share()
			moved = moved || c.node.isDir() && (was.attr.mode != c.attr.mode || was.attr.uid != c.attr.uid || was.attr.gid != c.attr.gid || was.attr.nlink == 0 || c.attr.nlink == 0)
			c.node.mu.Lock()
			c.node.setAttr(c.attr)
			c.node.mu.Unlock()
		case changedData:
			old := c.node.data
			was.data = &old
			c.node.mu.Lock()
			c.node.data = *c.data
			c.node.mu.Unlock()
		case changedParent:
			was.child = c.node.dir.parent
			moved = true
			c.node.dir.parent = c.child
		case changedEntry:
			dir := c.node.dir
			if i := dir.find(d.conf().fold, c.name); i >= 0 {
				was.child, was.seq, was.name = dir.entries[i].node, dir.entries[i].seq, dir.entries[i].name
				was.child.unnamed.Add(1)
				dir.removeAt(d.conf().fold, i)
			}
			if c.child != nil {
				dir.insert(d.conf().fold, c.name, c.child, c.seq)
			}
			moved = moved || was.child.isPlace() || c.child.isPlace()
		}
		if keep {
			back = append(back, was)
		}
	}
	d.moved = d.moved || moved
	return back
}

// isPlace says that walks go through an inode.
func (n *node) isPlace() bool { return n != nil && (n.isDir() || n.isLink()) }

// setAttr puts other attributes in place of a node's, with what a directory
// keeps of them for walks.
func (n *node) setAttr(a *attr) {
	n.attr.Store(a)
	if n.isDir() {
		n.dir.mode, n.dir.uid, n.dir.gid, n.dir.dead = a.mode, a.uid, a.gid, a.nlink == 0
	}
}
