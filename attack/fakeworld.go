package attack

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/fsfake"
)

// Fake runs the attack on a disk in memory, package fsfake, in the process of
// the test, on any operating system. The victim must work through Scene.FS,
// which is then a *fsfake.FS; see the package documentation for what that
// means.
func Fake() Option { return optionFunc(func(o *options) { o.fake = true }) }

// fakeWorld runs the victim in a goroutine of this process, on a fake disk
// whose hooks are the boundaries.
type fakeWorld struct {
	t           testing.TB
	victim      Victim
	opt         *options
	d           *fakeDisk
	fs          *fsfake.FS // the victim's view
	scene       *Scene
	clean       *fsfake.Snapshot
	unhook      func()
	clock       clock
	ticks       *time.Ticker
	lines       map[uint64]lineInfo
	found       []fsfake.Lookup // of the lookup at hand
	pcs         [128]uintptr    // of the stack at hand
	stands      boundary        // the one at hand, with its operation
	standOp     *fsfake.Op
	standFollow bool

	located func(*boundary)
	looked  func()
	label   string      // what the victim's goroutines bear
	self    string      // the head of the serving goroutine in a dump
	jobs    chan func() // for the serving goroutine
	done    chan runEnd
	late    chan string   // a call after the victim's return
	ended   chan struct{} // closed with the world

	// mu is held from before a call of the victim's until after it: there is
	// one call at a time, as where system calls are stopped. inCall is the
	// call that holds it.
	mu     sync.Mutex
	inCall atomic.Pointer[fsfake.Op]
	over   atomic.Bool // given up: what still runs of the victim ends at its next call

	runs    int
	driving bool // the explorer is on the serving goroutine as well: see drive
	injectedFake

	// Of the present run, guarded by mu.
	h         hooks
	attacker  *attacker
	phase     string
	calls     int
	blocked   string   // why the victim would wait for ever
	blockedAt string   // at which FIFO of the attacker's
	waiting   []string // FIFOs at which other goroutines of its wait
	running   bool     // it has not come back yet
	seen      int      // calls at the last look
	still     int      // looks during which nothing moved
	defect    string   // of the disk
}

// runEnd is how a run ended.
type runEnd struct {
	o   *outcome
	err error
}

// inLate is the phase after a run whose goroutines go on.
const inLate = "a goroutine of the victim's"

var fakeWorlds atomic.Int64

func openFake(t testing.TB, victim Victim, opt *options, deadline time.Time) (world, error) {
	d, err := newFakeDisk(opt)
	if err != nil {
		return nil, fmt.Errorf("building the scene on the fake disk: %w", err)
	}
	w := &fakeWorld{t: t, victim: victim, opt: opt, d: d, fs: d.disk.As(fakeVictim()),
		clock: newClock(opt, deadline), ticks: time.NewTicker(glance), lines: map[uint64]lineInfo{},
		label: fmt.Sprint("attack.Fake ", fakeWorlds.Add(1)),
		jobs:  make(chan func()), done: make(chan runEnd, 2), late: make(chan string, 1), ended: make(chan struct{})}
	w.scene = &Scene{Dir: d.abs(dirShared), Home: d.abs(dirHome), FS: w.fs}
	if opt.verb == kills {
		w.scene.FS, w.scene.point = pointFS{w.fs, w.point}, w.point
	}
	w.located, w.looked = w.locate, w.lookUp
	w.clean = d.disk.Snapshot()
	w.unhook = d.disk.Hook(fsfake.Hook{Before: w.before, After: w.after})
	ready := make(chan struct{})
	go w.serve(ready)
	<-ready
	return w, nil
}

func (w *fakeWorld) disk() disk { return w.d }

func (w *fakeWorld) exact() bool { return true }

func (w *fakeWorld) settled(bool) {} // each run begins with the same disk

// run is one run of the victim.
func (w *fakeWorld) run(a *attacker, h hooks) (*outcome, error) {
	if err := w.prepare(a, h); err != nil {
		return nil, err
	}
	if w.driving {
		r := w.once()
		w.back()
		return r.o, r.err
	}
	w.jobs <- w.serveOnce
	for {
		select {
		case r := <-w.done:
			w.cameBack()
			return r.o, r.err
		case <-w.ticks.C:
			if r, ok := w.look(); ok {
				return r.o, r.err
			}
		}
	}
}

// prepare begins a run.
func (w *fakeWorld) prepare(a *attacker, h hooks) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.d.disk.Restore(w.clean)
	w.fs.Umask(0)
	w.h, w.attacker, w.calls, w.blocked, w.blockedAt, w.waiting, w.seen, w.still, w.defect = h, a, 0, "", "", nil, 0, 0, ""
	w.runs++
	w.injectedFake = injectedFake{}
	if w.opt.verb.injects() {
		w.open = map[*fsfake.File]openFile{}
	}
	w.phase = inSetup
	if w.opt.setup == nil {
		if err := h.prepared(); err != nil {
			return err
		}
		w.phase = inVictim
	}
	w.clock.start()
	w.running = true
	return nil
}

// look is what the explorer does while it waits: it bounds the run.
func (w *fakeWorld) look() (runEnd, bool) {
	if !w.lockBy(w.clock.budget.Add(w.clock.patience)) {
		w.giveUp()
		return runEnd{err: w.opt.usedUp("a call on the disk in memory, or a hook in it,")}, true
	}
	defer w.mu.Unlock()
	if !w.running {
		return runEnd{}, false
	}
	now := time.Now()
	moved := w.calls != w.seen
	if w.seen = w.calls; moved {
		w.still = 0
		w.clock.start() // calls are counted: a busy machine gets its time
	}
	if len(w.waiting) > 0 && !moved {
		if w.still++; w.still > 2 && w.asleep() {
			w.giveUp()
			return runEnd{o: w.atFIFO(w.waiting[0])}, true
		}
	}
	text := ""
	switch {
	case now.After(w.clock.next):
		text = fmt.Sprintf("no call and no return within %v, a tenth of the budget", w.clock.patience)
	case now.After(w.clock.budget):
		w.giveUp()
		return runEnd{err: w.opt.usedUp(w.phase)}, true
	default:
		return runEnd{}, false
	}
	w.giveUp()
	o := &outcome{End: hung, Text: text, Spent: true}
	if w.phase != inVictim {
		return runEnd{err: fmt.Errorf("%s %s", w.phase, o)}, true
	}
	return runEnd{o: o}, true
}

// lockBy takes mu, unless that is not to be had until a deadline: a hook of the
// test's own that waits holds it.
func (w *fakeWorld) lockBy(deadline time.Time) bool {
	if w.mu.TryLock() {
		return true
	}
	locked := make(chan struct{})
	go func() {
		w.mu.Lock()
		close(locked)
	}()
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-locked:
		return true
	case <-timer.C:
		go func() {
			<-locked
			w.mu.Unlock()
		}()
		return false
	}
}

// giveUp leaves the victim's goroutines to themselves: each ends at its next
// call. mu is held.
func (w *fakeWorld) giveUp() { w.over.Store(true) }

// before stands before each call of the victim on the disk.
func (w *fakeWorld) before(op *fsfake.Op) error {
	w.mu.Lock()
	if w.over.Load() {
		w.mu.Unlock()
		runtime.Goexit()
	}
	w.inCall.Store(op)
	passed := false
	defer func() {
		if !passed { // whatever ended the goroutine here, nobody is to wait for it
			w.leave(op)
		}
	}()
	err := w.met(op)
	passed = true
	return err
}

// leave ends a call that has come to its boundary, unless that was done.
func (w *fakeWorld) leave(op *fsfake.Op) {
	if w.inCall.CompareAndSwap(op, nil) {
		w.mu.Unlock()
	}
}

// met handles a call that holds mu.
func (w *fakeWorld) met(op *fsfake.Op) error {
	w.calls++
	switch w.phase {
	case inVictim:
		if w.calls > w.opt.maxCalls() {
			w.end(runEnd{o: &outcome{End: endless, Text: fmt.Sprintf("more than %d calls in one run", w.opt.maxCalls()), Spent: true}})
		}
		return w.stopped(op)
	case inLate:
		if b := w.boundary(op); b != nil {
			w.late <- fmt.Sprintf("%s %s", b.call, pretty(b.subject()))
			w.end(runEnd{})
		}
	}
	return nil
}

// end gives the run up, and ends the goroutine that makes the call. mu is
// held.
func (w *fakeWorld) end(r runEnd) {
	if r != (runEnd{}) {
		w.done <- r
	}
	w.giveUp()
	w.leave(w.inCall.Load())
	runtime.Goexit()
}

func (w *fakeWorld) after(op *fsfake.Op) {
	if w.inCall.Load() != op {
		return // it failed before it came to its boundary
	}
	defer w.leave(op)
	if op.Panicked {
		w.defect = fmt.Sprintf("a call on the disk in memory panicked (%s %s): in a hook or a clock of the victim's, or by a defect of package fsfake, which then is to be reported", op.Name, pretty(w.d.named(fakePath(op.Path))))
		return
	}
	w.injected(op)
	w.writes(op)
	if w.standOp == op {
		w.d.note(op, &w.stands)
	} else {
		w.d.note(op, nil)
	}
	if op.Blocked && w.phase == inVictim && w.blocked == "" {
		w.blocked = "it waits at the FIFO " + pretty(w.d.named(fakePath(op.Path))) + ", which nobody else opens"
	}
}

// stopped handles one call of the victim.
func (w *fakeWorld) stopped(op *fsfake.Op) error {
	b := w.boundary(op)
	if b == nil {
		return nil
	}
	if err := w.h.at(b); err != nil {
		w.end(runEnd{err: err})
	}
	if b.answer.act != goOn {
		return w.inject(b, op)
	}
	if fifo, ok := w.attacker.waitsAt(b); ok {
		if b.locate(b); !b.main {
			w.waitAt(fifo)
		}
		w.blocked = atFIFO(fifo)
		w.blockedAt = fifo
		return syscall.ENXIO
	}
	return nil
}

// waitAt lets a goroutine of the victim's wait at a FIFO for what never comes.
func (w *fakeWorld) waitAt(fifo string) {
	w.waiting = append(w.waiting, fifo)
	w.leave(w.inCall.Load())
	<-w.ended
	runtime.Goexit()
}

func (w *fakeWorld) atFIFO(name string) *outcome {
	return &outcome{End: hung, Text: atFIFO(name), At: name, Spent: true}
}

// close leaves a disk behind that works on, for whoever kept the scene, unless
// the victim is still at it.
func (w *fakeWorld) close() error {
	if !w.over.Load() {
		w.mu.Lock()
		defer w.mu.Unlock()
	}
	select {
	case <-w.ended:
		return nil
	default:
	}
	if !w.over.Load() {
		w.unhook()
	}
	w.ticks.Stop()
	close(w.ended)
	close(w.jobs)
	return nil
}
