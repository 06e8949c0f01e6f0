package attack

import (
	"errors"
	"runtime"
)

// driver is a world in which the explorer can go where the victim is: what they
// do is then one goroutine's, and no run costs a change of goroutines.
type driver interface {
	world
	// drive has do run there, which makes runs one after the other. Where one of
	// them does not come back and is given up, or ends the goroutine, do does not
	// go on: errAstray, or why the test itself is at its end.
	drive(do func()) error
}

var errAstray = errors.New("a run has not come back")

func (w *fakeWorld) drive(do func()) error {
	ended := make(chan bool, 1)
	failed := w.verdict()
	w.driving = true
	w.jobs <- func() {
		came := false
		defer func() { ended <- came }() // also when the victim ends the goroutine
		do()
		w.driving = false
		came = true
	}
	for {
		select {
		case came := <-ended:
			if came {
				return nil
			}
			if err := failed(); err != nil {
				return err
			}
			return errAstray
		case <-w.ticks.C:
			if _, gone := w.look(); gone {
				return errAstray
			}
		}
	}
}

// back is called when a run has come back on the goroutine that made it, which
// ends here if it was given up in the meantime.
func (w *fakeWorld) back() {
	if w.cameBack() {
		runtime.Goexit()
	}
}

// cameBack says whether the run had been given up.
func (w *fakeWorld) cameBack() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = false
	return w.over
}

// driven tries schedules where the victim is, for as long as that goes well. A
// schedule whose run does not come back is tried again in the usual way, which
// says what became of it.
func (s *search) driven(l *lane) *lane {
	for s.e.opt.fake && s.e.opt.verb == prove {
		w, err := l.get()
		if err != nil {
			return l // which says so
		}
		d := w.(driver)
		switch err := d.drive(func() { s.loop(l, d) }); {
		case err == nil && s.finished():
			return l
		case err == nil: // in another world
		default:
			s.e.worlds.end(w)
			l = &lane{e: s.e} // what runs on there may use the old one yet
			s.e.first = l
			s.again(l, err)
		}
	}
	return l
}

func (s *search) finished() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over || s.next == s.limit()
}

// again tries the schedule that was begun last, unless there is no more to try.
func (s *search) again(l *lane, why error) {
	s.mu.Lock()
	j := s.jobs[s.next-1]
	s.mu.Unlock()
	res := result{err: why}
	if why == errAstray {
		res = l.attempt(j)
	}
	s.mu.Lock()
	s.post(s.next-1, res)
	s.mu.Unlock()
}
