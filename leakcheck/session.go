package leakcheck

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tmpproof/tmpproof/internal/leftover"
	"github.com/tmpproof/tmpproof/internal/sweep"
)

// session is one checked run: the private root, what was there before, and
// the tests that ran.
type session struct {
	opt   *options
	whole bool // of Run, not of calls of Check
	root  *root
	spans spans

	goroutines int
	children   *children
	before     *look // when it began
	inherited  []int // all descriptors that were open then, where there is no Run
	pkg        *pkgDir

	mu       sync.Mutex
	last     map[string]string // entries of the root when the last test ended, and which files they were
	windows  map[string]*span
	lost     *span // the test that ran alone when the root went
	reported map[string]bool
	// why tests are run again with a trace, "" where a supervisor watches
	unsupervised string

	strangers []string // what appeared in the package's directory, and no test makes

	signals    *signals // of Run
	sweeper    *sweep.Sweeper
	background chan struct{} // closed when these two have looked around
	waited     atomic.Int32  // finds that were waited for to go, in vain: see elsewhere
}

// look is what there is at one moment.
type look struct {
	names map[string]bool
	open  []int // descriptors
	pids  []int

	goroutines int
}

// start begins the session of Run.
func start(o *options) (*session, error) {
	if o.bad != nil {
		return nil, o.bad
	}
	current.Lock()
	defer current.Unlock()
	if current.s != nil {
		return nil, errors.New("Run was called while a checked run goes on: call it once, in TestMain")
	}
	s, err := open(o, true)
	if err != nil {
		return nil, err
	}
	current.s = s
	return s, nil
}

func open(o *options, whole bool) (*session, error) {
	s := &session{opt: o, whole: whole, windows: map[string]*span{}, reported: map[string]bool{}, children: newChildren()}
	dir := o.dir
	if dir == "" {
		dir = os.TempDir()
	}
	var err error
	if s.root, err = newRoot(dir); err != nil {
		return nil, err
	}
	if err = s.root.enter(); err == nil {
		err = s.root.canary()
	}
	if err != nil {
		s.root.leave()
		return nil, errors.Join(err, s.root.remove())
	}
	if whole {
		s.pkg = newPkgDir()
		s.signals = newSignals(s.root)
	}
	s.before = s.look(o)
	if !whole && !o.allowed {
		s.inherited = descriptors()
	}
	s.goroutines = atMost()
	if whole {
		s.background = make(chan struct{})
		s.sweeper = new(sweep.Sweeper)
		go func() {
			defer close(s.background)
			s.signals.begin()
			s.sweeper.Sweep(dir)
		}()
	}
	return s, nil
}

func set(names []string) map[string]bool {
	if len(names) == 0 {
		return nil
	}
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

func (s *session) look(o *options) *look {
	l := new(look)
	names, _ := s.root.names()
	l.names = set(names)
	if !o.allowed {
		l.open, l.goroutines = lowDescriptors(), runtime.NumGoroutine()
		if s.children.any() {
			for _, p := range processes(s.root, nil) {
				l.pids = append(l.pids, p.pid)
			}
		}
	}
	return l
}

// test notes that a top-level test begins, and returns what notes its end.
func (s *session) test(name string) func() {
	sp := s.spans.begin(name)
	return func() {
		names, err := s.root.names()
		alone := s.spans.finish(sp)
		s.mu.Lock()
		defer s.mu.Unlock()
		if alone && err != nil && s.lost == nil {
			s.lost = sp
		}
		if err != nil || len(names) == 0 && len(s.last) == 0 {
			return
		}
		now := make(map[string]string, len(names))
		for _, n := range names {
			if len(names) <= mostIdentities {
				now[n] = identity(filepath.Join(s.root.files, n))
			} else {
				now[n] = "" // not known
			}
			was, there := s.last[n]
			if alone && (!there || was != now[n] && was != "" && now[n] != "") {
				s.windows[n] = sp
				s.spans.saw(n, instance{sp.test, now[n]})
			}
		}
		s.last = now
	}
}

// mostIdentities bounds the files that are told apart after each test.
const mostIdentities = 200

// endOf looks at what a test has left that ran alone; what is left while
// others run waits for the end. The test counts as running while this looks,
// so that one which begins meanwhile is not overlooked.
func (s *session) endOf(sp *span, before *look, o *options) string {
	found, err := s.found(before, o, false)
	if !s.spans.finish(sp) {
		return ""
	}
	if err != nil {
		return fmt.Sprintf("leakcheck: %s\n", s.blame(err, sp))
	}
	s.mu.Lock()
	for _, l := range found {
		l.window = sp
		s.reported[l.key()] = true
	}
	s.mu.Unlock()
	return s.verdict(found, nil, o)
}

// key tells a leak from others of the same run.
func (l *leak) key() string { return fmt.Sprint(l.kind, " ", l.pid, " ", l.fd, " ", l.name) }

// found is what is there and was not before. At the end of the run all
// descriptors are looked at, and mappings are, which takes longer than all
// else; after a test only the descriptors whose numbers were free before it.
func (s *session) found(before *look, o *options, atEnd bool) ([]*leak, error) {
	names, err := s.root.names()
	if err != nil || atEnd { // a directory that was removed cannot be read
		if err := s.root.lost(); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", s.root.files, err)
	}
	if len(before.names) > 0 {
		names = slices.DeleteFunc(names, func(n string) bool { return before.names[n] })
	}
	list := entries(s.root.files, names, entry, o)
	if !o.allowed {
		if !o.outside && !s.whole {
			list = append(list, s.elsewhere(before, atEnd)...)
		}
		if !atEnd {
			list = append(list, openFiles(s.root, opened(before, lowDescriptors()))...)
		} else {
			list = append(list, openFiles(s.root, descriptors())...)
			list = append(list, mappings(s.root)...)
		}
		if s.children.any() {
			list = append(list, processes(s.root, before.pids)...)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(list, func(l *leak) bool {
		return s.reported[l.key()] || o.ignored(l.name)
	}), nil
}

// opened are those descriptors that were not open before.
func opened(before *look, numbers []int) []int {
	return slices.DeleteFunc(numbers, func(n int) bool { return slices.Contains(before.open, n) })
}

// mostWaits bounds how often nothing but a find makes a run wait.
const mostWaits = 10

// elsewhere looks for descriptors of what is not in the root. Goroutines that the
// test has left, a server's for example, may be about to close theirs: they have
// a second. Their number alone does not tell whether there are any, since the
// goroutine of the test before can have been counted with this one's, in its last
// moment; so the first few finds of a run wait in any case.
func (s *session) elsewhere(before *look, atEnd bool) []*leak {
	see := func() []*leak {
		if atEnd {
			return openElsewhere(s.root, opened(&look{open: s.inherited}, descriptors()))
		}
		return openElsewhere(s.root, opened(before, lowDescriptors()))
	}
	for end := time.Now().Add(time.Second * time.Duration(s.opt.slow)); ; time.Sleep(5 * time.Millisecond) {
		left := goroutines() > before.goroutines // before the look, which then sees what they have done
		list := see()
		if over := time.Now().After(end); len(list) == 0 || over || !left && s.waited.Load() >= mostWaits {
			if over {
				s.waited.Add(1)
			}
			return list
		}
	}
}

// settle waits for goroutines that the tests did not wait for: a little for all,
// and longer for what is at work, which on a loaded machine takes its time.
func settle(before int) {
	for d := time.Microsecond; d < 100*time.Millisecond && goroutines() > before; d *= 2 {
		time.Sleep(d)
	}
	for end := time.Now().Add(time.Second); goroutines() > before && working() && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
}

// goroutines counts them while the world stands still: runtime.NumGoroutine
// can be one too many or too few for a moment in which some begin or end.
func goroutines() int {
	n, _ := runtime.GoroutineProfile(make([]runtime.StackRecord, 1)) // too short, to be told how many
	return n
}

// atMost is goroutines before the tests begin, without those of the runtime that
// happen to run a finalizer, which goroutines has among them.
func atMost() int { return min(goroutines(), runtime.NumGoroutine()) }

// working says that a goroutine besides this one runs, could run, or is in a
// system call, and does not wait for another or for the time.
func working() bool {
	buf := make([]byte, 1<<16)
	_, others, _ := bytes.Cut(buf[:runtime.Stack(buf, true)], []byte("\n\n"))
	for g := range bytes.SplitSeq(others, []byte("\n\n")) {
		_, state, _ := bytes.Cut(g, []byte(" ["))
		if bytes.Contains(g, []byte("\nos/signal.loop(")) {
			continue // in a call for all its life
		}
		for _, at := range []string{"running", "runnable", "syscall"} {
			if bytes.HasPrefix(state, []byte(at)) {
				return true
			}
		}
	}
	return false
}

// finish is end for Run.
func (s *session) finish() string {
	current.Lock()
	defer current.Unlock()
	defer func() { current.s = nil }()
	return s.end()
}

// end is the verdict on the whole run, "" when nothing is wrong. The session
// is over then.
func (s *session) end() string {
	if s.whole {
		s.signals.over.Store(true)
		s.sweeper.Cancel()
		<-s.background
	}
	settle(s.goroutines)
	var wrong []string
	found, err := s.found(s.before, s.opt, true)
	if err != nil {
		wrong = append(wrong, s.blame(err, s.lost))
	} else if changed := s.root.changed(); len(changed) > 0 {
		wrong = append(wrong, "E13: a test changed the place for temporary files and did not take it back, so that later tests were not seen: "+
			strings.Join(changed, ", ")+"\n  fix: t.Setenv takes a change back when the test ends")
	}
	for _, l := range found {
		l.window = s.windows[l.name]
	}
	if s.pkg != nil {
		found = append(found, s.pkg.appeared(s.opt)...)
	}
	text := s.verdict(found, wrong, s.opt)
	s.root.leave()
	if s.whole {
		s.signals.stop()
	}
	var gone error
	if s.opt.keep && text != "" {
		text += "  kept: " + s.root.path + "\n"
		gone = s.root.keep()
	} else {
		gone = s.root.remove()
	}
	if gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		text += fmt.Sprintf("leakcheck: R11: the private directory could not be removed: %v\n", gone)
	}
	return text
}

// release ends a call of Check; the last one without a Run ends the session.
// A Check that begins meanwhile waits.
func (s *session) release() string {
	if s.whole {
		return ""
	}
	current.Lock()
	defer current.Unlock()
	if current.checks--; current.checks > 0 {
		return ""
	}
	defer func() { current.s = nil }()
	return s.end()
}

// verdict explains what was found and says it. What s found before is not
// found again.
func (s *session) verdict(found []*leak, wrong []string, o *options) string {
	if len(found) == 0 && len(wrong) == 0 {
		return ""
	}
	r := &report{leaks: found, wrong: wrong, around: s.spans.around}
	if len(found) > 0 {
		r.guess()
		if o.explain {
			r.note = s.explain(found)
			for _, l := range found {
				if l.kind == source && l.foreign {
					s.strangers = append(s.strangers, leftover.Printable(l.name))
				}
			}
			r.leaks = slices.DeleteFunc(found, func(l *leak) bool { return l.kind == source && l.foreign })
		}
	}
	return r.String()
}

// packageName is the import path of the package under test, as the go command
// takes it.
func packageName() string {
	name, _ := os.Getwd()
	if p := buildPath(); p != "" {
		return strings.TrimSuffix(p, ".test")
	}
	return name
}
