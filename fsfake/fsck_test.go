package fsfake

import (
	"fmt"
	"math/bits"
)

// Check looks for inconsistencies in a disk that nobody uses at the moment:
// link counts, sizes of directories, parents, indexes, counts in use.
func (d *Disk) Check() error {
	defer d.alone()()
	seen := map[*node]uint32{}
	var pages, inodes int64
	var visit func(n, parent *node) error
	visit = func(n, parent *node) error {
		a := n.attr.Load()
		if !n.isDir() {
			seen[n]++
			inodes++
			if seen[n] == 1 {
				pages += int64(a.pages)
				if n.typ == typeReg && int64(a.pages) != n.data.pages() {
					return fmt.Errorf("inode %d counts %d pages and has %d", a.ino, a.pages, n.data.pages())
				}
			}
			return nil
		}
		if seen[n]++; seen[n] > 1 {
			return fmt.Errorf("directory %d has two names", a.ino)
		}
		inodes++
		if n.dir.parent != parent {
			return fmt.Errorf("directory %d has a wrong parent", a.ino)
		}
		if n.dir.dead || n.dir.mode != a.mode || n.dir.uid != a.uid || n.dir.gid != a.gid {
			return fmt.Errorf("directory %d: mode %o does not fit its attributes", a.ino, n.dir.mode)
		}
		live, subdirs, last := 0, uint32(0), uint32(0)
		for i, e := range n.dir.entries {
			if e.seq <= last {
				return fmt.Errorf("directory %d: entry %d is out of order", a.ino, i)
			}
			last = e.seq
			if e.node == nil {
				continue
			}
			live++
			if e.node.isDir() {
				subdirs++
			}
			if n.dir.find(d.conf().fold, e.name) != i {
				return fmt.Errorf("directory %d: %q is not found", a.ino, e.name)
			}
			if err := visit(e.node, n); err != nil {
				return err
			}
		}
		switch {
		case live != n.dir.live:
			return fmt.Errorf("directory %d has %d entries and counts %d", a.ino, live, n.dir.live)
		case a.nlink != 2+subdirs:
			return fmt.Errorf("directory %d has %d links, not %d", a.ino, a.nlink, 2+subdirs)
		case a.size != int64(2+live)*entrySize:
			return fmt.Errorf("directory %d has size %d, not %d", a.ino, a.size, (2+live)*entrySize)
		}
		return nil
	}
	if err := visit(d.root, d.root); err != nil {
		return err
	}
	for n, names := range seen {
		if a := n.attr.Load(); !n.isDir() && a.nlink != names {
			return fmt.Errorf("inode %d has %d names and %d links", a.ino, names, a.nlink)
		}
	}
	u := &d.usage
	if got := u.pages.Load() - u.orphanPages.Load(); got != pages {
		return fmt.Errorf("%d pages in use, %d counted", pages, got)
	}
	if got := u.inodes.Load() - u.orphanInodes.Load(); got != inodes {
		return fmt.Errorf("%d inodes in use, %d counted", inodes, got)
	}
	return nil
}

// pages counts the pages in use.
func (f *fileData) pages() int64 {
	n := bits.OnesCount16(f.first.pages)
	if f.more != nil {
		for _, c := range f.more.table {
			n += bits.OnesCount16(c.pages)
		}
		for _, c := range f.more.sparse {
			n += bits.OnesCount16(c.pages)
		}
	}
	return int64(n)
}
