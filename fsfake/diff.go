package fsfake

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Change is one difference between two states of a disk.
type Change struct {
	Path   string // from the root of the disk
	What   string // "added", "removed", or what differs: "mode", "owner", "content", "times", ...
	Before string
	After  string
}

// String is one line: "+ path detail", "- path detail" or "~ path what: before -> after".
func (c Change) String() string {
	switch c.What {
	case "added":
		return fmt.Sprintf("+ %q %s", c.Path, c.After)
	case "removed":
		return fmt.Sprintf("- %q %s", c.Path, c.Before)
	}
	return fmt.Sprintf("~ %q %s: %s -> %s", c.Path, c.What, c.Before, c.After)
}

// Diff lists what has changed on the disk since the snapshot, sorted by path.
// It walks the tree, as long as no operation may change it. Access times and
// what a change of entries does to a directory (size, times) are left out.
func (s *Snapshot) Diff() []Change {
	d := s.disk
	defer d.alone()()
	old := s.state()
	var list []Change
	diffDir(&list, "", old, d.root)
	slices.SortStableFunc(list, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// past is what a snapshot has of the inodes that have changed since.
type past struct {
	attrs   map[*node]*attr
	data    map[*node]*fileData
	entries map[*node]map[string]*node // nil: there was no such name
}

// state collects the changes from the disk back to the snapshot; what is nearer
// to the snapshot comes last and counts.
func (s *Snapshot) state() *past {
	p := &past{map[*node]*attr{}, map[*node]*fileData{}, map[*node]map[string]*node{}}
	var way []*version
	for v := s.v; v != nil; v = v.next {
		way = append(way, v)
	}
	for _, v := range slices.Backward(way) {
		for i := range slices.Backward(v.changes) {
			c := &v.changes[i]
			switch c.kind {
			case changedAttr:
				p.attrs[c.node] = c.attr
			case changedData:
				p.data[c.node] = c.data
			case changedEntry:
				if p.entries[c.node] == nil {
					p.entries[c.node] = map[string]*node{}
				}
				p.entries[c.node][c.name] = c.child
			}
		}
	}
	return p
}

func (p *past) attr(n *node) *attr {
	if a := p.attrs[n]; a != nil {
		return a
	}
	return n.attr.Load()
}

// names gives the entries of a directory as they were.
func (p *past) names(n *node) map[string]*node {
	m := now(n)
	for name, child := range p.entries[n] {
		if child == nil {
			delete(m, name)
		} else {
			m[name] = child
		}
	}
	return m
}

func now(n *node) map[string]*node {
	m := make(map[string]*node, n.dir.live)
	for _, e := range n.dir.entries {
		if e.node != nil {
			m[e.name] = e.node
		}
	}
	return m
}

func diffDir(list *[]Change, path string, p *past, n *node) {
	before, after := p.names(n), now(n)
	diffNode(list, path+"/", p, n)
	for name, o := range before {
		full := path + "/" + name
		switch a := after[name]; {
		case a == nil:
			*list = append(*list, Change{full, "removed", summary(p.attr(o), o), ""})
		case a != o:
			*list = append(*list, Change{full, "replaced", summary(p.attr(o), o), summary(a.attr.Load(), a)})
		case a.isDir():
			diffDir(list, full, p, a)
		default:
			diffNode(list, full, p, a)
		}
	}
	for name, a := range after {
		if before[name] == nil {
			addTree(list, path+"/"+name, a)
		}
	}
}

func addTree(list *[]Change, path string, n *node) {
	*list = append(*list, Change{path, "added", "", summary(n.attr.Load(), n)})
	if n.isDir() {
		for name, c := range now(n) {
			addTree(list, path+"/"+name, c)
		}
	}
}

// summary describes an inode in a few words.
func summary(a *attr, n *node) string {
	s := fmt.Sprintf("%s %d:%d", fileMode(a.mode), a.uid, a.gid)
	switch {
	case n.isLink():
		s += " -> " + fmt.Sprintf("%q", n.target())
	case n.typ == typeReg:
		s += fmt.Sprintf(" %d bytes", a.size)
	}
	return s
}

// diffNode compares an inode with what it was.
func diffNode(list *[]Change, path string, p *past, n *node) {
	old, a := p.attr(n), n.attr.Load()
	add := func(what string, before, after any) {
		*list = append(*list, Change{path, what, fmt.Sprint(before), fmt.Sprint(after)})
	}
	if old.mode != a.mode {
		add("mode", fileMode(old.mode), fileMode(a.mode))
	}
	if old.uid != a.uid || old.gid != a.gid {
		add("owner", fmt.Sprintf("%d:%d", old.uid, old.gid), fmt.Sprintf("%d:%d", a.uid, a.gid))
	}
	if n.isDir() {
		return
	}
	if old.nlink != a.nlink {
		add("links", old.nlink, a.nlink)
	}
	if old.size != a.size {
		add("size", old.size, a.size)
	} else if d := p.data[n]; d != nil && !sameData(d, &n.data, a.size) {
		add("content", "", "")
	}
	if old.stamp(mtime) != a.stamp(mtime) {
		add("mtime", old.stamp(mtime).time().UTC(), a.stamp(mtime).time().UTC())
	}
}

// sameData compares two contents of one size, without the holes of both.
func sameData(x, y *fileData, size int64) bool {
	one, two := make([]byte, chunkSize), make([]byte, chunkSize)
	for off := int64(0); off < size; {
		next := min(x.seekData(off, size, true), y.seekData(off, size, true))
		if a, b := x.seekData(off, size, true), y.seekData(off, size, true); a < 0 || b < 0 {
			next = max(a, b)
		}
		if next < 0 {
			return true
		}
		off = next
		n := min(size-off, chunkSize)
		x.read(one[:n], off)
		y.read(two[:n], off)
		if !bytes.Equal(one[:n], two[:n]) {
			return false
		}
		off += n
	}
	return true
}
