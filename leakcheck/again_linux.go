package leakcheck

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tmpproof/tmpproof/internal/leftover"
	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/internal/testname"
	"golang.org/x/sys/unix"
)

// opHeld is the child's message that its test is over, with what it holds.
const opHeld = supervise.OpUser

// origin is the call that made a name.
type origin struct {
	chain   string
	renamed string // where it got the name, if not there
	via     string
	test    string // as testing names it, "" when not known
	call    string
	seq     int
	drawn   bool // os drew the name
}

// watcher follows one child.
type watcher struct {
	tree    *supervise.Tree
	root    string
	pkg     string
	origins map[string]origin // by absolute path
	unnamed map[string]origin // O_TMPFILE, by directory
	started map[int]origin    // programs, by process
	hidden  map[string]bool   // names that are there, and are to be made as if they were not
	tests   testname.Names
	calls   int
	held    []*leak
	answers bool // the test has come to its end
}

// supervised runs a test again under a supervisor that stops each call that makes a name.
func (s *session) supervised(test string, linger time.Duration, open []*leak, deadline time.Time) (tr *trial, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The child's life hangs on this thread; the goroutine ends locked, so
		// that the thread ends with it.
		runtime.LockOSThread()
		tr, err = s.trial(test, linger, open, deadline)
	}()
	<-done
	return tr, err
}

func (s *session) trial(test string, linger time.Duration, open []*leak, deadline time.Time) (tr *trial, err error) {
	r, err := newRoot(filepath.Dir(s.root.path))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.remove()) }()
	cmd, out, err := rerun.Whole(test, time.Until(deadline).Round(time.Millisecond))
	if err != nil {
		return nil, err
	}
	cmd.Env = append(append(cmd.Env, r.environ()...), lingerVariable+"="+linger.String())
	hidden, set := hiddenFor(s.pkg, open), supervise.Creates
	if len(hidden) > 0 {
		set = supervise.Names
	}
	tree, err := supervise.Start(cmd, set, deadline)
	if un := (*supervise.UnsupportedError)(nil); errors.As(err, &un) {
		return nil, &errUnsupported{un.Reason}
	}
	if errors.Is(err, supervise.ErrEarlyExit) {
		return nil, fmt.Errorf("the child ended (%v) before it came to leakcheck: call it first in TestMain, or in the test:\n%s", cmd.ProcessState, out)
	}
	if err != nil {
		return nil, err
	}
	w := &watcher{tree: tree, root: r.files, origins: map[string]origin{}, unnamed: map[string]origin{}, started: map[int]origin{}, hidden: hidden}
	w.tests.Same = tree.ReadOwn() == nil // or else the test is named, and not the subtest
	var before map[string]bool
	if s.pkg != nil {
		w.pkg, before = s.pkg.path, s.pkg.names()
	}
	err = errors.Join(w.follow(deadline), tree.Kill())
	tr = &trial{}
	if lost := (*lostError)(nil); errors.As(r.lost(), &lost) {
		return &trial{lost: true}, err
	}
	names, e := r.names()
	if err = errors.Join(err, e); err != nil {
		return nil, err
	}
	tr.left = append(entries(r.files, names, entry, s.opt), w.held...)
	for _, l := range tr.left {
		w.origin(l)
	}
	tr.made = w.inPackage(s.pkg, before)
	if !w.answers {
		return tr, cutShort(cmd, out)
	}
	return tr, nil
}

// follow lets the child run to its end.
func (w *watcher) follow(deadline time.Time) error {
	for {
		ev, err := w.tree.Next(earlier(deadline, 100*time.Millisecond))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if _, e := w.tree.Wait(time.Now()); e == nil {
				return nil // what it started goes on; it is known by now
			}
			if time.Now().Before(deadline) {
				continue
			}
			return errors.New("the child process did not end in time")
		}
		if err != nil {
			return err
		}
		switch {
		case ev.Type == supervise.Gone:
			return nil
		case ev.Type == supervise.Message:
			w.message(ev)
			continue
		case len(w.hidden) > 0 && !ev.Repeat && w.hide(ev):
			continue
		case ev.Kind == supervise.Exec:
			w.started[ev.PID] = w.where(ev)
		case ev.Creates() && !ev.Repeat:
			w.creates(ev)
		}
		w.tree.Continue(ev)
	}
}

func (w *watcher) message(ev *supervise.Event) {
	var list []heldJSON
	if ev.Op == opHeld && json.Unmarshal(ev.Data, &list) == nil {
		w.answers = true
		for _, h := range list {
			l := h.leak()
			if l.kind == process {
				o := w.startOf(l.pid)
				if o.chain == "" {
					o = only(w.started)
				}
				o.via, o.call = "", ""
				l.made(o)
			}
			w.held = append(w.held, l)
		}
	}
	w.tree.Answer(ev, 1)
}

// only is the one origin of all, none when they differ.
func only(m map[int]origin) (o origin) {
	for _, v := range m {
		if o.chain != "" && v.chain != o.chain {
			return origin{}
		}
		o = v
	}
	return o
}

// creates notes where a name comes from.
func (w *watcher) creates(ev *supervise.Event) {
	if len(ev.Paths) == 0 {
		return
	}
	p := ev.Paths[len(ev.Paths)-1]
	name := w.abs(ev.TID, p)
	if name == "" || !w.concerns(name) {
		return
	}
	const tmpfile = unix.O_TMPFILE &^ unix.O_DIRECTORY
	switch {
	case ev.Kind == supervise.Open && ev.Flags&tmpfile != 0:
		w.unnamed[name] = w.where(ev)
	case ev.Kind == supervise.Rename:
		w.renames(ev, name)
	case ev.Kind == supervise.Open && exists(name):
		if _, known := w.origins[name]; !known {
			w.origins[name] = w.where(ev)
		}
	default:
		w.origins[name] = w.where(ev)
	}
}

// renames moves what is known of the old name, and of all below, to the new.
func (w *watcher) renames(ev *supervise.Event, name string) {
	old := w.abs(ev.TID, ev.Paths[0])
	moved := map[string]origin{}
	at := w.where(ev)
	for from, o := range w.origins {
		if from == old {
			if o.chain != at.chain {
				o.renamed = at.chain
			}
			moved[name] = o
		} else if rel := below(old, from); rel != "" {
			moved[filepath.Join(name, rel)] = o
		}
	}
	if _, ok := moved[name]; !ok {
		moved[name] = at
	}
	for n, o := range moved {
		w.origins[n] = o
	}
}

// hiddenFor are names in the package's directory that appeared while the tests
// ran: a test that makes them only where they are missing would not make them
// again.
func hiddenFor(p *pkgDir, open []*leak) map[string]bool {
	hidden := map[string]bool{}
	for _, l := range open {
		if p != nil && l.kind == source {
			hidden[filepath.Join(p.path, filepath.FromSlash(l.name))] = true
		}
	}
	return hidden
}

// hide answers calls that name what is hidden, and is not touched: as if it were
// not there, until the test makes it.
func (w *watcher) hide(ev *supervise.Event) bool {
	for i, p := range ev.Paths {
		if p.Null {
			continue
		}
		name := w.abs(ev.TID, p)
		for h := range w.hidden {
			made := name == h && ev.Creates() && i == len(ev.Paths)-1
			switch {
			case made && ev.Kind == supervise.Mkdir && exists(name):
				w.origins[name] = w.where(ev)
				delete(w.hidden, h)
				w.tree.Answer(ev, 0)
				return true
			case made:
				delete(w.hidden, h)
				return false
			case name == h || below(h, name) != "":
				w.tree.Fail(ev, unix.ENOENT)
				return true
			}
		}
	}
	return false
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// concerns says that a name is in the root or in the package's directory.
func (w *watcher) concerns(name string) bool {
	return name == w.root || below(w.root, name) != "" || w.pkg != "" && below(w.pkg, name) != ""
}

// abs is the absolute form of a path argument, with the links of its directory
// resolved, "" when it cannot be known.
func (w *watcher) abs(tid int, p supervise.Path) string {
	if p.Err != nil {
		return ""
	}
	name := p.Raw
	if !filepath.IsAbs(name) {
		link := "/proc/" + strconv.Itoa(tid) + "/cwd"
		if p.Dir != unix.AT_FDCWD {
			link = "/proc/" + strconv.Itoa(tid) + "/fd/" + strconv.Itoa(p.Dir)
		}
		dir, err := os.Readlink(link)
		if err != nil {
			return ""
		}
		name = filepath.Join(dir, name)
	}
	name = filepath.Clean(name)
	if dir, err := filepath.EvalSymlinks(filepath.Dir(name)); err == nil {
		name = filepath.Join(dir, filepath.Base(name))
	}
	return name
}

// where is the Go line behind a stopped call.
func (w *watcher) where(ev *supervise.Event) origin {
	w.calls++
	o := origin{seq: w.calls, call: ev.Name}
	st, err := w.tree.Stack(ev)
	if err != nil {
		up := w.startOf(ev.PID)
		o.chain, o.test = up.chain, up.test
		return o
	}
	o.chain = chain(st.Frames)
	if st.Via != "" {
		o.via, o.test = filepath.Base(st.Via), w.startOf(ev.PID).test
		return o
	}
	if st.Start != nil { // this program, run again by the test
		o.test = w.startOf(ev.PID).test
	}
	if o.test == "" {
		o.test = w.tests.By(w.tree, ev, st.Frames)
	}
	for _, f := range st.Frames {
		o.drawn = o.drawn || f.Function == "os.CreateTemp" || f.Function == "os.MkdirTemp"
	}
	return o
}

// startOf is what started a process, or the one that started that.
func (w *watcher) startOf(pid int) origin {
	if o, ok := w.started[pid]; ok || pid == w.tree.PID() {
		return o
	}
	return w.started[supervise.Parent(pid)]
}

// origin gives a leak of the root what is known of the call that made it.
func (w *watcher) origin(l *leak) {
	if l.kind == process || l.kind == elsewhere {
		return
	}
	name := filepath.Join(w.root, filepath.FromSlash(l.name))
	o, ok := w.origins[name]
	if !ok && l.kind == descriptor {
		o = w.unnamed[filepath.Dir(name)]
	}
	l.made(o)
	// Which parts of the name are drawn, as that of t.TempDir.
	parts := strings.Split(l.name, "/")
	elems := make([]leftover.Elem, len(parts))
	at, any := w.root, false
	for i, part := range parts {
		elems[i] = leftover.Elem{Before: part}
		if at = filepath.Join(at, part); w.origins[at].drawn && w.origins[at].renamed == "" {
			elems[i], any = drawnElem(part), true
		}
	}
	if any {
		l.elems = elems
	}
}

// longestNumber is where the last of the longest numbers in a name is: 10 digits
// at most, as os draws them.
func longestNumber(name string) (at [2]int) {
	for _, m := range number.FindAllStringIndex(name, -1) {
		if m[1]-m[0] >= at[1]-at[0] {
			at = [2]int{m[0], m[1]}
		}
	}
	return at
}

var number = regexp.MustCompile(`[0-9]+`)

// drawnElem is the pattern of a name that os.CreateTemp has drawn.
func drawnElem(name string) leftover.Elem {
	m := longestNumber(name)
	return leftover.Elem{Before: name[:m[0]], After: name[m[1]:], Star: m[0] < m[1]}
}

// made takes over what is known of the call.
func (l *leak) made(o origin) {
	l.line, l.renamed, l.via, l.test, l.call, l.seq = o.chain, o.renamed, o.via, o.test, o.call, o.seq
}

// inPackage is what the child made in the package's directory, and removes
// what was not there before it ran.
func (w *watcher) inPackage(p *pkgDir, before map[string]bool) []*leak {
	if p == nil {
		return nil
	}
	dir, err := os.OpenRoot(p.path)
	if err != nil {
		return nil
	}
	defer dir.Close()
	var names []string
	for name := range w.origins {
		if rel := below(p.path, name); rel != "" {
			names = append(names, rel)
		}
	}
	slices.Sort(names)
	var list []*leak
	for _, rel := range names {
		path := filepath.Join(p.path, rel)
		st, err := os.Lstat(path)
		if err != nil {
			continue
		}
		l := &leak{kind: source, name: rel}
		l.describe(path, st)
		l.made(w.origins[path])
		list = append(list, l)
	}
	for _, rel := range names {
		top, _, _ := strings.Cut(rel, "/")
		if !before[rel] && (!strings.Contains(rel, "/") || top == "testdata") {
			_ = dir.RemoveAll(rel)
		}
	}
	return list
}

// The child's side.

var attached = sync.OnceValues(supervise.Attach)

// attend begins the supervision.
func attend(linger time.Duration) (tell func(), err error) {
	before := atMost()
	link, err := attached()
	if err != nil {
		return nil, err
	}
	holds, busy, err := holder()
	if err != nil {
		return nil, err
	}
	return func() {
		settle(before)
		outlast(before, linger, busy)
		data, err := json.Marshal(holds())
		if err == nil {
			_, err = link.Call(opHeld, data)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "leakcheck:", err)
		}
	}, nil
}

// holder looks at what this child holds, when it is asked, and tells whether a
// process that it started still runs.
func holder() (holds func() []heldJSON, busy func() bool, err error) {
	r := &root{files: os.Getenv(rootVariable)}
	r.path = filepath.Dir(r.files)
	if r.dir, err = os.Open(r.files); err != nil {
		return nil, nil, err
	}
	r.fd = int(r.dir.Fd())
	r.mark.set()
	kids, before := newChildren(), descriptors()
	started := func() []*leak {
		if !kids.any() {
			return nil
		}
		return processes(r, []int{os.Getppid()})
	}
	return func() []heldJSON {
		now := slices.DeleteFunc(descriptors(), func(n int) bool { return slices.Contains(before, n) })
		list := slices.Concat(openFiles(r, descriptors()), mappings(r), started(), openElsewhere(r, now))
		held := []heldJSON{}
		for _, l := range list {
			held = append(held, heldJSON{l.kind, l.name, l.what, l.pid, l.size, l.perm})
		}
		return held
	}, func() bool { return len(started()) > 0 }, nil
}
