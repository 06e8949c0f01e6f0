package attack

import (
	"maps"
	"path"
	"strings"

	"github.com/tmpproof/tmpproof/internal/supervise"
)

// removalLooks are the calls with which the removals of a run begin: python's rmtree,
// rm -r and others look at a name, or list a directory, right before they
// remove it. Where such a call fails, the removal was tried and has failed.
type removalLooks struct {
	sites  map[string]bool // key.site of each
	shapes map[string]bool // the call and the name alone
}

func (l removalLooks) add(k key) {
	l.sites[k.site()] = true
	l.shapes[k.call+" "+k.shape] = true
}

// looksOf finds the calls of a run that belong to a removal: a look at what is
// then removed, with nothing between the two but looks, closes and removals.
func looksOf(r *run) removalLooks {
	l := removalLooks{sites: map[string]bool{}, shapes: map[string]bool{}}
	opened := map[string]bool{} // directories that a removal has opened
	for i, s := range r.steps {
		name := s.topic()
		switch {
		case name == "" || !s.looks():
		case len(s.lookups) == 0: // on a descriptor: whose it is, its opening says
			if opened[name] {
				l.add(s.key)
			}
		case r.removedNext(i, name):
			l.add(s.key)
			opened[name] = s.kind == supervise.Open || opened[name]
		case s.kind == supervise.Open:
			opened[name] = false
		}
	}
	return l
}

// topic is the name that a call is about: where its path leads, or that of its
// descriptor.
func (s *step) topic() string {
	for _, l := range s.lookups {
		if a, ok := l.final(); ok {
			return a.path()
		}
	}
	return s.object
}

// looks reports whether a call only looks at something, as a removal does: at a
// name, or at what is in a directory. To open a file and to read it is work.
func (s *step) looks() bool {
	switch s.kind {
	case supervise.Check, supervise.Chdir:
		return true
	case supervise.Read:
		return strings.HasPrefix(s.call, "getdents") || strings.HasPrefix(s.call, "readlink")
	case supervise.Open:
		if s.create || s.write || s.tmpfile || len(s.lookups) == 0 {
			return false
		}
		a, ok := s.lookups[0].final()
		return ok && a.node.isDir()
	case supervise.Control: // readdir(3) goes back to where it has read to
		return s.call == "lseek" && s.fd.kind == "directory"
	}
	return false
}

// removedNext reports whether name, at which step i looks, is removed by what
// follows, or holds what is. A directory that is opened once more before it is
// removed was opened the first time for something else.
func (r *run) removedNext(i int, name string) bool {
	for _, s := range r.steps[i+1:] {
		about := s.topic()
		switch {
		case s.kind == supervise.Unlink || s.kind == supervise.Rmdir:
			if about == name {
				return true
			}
		case s.kind == supervise.Close, s.point:
		case s.kind == supervise.Open && s.looks():
			if about == name && r.steps[i].kind == supervise.Open {
				return false
			}
		case s.looks():
		case s.kind == supervise.Attr && under(about, name): // so that it can be removed
		default:
			return false
		}
	}
	return false
}

// begins reports whether a call that failed was the beginning of a removal. That
// of the schedule is known by its line; on the way out after it, the same
// removal can stand in another line.
func (l removalLooks) begins(s *step, planned bool) bool {
	if planned {
		return l.sites[s.key.site()]
	}
	return l.shapes[s.key.call+" "+s.key.shape]
}

// and joins those of two ways through the code.
func (l removalLooks) and(other removalLooks) removalLooks {
	maps.Copy(l.sites, other.sites)
	maps.Copy(l.shapes, other.shapes)
	return l
}

// passingOf gives the targets that a run has made and removed again under a name
// that is always the same: a lock file, a socket.
func passingOf(r *run) map[string]bool {
	passing := map[string]bool{}
	for i, s := range r.steps {
		if _, name := s.ends(); r.creates(i) && r.plan.isTarget(name) && r.plan.names.shape(name) == name {
			passing[name] = true
		}
		if s.kind == supervise.Rename {
			from, _ := s.ends()
			delete(passing, from)
		}
	}
	for _, t := range r.left {
		for _, e := range t.entries {
			delete(passing, path.Join(dirShared, e.rel))
		}
	}
	return passing
}
