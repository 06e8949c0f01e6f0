package fsfake

import (
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

const (
	maxName   = 255  // NAME_MAX
	maxPath   = 4096 // PATH_MAX, with the closing NUL byte
	maxLinks  = 40   // symbolic links in one walk
	smallDir  = 8    // entries that are searched without an index
	entrySize = 20   // what tmpfs adds to the size of a directory per entry
)

// dirent is a name in a directory. seq grows with each entry that is made: it
// is the position of a directory stream, which so survives any change.
type dirent struct {
	name string
	node *node // nil: removed
	seq  uint32
	hash uint32 // once the directory has an index
}

// dir is what a directory has beside its attributes. The guarded fields are
// entries, slots, live and next (by mu); the others change only
// while Disk.mu is held for writing, and are read on every walk.
type dir struct {
	mu      sync.Mutex // the node's lock
	entries []dirent   // in order of seq
	slots   []uint32   // hash table of positions in entries, plus one; nil while small
	live    int
	next    uint32
	added   atomic.Uint32 // counts the names that were added, and its removal

	parent         *node
	mode, uid, gid uint32 // as in attr
	dead           bool   // removed
	mount          bool   // the root of a mounted volume
	covered        *node  // what it lies over
}

// folder turns a name into what a case-insensitive disk compares; nil compares
// names as they are.
type folder func(string) string

func (f folder) key(name string) string {
	if f == nil {
		return name
	}
	return f(name)
}

func (f folder) hash(name string) uint32 {
	return uint32(maphash.String(hashSeed, f.key(name)))
}

var hashSeed = maphash.MakeSeed()

// find gives the position of a name, -1 if it is not there.
func (d *dir) find(f folder, name string) int {
	if d.slots != nil {
		i, _ := d.probe(f, name)
		return i
	}
	if f != nil {
		name = f(name)
	}
	for i := range d.entries {
		if e := &d.entries[i]; e.node != nil && (e.name == name || f != nil && f(e.name) == name) {
			return i
		}
	}
	return -1
}

// probe looks a name up in the index: its position and its slot.
func (d *dir) probe(f folder, name string) (pos, slot int) {
	if f != nil {
		name = f(name)
	}
	h := uint32(maphash.String(hashSeed, name))
	mask := uint32(len(d.slots) - 1)
	for s := h & mask; d.slots[s] != 0; s = (s + 1) & mask {
		e := &d.entries[d.slots[s]-1]
		if e.hash == h && (e.name == name || f != nil && f(e.name) == name) {
			return int(d.slots[s] - 1), int(s)
		}
	}
	return -1, -1
}

// get gives the inode of a name, nil if there is none.
func (d *dir) get(f folder, name string) *node {
	if i := d.find(f, name); i >= 0 {
		return d.entries[i].node
	}
	return nil
}

// insert adds a name that is not there. seq 0 means at the end.
func (d *dir) insert(f folder, name string, n *node, seq uint32) {
	d.live++
	d.added.Add(1)
	at := len(d.entries)
	if seq == 0 {
		if d.next == math.MaxUint32 {
			d.renumber()
		}
		d.next++
		seq = d.next
	} else {
		var old bool
		at, old = slices.BinarySearchFunc(d.entries, seq, dirent.compare)
		if !old && at < len(d.entries) {
			d.entries = slices.Insert(d.entries, at, dirent{name: name, node: n, seq: seq})
			d.index(f)
			return
		}
	}
	if at == len(d.entries) {
		if at == cap(d.entries) {
			d.entries = slices.Grow(d.entries, max(at, 1))
		}
		d.entries = append(d.entries, dirent{})
	}
	d.entries[at] = dirent{name: name, node: n, seq: seq}
	switch {
	case d.slots == nil && len(d.entries) <= smallDir:
	case len(d.slots) < 2*len(d.entries):
		d.index(f)
	default:
		d.entries[at].hash = f.hash(name)
		d.settle(at)
	}
}

// settle puts an entry into the index.
func (d *dir) settle(at int) {
	mask := uint32(len(d.slots) - 1)
	s := d.entries[at].hash & mask
	for d.slots[s] != 0 {
		s = (s + 1) & mask
	}
	d.slots[s] = uint32(at + 1)
}

// unsettle takes an entry out of the index, and moves up what stood behind it
// because its place was taken.
func (d *dir) unsettle(slot int) {
	mask := uint32(len(d.slots) - 1)
	free := uint32(slot)
	for s := (free + 1) & mask; d.slots[s] != 0; s = (s + 1) & mask {
		home := d.entries[d.slots[s]-1].hash & mask
		if (s-home)&mask >= (s-free)&mask {
			d.slots[free] = d.slots[s]
			free = s
		}
	}
	d.slots[free] = 0
}

// index builds the hash table anew.
func (d *dir) index(f folder) {
	if len(d.entries) <= smallDir {
		d.slots = nil
		return
	}
	fresh := d.slots == nil
	if size := 1 << bits.Len(uint(2*cap(d.entries)-1)); len(d.slots) != size {
		d.slots = make([]uint32, size)
	} else {
		clear(d.slots)
	}
	for i := range d.entries {
		if e := &d.entries[i]; e.node != nil {
			if fresh || e.hash == 0 {
				e.hash = f.hash(e.name)
			}
			d.settle(i)
		}
	}
}

// renumber starts the positions again, after four thousand million names.
func (d *dir) renumber() {
	for i := range d.entries {
		d.entries[i].seq = uint32(i + 1)
	}
	d.next = uint32(len(d.entries))
}

func (e dirent) compare(seq uint32) int {
	switch {
	case e.seq < seq:
		return -1
	case e.seq > seq:
		return 1
	}
	return 0
}

// removeAt takes an entry out, leaving a hole that is closed when there are
// more holes than entries.
func (d *dir) removeAt(f folder, i int) {
	if d.slots != nil {
		_, slot := d.probe(f, d.entries[i].name)
		d.unsettle(slot)
	}
	d.entries[i] = dirent{seq: d.entries[i].seq}
	d.live--
	n := len(d.entries)
	for n > 0 && d.entries[n-1].node == nil {
		n--
	}
	d.entries = d.entries[:n]
	if n > 4*smallDir && d.live < n/2 {
		d.entries = slices.DeleteFunc(d.entries, func(e dirent) bool { return e.node == nil })
		d.index(f)
	}
}

// from gives the entries after a position of the directory stream.
func (d *dir) from(seq uint32) []dirent {
	i, found := slices.BinarySearchFunc(d.entries, seq, dirent.compare)
	if found {
		i++
	}
	return d.entries[i:]
}
