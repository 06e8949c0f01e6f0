package attack

import (
	"os"
	"strconv"
)

func (w *osWorld) atFIFO(name string) *outcome {
	o := w.lost(hung, atFIFO(name))
	o.At = name
	return o
}

// stuck is asked when nothing has moved for a glance. It gives the FIFO at
// which the victim waits, when nothing else goes on either.
func (w *osWorld) stuck() string {
	if len(w.waiting) == 0 {
		return ""
	}
	if w.still++; !w.allAsleep() {
		w.still = 0
	}
	at := ""
	for tid, name := range w.waiting {
		if !w.tree.Busy(tid) {
			delete(w.waiting, tid)
		} else if at == "" || name < at {
			at = name
		}
	}
	if w.still < 2 {
		return ""
	}
	return at
}

// allAsleep says that no thread of the tree runs or could run.
func (w *osWorld) allAsleep() bool {
	return !w.anyThread(func(state byte) bool { return state == 'R' || state == 'D' })
}

// anyThread asks the state of every thread of the tree, but for one whose call
// is held: that one waits in a way which only SIGKILL ends, and which looks
// like waiting for a disk.
func (w *osWorld) anyThread(is func(state byte) bool) bool {
	for _, pid := range append(w.tree.Living(), w.tree.PID()) {
		dir := "/proc/" + strconv.Itoa(pid) + "/task"
		tasks, err := os.ReadDir(dir)
		if err != nil {
			continue // it has ended
		}
		for _, task := range tasks {
			tid, _ := strconv.Atoi(task.Name())
			if w.held != nil && tid == w.held.TID {
				continue
			}
			if is(processState(tid)) {
				return true
			}
		}
	}
	return false
}
