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
	return w.over.Load()
}
