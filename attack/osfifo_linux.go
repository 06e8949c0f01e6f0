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
	for _, pid := range append(w.tree.Living(), w.tree.PID()) {
		dir := "/proc/" + strconv.Itoa(pid) + "/task"
		tasks, err := os.ReadDir(dir)
		if err != nil {
			continue // it has ended
		}
		for _, task := range tasks {
			tid, _ := strconv.Atoi(task.Name())
			if state := processState(tid); state == 'R' || state == 'D' {
				return false
			}
		}
	}
	return true
}
