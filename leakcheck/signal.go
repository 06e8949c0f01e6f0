package leakcheck

import (
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// signals removes the root when a signal ends the process. There is no
// goroutine that waits for it, since checkers of goroutines would find it: a
// timer looks now and then.
type signals struct {
	root *root
	got  chan os.Signal
	over atomic.Bool // begin need not go on

	mu    sync.Mutex
	timer *time.Timer // nil where signals are left to the tests
	done  bool
}

// signalGlance is how often a signal is looked for.
const signalGlance = 50 * time.Millisecond

func newSignals(r *root) *signals {
	prepareSignals()
	return &signals{root: r, got: make(chan os.Signal, 1)}
}

// begin takes signals where nobody else may. It looks for that while the tests
// run; before it is done a signal leaves the root to the next run's sweeper.
func (s *signals) begin() {
	if takesSignals(s.over.Load) {
		return
	}
	// One that the process was told to ignore does not end it: nohup, a job in the
	// background of a script.
	ends := slices.DeleteFunc(slices.Clone(deadly), signal.Ignored)
	if len(ends) == 0 {
		return // to Notify, none is all
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	signal.Notify(s.got, ends...)
	s.timer = time.AfterFunc(signalGlance, s.glance)
}

func (s *signals) glance() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return
	}
	select {
	case sig := <-s.got:
		s.done = true
		signal.Stop(s.got)
		_ = s.root.remove()
		die(sig)
	default:
		s.timer.Reset(signalGlance)
	}
}

// stop comes after begin.
func (s *signals) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer == nil {
		return
	}
	signal.Stop(s.got)
	s.done = true
	s.timer.Stop()
	select {
	case sig := <-s.got:
		_ = s.root.remove()
		die(sig)
	default:
	}
}
