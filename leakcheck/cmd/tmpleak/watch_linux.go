//go:build amd64 || arm64

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tmpproof/tmpproof/internal/supervise"
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
	tests  testNames
	forked map[int]bool // processes that have started others
	swept  int          // calls when made was last swept

	launched bool
}

// made is a name that appeared.
type made struct {
	by *maker
	at int // the call's number
}

// proc is a process of the tree.
type proc struct {
	start     maker  // what started it
	elsewhere string // why its names are not ours: "" when they are
}

func newWatch(cfg *config) *watch {
	w := &watch{cfg: cfg, own: newArtefacts(cfg), lines: newSources(cfg.program), began: time.Now(), before: map[string]bool{}, made: map[string]*made{},
		nests: map[string]*nest{}, places: newPlaces(), absent: map[string]*maker{}, broken: map[brokenKey]*brokenRule{}, missed: map[string]int{}, procs: map[int]*proc{}, forked: map[int]bool{}}
	w.tests.same = w.lines.version == runtimeVersion
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
			p.elsewhere = elsewhere(ev.TID)
		}
		w.procs[ev.PID] = p
	}
	return p
}

var ownMounts = func() string { s, _ := os.Readlink("/proc/self/ns/mnt"); return s }()

// elsewhere says why the names that a thread uses mean other files for us.
func elsewhere(tid int) string {
	dir := "/proc/" + strconv.Itoa(tid)
	if root, err := os.Readlink(dir + "/root"); err == nil && root != "/" {
		return "in a root directory of its own"
	}
	if ns, err := os.Readlink(dir + "/ns/mnt"); err == nil && ns != ownMounts {
		return "in a mount namespace of its own"
	}
	return ""
}

func (w *watch) executes(ev *supervise.Event) {
	if !w.launched {
		w.launched = true // the launcher, which becomes the test binary
		return
	}
	p := w.process(ev)
	if ev.PID != w.tree.PID() {
		p.elsewhere = elsewhere(ev.TID)
	}
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
	p := w.process(ev)
	if p.elsewhere != "" {
		w.missed["names that a process made "+p.elsewhere]++
		return
	}
	path := ev.Paths[len(ev.Paths)-1]
	name, err := ev.Abs(path)
	if err != nil {
		if path.Err == nil {
			w.missed["names "+err.Error()]++
		}
		return
	}
	if strings.HasPrefix(name, "/proc/") {
		return
	}
	given := strings.TrimRight(name, "/")
	if w.inNest(ev, given) {
		return
	}
	name = resolved(given)
	var st unix.Stat_t
	switch err := unix.Lstat(name, &st); {
	case err == nil && ev.Kind == supervise.Rename:
		w.renames(ev, given, name, true)
		return
	case err == nil && ev.Kind == supervise.Open && st.Mode&unix.S_IFMT == unix.S_IFLNK && path.Follow:
		if name = dangling(name); name == "" {
			return // leads to a file that is there
		}
		name = resolved(name)
	case err == nil:
		return // it is there: nothing new, or EEXIST
	case err != unix.ENOENT:
		return // it fails for the tests too
	}
	if ev.Kind == supervise.Rename {
		w.renames(ev, given, name, false)
		return
	}
	m := w.maker(ev)
	w.note(name, &m)
	w.judge(ev, name, &m)
	if delete(w.nests, given); ev.Kind == supervise.Mkdir && !w.before[name] {
		w.nest(given, &m)
	}
}

// resolved is the name without links in its directory: they may be gone when the
// tests have ended.
func resolved(name string) string {
	fd, err := unix.Open(parentOf(name)+"/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return name
	}
	defer unix.Close(fd)
	dir, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil || !filepath.IsAbs(dir) {
		return name
	}
	return strings.TrimSuffix(dir, "/") + name[strings.LastIndexByte(name, '/'):]
}

// dangling is where a symbolic link leads, if that is not there.
func dangling(name string) string {
	var st unix.Stat_t
	if unix.Stat(name, &st) != unix.ENOENT {
		return ""
	}
	for range 40 {
		to, err := os.Readlink(name)
		if err != nil {
			return name
		}
		if !filepath.IsAbs(to) {
			to = filepath.Dir(name) + "/" + to
		}
		name = to
	}
	return ""
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
	old, err := ev.Abs(ev.Paths[0])
	if err != nil {
		return
	}
	givenOld := strings.TrimRight(old, "/")
	old = resolved(givenOld)
	var st unix.Stat_t
	if unix.Lstat(old, &st) != nil {
		return
	}
	n := w.nests[givenOld]
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		w.moveNests(givenOld, given)
	} else {
		delete(w.nests, given)
	}
	if there && w.made[name] == nil {
		return // it replaces what was there
	}
	if m := w.made[old]; m != nil {
		w.note(name, m.by)
	} else if n != nil {
		w.note(name, n.by)
	} else {
		m := w.maker(ev)
		w.note(name, &m)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
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

// checks notes that a name was looked for and is not there.
func (w *watch) checks(ev *supervise.Event) {
	if len(ev.Paths) == 0 || ev.Paths[0].Null {
		return
	}
	name, err := ev.Abs(ev.Paths[0])
	if err != nil || !w.places.of(filepath.Dir(name)).writable {
		return
	}
	var st unix.Stat_t
	if unix.Lstat(name, &st) == unix.ENOENT && w.absent[name] == nil {
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
