package attack

import (
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// placing says on which processors the two sides run.
type placing struct {
	victim, attacker *unix.CPUSet // nil: as they were
	doze             bool         // the attacker's threads may not wait awake
}

// placingTime is how long one placing holds.
const placingTime = 50 * time.Millisecond

// placings are the ways to share the processors: as the kernel likes, each
// side on one of its own, and both on the same.
func placings() []placing {
	cpus := sharedCPUs()
	awake := len(cpus) > 1 && runtime.GOMAXPROCS(0) > 1
	list := []placing{{doze: !awake}}
	if len(cpus) > 1 {
		a, b := cpuSet(cpus[0]), cpuSet(cpus[1:]...)
		list = append(list, placing{a, b, !awake}, placing{a, a, true}, placing{cpuSet(cpus...), cpuSet(cpus...), !awake})
	}
	return list
}

// pin puts the victim's threads where they belong.
func (r *racer) pin(p placing) {
	if p.victim == nil || r.world.cmd == nil || r.world.pinned == p.victim {
		return
	}
	pid := r.world.cmd.Process.Pid
	tasks, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		return
	}
	for _, task := range tasks {
		if tid, err := strconv.Atoi(task.Name()); err == nil {
			_ = unix.SchedSetaffinity(tid, p.victim)
		}
	}
	r.world.pinned = p.victim
}

// sharedCPUs are those that this process may use.
func sharedCPUs() (list []int) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) {
			list = append(list, cpu)
		}
	}
	return list
}

func cpuSet(cpus ...int) *unix.CPUSet {
	set := new(unix.CPUSet)
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	return set
}
