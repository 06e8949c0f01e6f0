//go:build amd64 || arm64

package main

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/internal/testname"
	"golang.org/x/sys/unix"
)

// watch follows one run of a test binary.
type watch struct {
	cfg    *config
	tree   *supervise.Tree
	own    *artefacts
	lines  *sources
	began  time.Time
	before map[string]bool // names that were there
	made   map[string]*made
	nests  map[string]*nest
	places *places
	absent map[string]*maker // names that were looked for and found absent, for C10
	broken map[brokenKey]*brokenRule
	missed map[string]int // what could not be followed
	calls  int
	procs  map[int]*proc
	tests  testname.Names
	forked map[int]bool // processes that have started others
	swept  int          // calls when made was last swept
	// A call may have changed what names mean to a process, or where something
	// is mounted.
	shifted bool

	launched bool
}

// made is a name that appeared.
type made struct {
	by *maker
	at int // the call's number
}

// proc is a process of the tree.
type proc struct {
	start maker // what started it
}

func newWatch(cfg *config) *watch {
	w := &watch{cfg: cfg, own: newArtefacts(cfg), lines: newSources(cfg.program), began: time.Now(), before: map[string]bool{}, made: map[string]*made{},
		nests: map[string]*nest{}, places: newPlaces(), absent: map[string]*maker{}, broken: map[brokenKey]*brokenRule{}, missed: map[string]int{}, procs: map[int]*proc{}, forked: map[int]bool{}}
	w.tests.Same = w.lines.version == runtimeVersion
	w.snapshot()
	return w
}

// mostBefore bounds the names that are noted before the tests begin.
const mostBefore = 20_000

// snapshot notes the names at the top of the temporary directory and in the
// package's directory.
func (w *watch) snapshot() {
	if f, err := os.Open(os.TempDir()); err == nil {
		names, _ := f.Readdirnames(mostBefore)
		f.Close()
		for _, n := range names {
			w.before[filepath.Join(os.TempDir(), n)] = true
		}
	}
	cwd, err := os.Getwd()
	if err != nil || cwd == os.TempDir() || cwd == "/" {
		return
	}
	n := 0
	_ = filepath.WalkDir(cwd, func(name string, _ os.DirEntry, err error) error {
		if n++; n > mostBefore {
			return filepath.SkipAll
		}
		w.before[name] = true
		return nil
	})
}

// at looks at one stopped call.
func (w *watch) at(ev *supervise.Event) {
	if ev.Type != supervise.Call || ev.Repeat {
		return
	}
	if ev.Opaque != "" {
		w.missed[ev.Opaque]++
	}
	w.shifted = w.shifted || ev.Rebases()
	switch {
	case ev.Kind == supervise.Exec:
		w.executes(ev)
	case ev.Creates():
		w.calls++
		w.creates(ev)
	case ev.Kind == supervise.Check:
		w.checks(ev)
	case ev.Forks():
		w.process(ev)
		w.forked[ev.PID] = true
	}
}

// process is what is known of the process that made a call.
func (w *watch) process(ev *supervise.Event) *proc {
	p := w.procs[ev.PID]
	if p == nil {
		p = &proc{}
		if ev.PID != w.tree.PID() {
			if up := w.procs[supervise.Parent(ev.PID)]; up != nil {
				p.start = up.start
			}
		}
		w.procs[ev.PID] = p
	}
	return p
}

func (w *watch) executes(ev *supervise.Event) {
	if !w.launched {
		w.launched = true // the launcher, which becomes the test binary
		return
	}
	p := w.process(ev)
	if m := w.maker(ev); m.via == "" || p.start.empty() {
		// A shell's programs have the line that started the shell.
		c := *p
		c.start = m
		w.procs[ev.PID] = &c
	}
	if len(ev.Paths) == 0 || os.Geteuid() == 0 {
		return
	}
	name, err := ev.Abs(ev.Paths[0])
	var st unix.Stat_t
	if err == nil && unix.Stat(name, &st) == nil && st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 && int(st.Uid) != os.Geteuid() {
		w.missed["the set-uid program "+name+" ran without its privilege (no_new_privs)"]++
	}
}

// creates looks at a call that may make a name, before it does.
func (w *watch) creates(ev *supervise.Event) {
	const tmpfile = unix.O_TMPFILE &^ unix.O_DIRECTORY
	if len(ev.Paths) == 0 || ev.Kind == supervise.Open && ev.Flags&tmpfile != 0 {
		return // a socket without a name, a file without one
	}
	w.process(ev)
	path := ev.Paths[len(ev.Paths)-1]
	given, plain := w.given(ev, path)
	if plain && w.inNest(ev, given) {
		return
	}
	name, there, err := w.find(ev, path)
	switch {
	case err != nil:
		w.missed["names "+err.Error()]++
		return
	case name == "" || strings.HasPrefix(name, "/proc/"):
		return // it fails for the tests too
	case !plain:
		if given = name; w.inNest(ev, given) {
			return
		}
	}
	if ev.Kind == supervise.Rename {
		w.renames(ev, given, name, there != nil)
		return
	}
	if there != nil {
		return // nothing new, or EEXIST
	}
	m := w.maker(ev)
	w.note(name, &m)
	w.judge(ev, name, &m)
	if delete(w.nests, given); ev.Kind == supervise.Mkdir && !w.before[name] {
		w.nest(given, &m)
	}
}

func (w *watch) note(name string, m *maker) {
	w.made[name] = &made{m, w.calls}
	w.places.changed(name)
	const most = 20_000
	if len(w.made) > most && w.calls-w.swept > most {
		w.sweep()
	}
}

// sweep forgets names that have gone again. The latest are left: their calls
// may not have been carried out yet.
func (w *watch) sweep() {
	w.swept = w.calls
	var st unix.Stat_t
	for name, m := range w.made {
		if w.calls-m.at > 1000 && unix.Lstat(name, &st) == unix.ENOENT {
			delete(w.made, name)
		}
	}
}

// renames gives what is known of the old name, and of all below, to the new
// one. The call may fail: the old name keeps what is known of it.
func (w *watch) renames(ev *supervise.Event, given, name string, there bool) {
	old, what, err := w.find(ev, ev.Paths[0])
	if err != nil || what == nil {
		return
	}
	givenOld, plain := w.given(ev, ev.Paths[0])
	if !plain {
		givenOld = old
	}
	n := w.nests[givenOld]
	if what.IsDir() {
		w.moveNests(givenOld, given)
	} else {
		delete(w.nests, given)
	}
	if there && w.made[name] == nil {
		return // it replaces what was there
	}
	if by := w.makerOf(old, n); by != nil {
		m := *by
		if at := w.maker(ev).where; at != m.where {
			m.renamed = at
		}
		w.note(name, &m)
	} else {
		m := w.maker(ev)
		w.note(name, &m)
	}
	if !what.IsDir() {
		return
	}
	moved := map[string]*maker{}
	for from, m := range w.made {
		if rest, ok := strings.CutPrefix(from, old+"/"); ok {
			moved[name+"/"+rest] = m.by
		}
	}
	for n, m := range moved {
		w.note(n, m)
	}
}

// makerOf is who made a name, nil when that is not known.
func (w *watch) makerOf(name string, n *nest) *maker {
	if m := w.made[name]; m != nil {
		return m.by
	}
	if n != nil {
		return n.by
	}
	return nil
}

// checks notes that a name was looked for and is not there.
func (w *watch) checks(ev *supervise.Event) {
	if len(ev.Paths) == 0 || ev.Paths[0].Null {
		return
	}
	name, plain := w.given(ev, ev.Paths[0])
	var st unix.Stat_t
	if plain && (!w.places.of(filepath.Dir(name)).writable || unix.Lstat(name, &st) != unix.ENOENT) {
		return
	}
	if !plain {
		real, there, err := w.find(ev, ev.Paths[0])
		if name = real; err != nil || there != nil || name == "" || !w.places.of(filepath.Dir(name)).writable {
			return
		}
	}
	if w.absent[name] == nil {
		m := w.maker(ev)
		w.absent[name] = &m
	}
}

// birth is when a file was made, zero where its file system does not know.
func birth(name string) time.Time {
	var x unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, name, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BTIME, &x) != nil || x.Mask&unix.STATX_BTIME == 0 {
		return time.Time{}
	}
	return time.Unix(x.Btime.Sec, int64(x.Btime.Nsec))
}
