package attack

import (
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/tmpproof/tmpproof/internal/supervise"
)

// A FIFO that the attacker planted, and that nobody else opens, holds whoever
// opens it for ever. For the victim's own goroutine that is known at the
// boundary: its call is not let go. Another goroutine, or a program that the
// victim started, might be set free by the rest of the victim, so that it is
// let go, and hangs when nothing else moves either.

// glance is the time between two looks at processes that seem to wait; a
// program that sleeps longer than two of them, and would then open the other
// end, is taken for hung.
const glance = 50 * time.Millisecond

// atFIFO is the outcome of such a wait, the same either way.
func atFIFO(name string) string {
	return "it waits at the attacker's FIFO " + name + ", which nobody else opens"
}

// waitsAt gives the attacker's FIFO at which an open would wait.
func (w *osWorld) waitsAt(b *boundary) (string, bool) {
	if b.kind != supervise.Open || b.nowait || b.excl || b.onlyDir {
		return "", false
	}
	for _, l := range b.lookups {
		if a, ok := l.final(); ok && a.node.kindName() == "FIFO" && w.attacker.owns(a.node) {
			return pretty(a.path()), true
		}
	}
	return "", false
}

// event is the next event of the tree. With a call at a FIFO it watches
// whether anything else goes on, and gives the FIFO's name if not.
func (w *osWorld) event(limit time.Time) (ev *supervise.Event, stuckAt string, err error) {
	for seen := 0; len(w.waiting) > 0; {
		soon := time.Now().Add(glance)
		ev, err := w.tree.Next(soon)
		switch {
		case err == nil:
			delete(w.waiting, ev.TID)
			return ev, "", nil
		case !errors.Is(err, os.ErrDeadlineExceeded) || soon.After(limit):
			return nil, "", err
		}
		if seen++; !w.allAsleep() {
			seen = 0
		}
		at := ""
		for tid, name := range w.waiting {
			if !w.tree.Busy(tid) {
				delete(w.waiting, tid)
			} else if at == "" || name < at {
				at = name
			}
		}
		if at != "" && seen >= 2 {
			return nil, at, nil
		}
	}
	ev, err = w.tree.Next(limit)
	return ev, "", err
}

// allAsleep says that no thread of the tree runs or could run.
func (w *osWorld) allAsleep() bool {
	for _, pid := range append(w.tree.Living(), w.tree.PID()) {
		dir := "/proc/" + strconv.Itoa(pid) + "/task"
		tasks, err := os.ReadDir(dir)
		if err != nil {
			continue // it has ended
		}
		for _, task := range tasks {
			tid, _ := strconv.Atoi(task.Name())
			if state := taskState(tid); state == 'R' || state == 'D' {
				return false
			}
		}
	}
	return true
}
