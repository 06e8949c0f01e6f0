package fsfake

import "strings"

// Lookup is one name that a path is resolved through: an entry of a directory.
type Lookup struct {
	Dir   string   // the directory, from the root of the disk and without symbolic links
	Name  string   //
	Found bool     // something has the name
	Info  FileInfo // what it is, if it was found
	Last  bool     // it ends the path, or the text of a link with which the path ends
	Rest  string   // what the path, and the text of the links on the way, has after it
}

// Lookups tells which names the resolution of a path goes through, in the order
// in which the kernel looks them up, and appends them to list. The last one is
// what an operation on the path is about, the link itself if follow is not set.
// dir is the open directory where the path begins, nil for the root of the view;
// an absolute path begins at the root in any case.
//
// It is for hooks, which so learn what an operation is about to meet. It is no
// operation itself: no hook sees it, no time is set, and permissions are not
// looked at. Where the way ends early the list does.
func (v *FS) Lookups(list []Lookup, dir *File, path string, follow bool) []Lookup {
	d := v.disk
	l := lister{v: v, at: v.root, steps: list}
	if dir != nil {
		l.at = dir.inode()
	}
	defer d.mu.RUnlock(d.mu.RLock())
	if l.at == nil || !l.at.isDir() {
		return list
	}
	path = local(path)
	if path == "" || path[0] != '/' {
		l.path = pathOf(d.root, l.at)
	} else if v.root == d.root {
		l.plain = path
	}
	l.walk(path, "", follow)
	return l.steps
}

// Peek is Lstat for who only looks on: no operation, and no hook sees it.
// It follows no link at the end of the name, and asks for no permission.
func (v *FS) Peek(name string) (fi FileInfo, found bool) {
	d := v.disk
	defer d.mu.RUnlock(d.mu.RLock())
	n := v.root
	for name != "" {
		first, rest, _ := strings.Cut(name, "/")
		if name = rest; first == "" || first == "." {
			continue
		}
		if !n.isDir() {
			return fi, false
		}
		n.lock()
		next := n.dir.get(d.conf().fold, first)
		n.unlock()
		if next == nil {
			return fi, false
		}
		n, fi.name = next, first
	}
	fi.a = n.stat()
	return fi, true
}

type lister struct {
	v     *FS
	at    *node  // where the walk stands
	path  string // its name
	plain string // the path itself, as long as its beginning is that name
	links int
	steps []Lookup
}

// walk goes along a path, and reports whether it came to its end, at a
// directory. then is what the whole has after the path.
func (l *lister) walk(path, then string, follow bool) bool {
	if path != "" && path[0] == '/' && !l.v.beneath {
		l.at, l.path = l.v.root, "/"
		if l.v.root != l.v.disk.root {
			l.path = pathOf(l.v.disk.root, l.v.root)
		}
	}
	for path != "" {
		path = strings.TrimLeft(path, "/")
		name, rest, slash := strings.Cut(path, "/")
		path = strings.TrimLeft(rest, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			if l.at != l.v.root {
				l.at = l.at.dir.parent
				l.path = pathOf(l.v.disk.root, l.at)
			} else if l.v.beneath {
				return false
			}
			continue
		}
		rest = path
		if then != "" {
			rest += "/" + then
		}
		n := l.step(name, rest)
		switch {
		case n == nil:
			return false
		case n.isLink() && (path != "" || slash || follow):
			if l.links++; l.links > maxLinks || l.v.beneath && n.target()[0] == '/' {
				return false
			}
			if !l.walk(n.target(), rest, follow || path != "" || slash) {
				return false
			}
		case n.isDir():
			l.path, l.at = l.join(name), n
		default:
			return false
		}
	}
	return true
}

// step looks one name up.
func (l *lister) step(name, rest string) *node {
	l.at.lock()
	n := l.at.dir.get(l.v.disk.conf().fold, name)
	l.at.unlock()
	s := Lookup{Dir: l.path, Name: name, Last: rest == "", Rest: rest}
	if n != nil {
		s.Found, s.Info = true, FileInfo{name, n.stat()}
	}
	l.steps = append(l.steps, s)
	return n
}

// join is the name of an entry of the directory where the walk stands. The
// beginning of a plain path needs no memory of its own.
func (l *lister) join(name string) string {
	at := len(l.path)
	if l.path == "/" {
		at = 0
	}
	if end := at + 1 + len(name); end <= len(l.plain) && l.plain[:at] == l.path[:at] && l.plain[at] == '/' && l.plain[at+1:end] == name {
		return l.plain[:end]
	}
	return l.path[:at] + "/" + name
}
