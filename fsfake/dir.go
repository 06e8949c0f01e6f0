package fsfake

import "slices"

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
	seq  uint64
}

// dir is what a directory has beside its attributes. The guarded fields are
// entries, index, live and next (by the node's mu); the others change only
// while Disk.mu is held for writing, and are read on every walk.
type dir struct {
	entries []dirent // in order of seq
	index   map[string]int32
	live    int
	next    uint64

	parent         *node
	mode, uid, gid uint32 // as in attr
	dead           bool   // removed
	mount          bool   // the root of a mounted volume
}

// find gives the position of a name, -1 if it is not there. key is the name as
// the disk compares names.
func (d *dir) find(fold func(string) string, name string) int {
	if fold != nil {
		name = fold(name)
	}
	if d.index != nil {
		if i, ok := d.index[name]; ok {
			return int(i)
		}
		return -1
	}
	for i := range d.entries {
		e := &d.entries[i]
		if e.node == nil {
			continue
		}
		if e.name == name || fold != nil && fold(e.name) == name {
			return i
		}
	}
	return -1
}

// get gives the inode of a name, nil if there is none.
func (d *dir) get(fold func(string) string, name string) *node {
	if i := d.find(fold, name); i >= 0 {
		return d.entries[i].node
	}
	return nil
}

// insert adds a name that is not there. seq 0 means at the end.
func (d *dir) insert(fold func(string) string, name string, n *node, seq uint64) {
	at := len(d.entries)
	if seq == 0 {
		d.next++
		seq = d.next
	} else {
		at, _ = slices.BinarySearchFunc(d.entries, seq, dirent.compare)
	}
	d.live++
	e := dirent{name, n, seq}
	switch {
	case at < len(d.entries) && d.entries[at].node == nil && d.entries[at].seq == seq:
		d.entries[at] = e
	case at < len(d.entries):
		d.entries = slices.Insert(d.entries, at, e)
		d.reindex(fold)
		return
	default:
		d.entries = append(d.entries, e)
	}
	if d.index != nil {
		d.index[key(fold, name)] = int32(at)
	} else if len(d.entries) > smallDir {
		d.reindex(fold)
	}
}

func (e dirent) compare(seq uint64) int {
	switch {
	case e.seq < seq:
		return -1
	case e.seq > seq:
		return 1
	}
	return 0
}

func key(fold func(string) string, name string) string {
	if fold == nil {
		return name
	}
	return fold(name)
}

// removeAt takes an entry out, leaving a hole that is closed when there are
// more holes than entries.
func (d *dir) removeAt(fold func(string) string, i int) {
	if d.index != nil {
		delete(d.index, key(fold, d.entries[i].name))
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
		d.reindex(fold)
	}
}

func (d *dir) reindex(fold func(string) string) {
	if len(d.entries) <= smallDir {
		d.index = nil
		return
	}
	if d.index == nil {
		d.index = make(map[string]int32, 2*len(d.entries))
	}
	clear(d.index)
	for i := range d.entries {
		if d.entries[i].node != nil {
			d.index[key(fold, d.entries[i].name)] = int32(i)
		}
	}
}

// from gives the entries after a position of the directory stream.
func (d *dir) from(seq uint64) []dirent {
	i, found := slices.BinarySearchFunc(d.entries, seq, dirent.compare)
	if found {
		i++
	}
	return d.entries[i:]
}
