//go:build amd64 || arm64

package main

import (
	"strings"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// nest is a directory that the tests made. What is made in it goes with it: the
// report names the directory alone, so that who made which of its files is not
// looked for. That is most of what tests do with files. A file that is moved
// out has the line of the move. Nests have the names that the tests used, links
// in them not resolved.
type nest struct {
	by     *maker
	judged bool // since something was made in it
	quiet  bool // no rule of creation is about what is made here
}

// mostNests bounds the directories that are known to be nests.
const mostNests = 20_000

// inNest says that a call makes a name in a nest, and need not be looked at.
func (w *watch) inNest(ev *supervise.Event, name string) bool {
	at := parentOf(name)
	n := w.nests[at]
	if n == nil {
		return false
	}
	if !n.judged {
		w.measure(at, n)
	}
	if !n.quiet {
		return false
	}
	switch ev.Kind {
	case supervise.Open:
		if ev.Paths[len(ev.Paths)-1].Follow && isLink(name) {
			return false // leads elsewhere
		}
	case supervise.Mkdir:
		m := w.maker(ev)
		w.nest(name, &m)
	case supervise.Rename:
		old, plain := w.given(ev, ev.Paths[0])
		if !plain {
			var err error
			if old, _, err = w.find(ev, ev.Paths[0]); err != nil || old == "" {
				return false
			}
		}
		w.moveNests(old, name)
	default:
		delete(w.nests, name) // a link may be there now
	}
	return true
}

func isLink(name string) bool {
	var st unix.Stat_t
	return unix.Lstat(name, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK
}

// nest notes a directory that is being made.
func (w *watch) nest(name string, by *maker) {
	if w.before[name] || w.cfg.ignored(name) || w.own.asked(name) || w.own.cached(name) {
		return // what is in it is looked at by itself
	}
	if len(w.nests) >= mostNests {
		clear(w.nests)
	}
	w.nests[name] = &nest{by: by}
}

// measure finds out whether others can come to a nest. A later chmod is not
// seen.
func (w *watch) measure(name string, n *nest) {
	n.judged = true
	var st unix.Stat_t
	if unix.Lstat(name, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return
	}
	n.quiet = st.Mode&0o001 == 0 || !w.places.of(name).shared
}

// moveNests follows a directory that is being renamed, and forgets what had the
// new name.
func (w *watch) moveNests(old, name string) {
	if w.nests[old] == nil && w.nests[name] == nil && w.nests[parentOf(old)] != nil {
		return // a file: a directory there would be a nest
	}
	moved := map[string]*nest{}
	for at, n := range w.nests {
		switch {
		case at == old || strings.HasPrefix(at, old+"/"):
			moved[name+at[len(old):]] = n
			delete(w.nests, at)
		case at == name || strings.HasPrefix(at, name+"/"):
			delete(w.nests, at)
		}
	}
	for at, n := range moved {
		w.nests[at] = &nest{by: n.by} // others may come to its new place
	}
}

// parentOf is the name of the directory that a name is in.
func parentOf(name string) string { return name[:max(0, strings.LastIndexByte(name, '/'))] }
