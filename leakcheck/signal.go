package leakcheck

import (
	"os"
	"os/signal"
	"sync"
	"time"
)

// signals removes the root when a signal ends the process. There is no
// goroutine that waits for it, since checkers of goroutines would find it: a
// timer looks now and then.
type signals struct {
	root *root
	got  chan os.Signal

	mu    sync.Mutex
	timer *time.Timer
	done  bool
}

// signalGlance is how often a signal is looked for.
const signalGlance = 50 * time.Millisecond

func (r *root) onSignal() *signals {
	s := &signals{root: r, got: make(chan os.Signal, 1)}
	signal.Notify(s.got, deadly...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer = time.AfterFunc(signalGlance, s.glance)
	return s
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

func (s *signals) stop() {
	if s == nil {
		return
	}
	signal.Stop(s.got)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
	s.timer.Stop()
	select {
	case sig := <-s.got:
		_ = s.root.remove()
		die(sig)
	default:
	}
}
