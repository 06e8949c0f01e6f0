package fsfake

import "strings"

// Lookup is one name that a path is resolved through: an entry of a directory.
type Lookup struct {
	Dir  string    // the directory, from the root of the disk and without symbolic links
	Name string    //
	Info *FileInfo // what has the name; nil: nothing has it
	Last bool      // it ends the path, or the text of a link with which the path ends
}

// Lookups tells which names the resolution of a path goes through, in the order
// in which the kernel looks them up. The last one is what an operation on the
// path is about, the link itself if follow is not set. dir is the open directory
// where the path begins, nil for the root of the view; an absolute path begins
// at the root in any case.
//
// It is for hooks, which so learn what an operation is about to meet. It is no
// operation itself: no hook sees it, no time is set, and permissions are not
// looked at. Where the way ends early the list does.
func (v *FS) Lookups(dir *File, path string, follow bool) []Lookup {
	d := v.disk
	defer d.mu.RUnlock(d.mu.RLock())
	l := lister{v: v, at: v.root, steps: make([]Lookup, 0, 4)}
	if dir != nil {
		l.at = dir.node
	}
	if !l.at.isDir() {
		return nil
	}
	l.path = pathOf(d.root, l.at)
	l.walk(local(path), follow, true)
	return l.steps
}

type lister struct {
	v     *FS
	at    *node  // where the walk stands
	path  string // its name
	links int
	steps []Lookup
}

// walk goes along a path, and reports whether it came to its end, at a
// directory. last says that the path's end is the end of the whole.
func (l *lister) walk(path string, follow, last bool) bool {
	if strings.HasPrefix(path, "/") && !l.v.beneath {
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
		n := l.step(name, last && path == "")
		switch {
		case n == nil:
			return false
		case n.isLink() && (path != "" || slash || follow):
			if l.links++; l.links > maxLinks || l.v.beneath && strings.HasPrefix(n.target, "/") {
				return false
			}
			if !l.walk(n.target, follow || path != "" || slash, last && path == "") {
				return false
			}
		case n.isDir():
			l.path, l.at = join(l.path, name), n
		default:
			return false
		}
	}
	return true
}

// step looks one name up.
func (l *lister) step(name string, last bool) *node {
	l.at.mu.RLock()
	n := l.at.dir.get(l.v.disk.conf.fold, name)
	l.at.mu.RUnlock()
	s := Lookup{Dir: l.path, Name: name, Last: last}
	if n != nil {
		s.Info = &FileInfo{name, n.stat()}
	}
	l.steps = append(l.steps, s)
	return n
}

func join(dir, name string) string {
	if dir == "/" {
		return dir + name
	}
	return dir + "/" + name
}
