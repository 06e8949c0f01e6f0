package fsfake

import (
	"hash/maphash"
	"sync/atomic"
)

// pathCache remembers where paths led, for one view. An entry is made by a walk
// through plain directories, each of which the view's user may search. It is
// true as long as nobody moved a directory or changed who may search one
// (Disk.gen), and the inode lost no name or the directory got none.
type pathCache struct {
	slots atomic.Pointer[pathSlots]
}

type pathSlots struct {
	entries []atomic.Pointer[cachedPath]
	asked   []atomic.Uint32 // which path was asked for last without being put in, and how often
	lost    atomic.Int32    // entries of other paths that were pushed out
}

// The number of slots grows with the paths in use.
const (
	fewestPaths = 1 << 6
	mostPaths   = 1 << 13
)

// cachedPath is one path. It is never changed.
type cachedPath struct {
	path  string
	node  *node  // nil: nothing has this name
	dir   *node  // the directory of the last component; nil if it is not known
	gen   uint64 // of the disk
	count uint32 // node.unnamed, or dir.added if there is no node
}

// holds tells whether the entry is true at this moment.
func (e *cachedPath) holds(d *Disk) bool {
	if e.node != nil {
		if e.node.unnamed.Load() != e.count {
			return false
		}
	} else if e.dir.dir.added.Load() != e.count {
		return false
	}
	return d.gen.Load() == e.gen
}

func hashPath(path string) uint64 { return maphash.String(hashSeed, path) }

// get gives the entry of a path, which may hold no longer.
func (c *pathCache) get(path string, hash uint64) *cachedPath {
	s := c.slots.Load()
	if s == nil {
		return nil
	}
	if e := s.entries[hash&uint64(len(s.entries)-1)].Load(); e != nil && e.path == path {
		return e
	}
	return nil
}

// wanted counts that a path was asked for in vain, and tells whether it is worth
// an entry: the second time in a row, but if there is one that no longer holds
// the sixteenth, since the name may come and go.
func (c *pathCache) wanted(path string, hash, gen uint64) bool {
	s := c.table()
	const often, most = 1<<4 - 1, 15
	i := hash & uint64(len(s.asked)-1)
	mark := uint32(hash>>32) &^ often
	if last := s.asked[i].Load(); last&^often == mark {
		mark = min(last+1, mark|most)
	}
	s.asked[i].Store(mark)
	least := uint32(1)
	if e := s.entries[i].Load(); e != nil && e.gen == gen && e.path == path {
		least = most
	}
	if mark&often < least {
		return false
	}
	s.asked[i].Store(0)
	return true
}

func (c *pathCache) put(hash uint64, e *cachedPath) {
	s := c.table()
	slot := &s.entries[hash&uint64(len(s.entries)-1)]
	old := slot.Load()
	slot.Store(e)
	if old == nil || old.gen != e.gen || old.path == e.path {
		return
	}
	if int(s.lost.Add(1)) == len(s.entries) && len(s.entries) < mostPaths {
		c.grow(s)
	}
}

// table gives the slots, new ones when they are first needed.
func (c *pathCache) table() *pathSlots {
	s := c.slots.Load()
	if s == nil {
		s = newPathSlots(fewestPaths)
		if !c.slots.CompareAndSwap(nil, s) {
			s = c.slots.Load()
		}
	}
	return s
}

func newPathSlots(n int) *pathSlots {
	return &pathSlots{entries: make([]atomic.Pointer[cachedPath], n), asked: make([]atomic.Uint32, n)}
}

func (c *pathCache) grow(s *pathSlots) {
	next := newPathSlots(4 * len(s.entries))
	for i := range s.entries {
		if e := s.entries[i].Load(); e != nil {
			next.entries[hashPath(e.path)&uint64(len(next.entries)-1)].Store(e)
		}
	}
	c.slots.CompareAndSwap(s, next)
}
