package supervise

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// procs knows the processes of the tree. Each is met while one of its threads
// stands at a boundary, so that a pidfd taken then names it for good: nothing
// is ever killed by a number that could have been used again.
type procs struct {
	main   int
	byTID  map[int]int // thread to thread group, of processes other than main
	pidfds map[int]int // thread group to pidfd
}

// tgid is the process of a thread.
func (p *procs) tgid(tid int) int {
	if tid == p.main || tid == 0 || unix.Tgkill(p.main, tid, 0) == nil {
		return p.main
	}
	if pid, ok := p.byTID[tid]; ok && unix.Tgkill(pid, tid, 0) == nil {
		return pid
	}
	pid := statusField(tid, "Tgid:")
	if pid == 0 {
		pid = tid
	}
	if p.byTID == nil {
		p.byTID, p.pidfds = map[int]int{}, map[int]int{}
	}
	p.byTID[tid] = pid
	if fd, ok := p.pidfds[pid]; ok && unix.PidfdSendSignal(fd, 0, nil, 0) != nil {
		_ = unix.Close(fd) // an earlier process of that number has ended
		delete(p.pidfds, pid)
	}
	if _, ok := p.pidfds[pid]; !ok {
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			p.pidfds[pid] = fd
		}
	}
	return pid
}

// others are the living processes besides the child itself.
func (p *procs) others() []int {
	var pids []int
	for pid, fd := range p.pidfds {
		if unix.PidfdSendSignal(fd, 0, nil, 0) == nil && !zombie(pid) {
			pids = append(pids, pid)
			continue
		}
	}
	return pids
}

func (p *procs) kill() {
	for pid, fd := range p.pidfds {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		_ = unix.Close(fd)
		delete(p.pidfds, pid)
	}
}

func (p *procs) close() {
	for _, fd := range p.pidfds {
		_ = unix.Close(fd)
	}
	p.pidfds, p.byTID = nil, nil
}

func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return true
	}
	i := bytes.LastIndexByte(b, ')')
	return i < 0 || i+2 >= len(b) || b[i+2] == 'Z' || b[i+2] == 'X'
}

// statusField is a number of /proc/PID/status, 0 when it cannot be read.
func statusField(pid int, field string) int {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	i := bytes.Index(b, []byte("\n"+field))
	if i < 0 {
		return 0
	}
	line, _, _ := bytes.Cut(b[i+1+len(field):], []byte("\n"))
	n, _ := strconv.Atoi(string(bytes.Fields(line)[0]))
	return n
}

// Parent is the parent process of pid.
func Parent(pid int) int { return statusField(pid, "PPid:") }

// Living are the processes of the tree besides the child itself that are
// known and have not ended.
func (t *Tree) Living() []int { return t.procs.others() }
