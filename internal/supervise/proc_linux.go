package supervise

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// procs knows the processes of the tree, so that none is ever killed by a
// number that another may bear by then. A process is in the group of the
// child, whose number is taken as long as the child has not been reaped, or it
// has left the group by a call at which it was met; whoever was met while a
// thread of its stood at a boundary has a pidfd, which names it for good.
type procs struct {
	main int
	most int // how many there may be at once, besides the child

	mu      sync.Mutex
	killed  bool // the group has got SIGKILL
	reaped  bool // the child has ended, and its number is free
	child   process
	threads map[int]*process // of processes other than the child
	others  map[int]*process // by number
	groups  map[int]bool     // in which they were met, or that they can have made
	limit   int              // of others, at which those that have ended are forgotten
	forks   int
	lost    map[*Stack]bool // what had started forkers that have ended
}

// process is one process of the tree.
type process struct {
	pid    int
	pidfd  int // -1 for the child, which is not reaped before its time
	forked bool
	held   heldProcess

	// of the unwinder
	image *image // nil: not read
	execs bool   // it is about to run a program, so that image may be stale
	start *Stack // of the call that started the program
	// forkStack is that of C code's latest fork.
	forkStack *Stack
}

// of is the process of a thread that stands at a boundary.
func (p *procs) of(tid int) *process {
	if tid == p.main || isThread(p.main, tid) {
		return &p.child
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if pr, ok := p.threads[tid]; ok && isThread(pr.pid, tid) && !exited(pr.pidfd) {
		return pr
	}
	pid := statusField(tid, "Tgid:")
	if pid == 0 { // killed meanwhile, or not of our pid namespace (thread 0)
		return &process{pid: tid, pidfd: -1}
	}
	pr, ok := p.others[pid]
	if ok && exited(pr.pidfd) { // an earlier process of that number
		p.drop(pr)
		ok = false
	}
	if !ok {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return &process{pid: pid, pidfd: -1}
		}
		pr = p.keep(pid, fd)
	}
	p.threads[tid] = pr
	return pr
}

// isThread says that tid is a living thread of process pid.
func isThread(pid, tid int) bool {
	_, _, errno := unix.RawSyscall(unix.SYS_TGKILL, uintptr(pid), uintptr(tid), 0)
	return errno == 0 || errno == unix.EPERM
}

// keep adds a process, and now and then forgets those that have ended.
func (p *procs) keep(pid, fd int) *process {
	if p.others == nil {
		p.threads, p.others, p.groups, p.lost, p.limit = map[int]*process{}, map[int]*process{}, map[int]bool{}, map[*Stack]bool{}, 64
	}
	if len(p.others) >= p.limit {
		p.forget()
		p.limit = max(64, 2*len(p.others))
	}
	pr := &process{pid: pid, pidfd: fd}
	pr.start = p.inherited(pid)
	p.others[pid] = pr
	p.groups[pid] = true // setsid, setpgid
	if pgid, err := unix.Getpgid(pid); err == nil {
		p.groups[pgid] = true
	}
	return pr
}

// started notes the stack that started the program of pr.
func (p *procs) started(pr *process, st *Stack) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pr.start = st
}

// inherited is the stack that started the program which the new process pid
// runs: its parent's. The parent may have ended already; then that of the
// processes that forked and have ended, if there is only one.
func (p *procs) inherited(pid int) *Stack {
	ppid := Parent(pid)
	if ppid == p.main && p.child.start != nil { // it runs another program itself
		return p.child.start
	}
	if ppid == p.main && p.child.forkStack != nil {
		return p.child.forkStack
	}
	if parent := p.others[ppid]; parent != nil {
		return cmp.Or(parent.forkStack, parent.start)
	}
	for _, pr := range p.others {
		if pr.forked && exited(pr.pidfd) {
			p.lost[pr.start] = true
		}
	}
	if len(p.lost) == 1 {
		for st := range p.lost {
			return st
		}
	}
	return nil
}

// forget drops the processes that have ended.
func (p *procs) forget() {
	for _, pr := range p.others {
		if exited(pr.pidfd) {
			p.drop(pr)
		}
	}
	for tid, pr := range p.threads {
		if p.others[pr.pid] != pr || !isThread(pr.pid, tid) {
			delete(p.threads, tid)
		}
	}
}

func (p *procs) drop(pr *process) {
	if pr.forked {
		p.lost[pr.start] = true
	}
	_ = unix.Close(pr.pidfd)
	delete(p.others, pr.pid)
}

// exited says that the process behind a pidfd has ended, reaped or not.
func exited(pidfd int) bool {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// fork counts a new process of pr's, and returns how many there are besides
// the child. One that has made no call yet is met in the group; one whose fork
// is still under way is in no place yet, so that there can be twice as many.
func (p *procs) fork(pr *process) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	look := min(p.most, maxProcesses) / 4
	pr.forked = true
	if p.forks++; p.forks%look == 0 || len(p.others) >= p.most-look {
		p.forget()
		p.collect()
	}
	return len(p.others)
}

// leaves takes note of a process that another one moves out of the group.
func (p *procs) leaves(pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.add([]int{pid})
}

// collect meets the processes of the group that have not made a call. It
// returns how many those were.
func (p *procs) collect() int { return p.add(processes()) }

// processes are the numbers of all processes that there are.
func processes() (pids []int) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	entries, _ := d.Readdirnames(-1)
	for _, e := range entries {
		if pid, err := strconv.Atoi(e); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// add keeps those of pids that are in the group. Once the child has been
// reaped the group's number says something only if one of the processes known
// before is still in it afterwards: then it was the same group all the time.
func (p *procs) add(pids []int) int {
	met := map[int]int{}
	for _, pid := range pids {
		if _, known := p.others[pid]; known || pid == p.main || !p.inGroup(pid) {
			continue
		}
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			met[pid] = fd
		}
	}
	same := !p.reaped
	for pid, pr := range p.others {
		same = same || p.inGroup(pid) && !exited(pr.pidfd)
	}
	for pid, fd := range met {
		if !same || !p.inGroup(pid) {
			_ = unix.Close(fd)
			delete(met, pid)
			continue
		}
		p.keep(pid, fd)
	}
	return len(met)
}

func (p *procs) inGroup(pid int) bool {
	pgid, err := unix.Getpgid(pid)
	return err == nil && pgid == p.main
}

// release is called when the child has ended and is about to be reaped: from
// then on its group has no safe number, so that all others are met before.
func (p *procs) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.killed {
		p.collect()
	}
	p.reaped = true
}

// living are the processes besides the child that have not ended.
func (p *procs) living() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget()
	pids := make([]int, 0, len(p.others))
	for pid := range p.others {
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids
}

// over says that the child has been reaped and nobody else is left. On a busy
// machine a new process may not have got to its first call when all that were
// met have ended, nor may one that makes none: it is in a group that one of them
// was in or has made.
// Another program's group that has got the number of one is taken for it, and
// then nothing but the listener's end says so.
func (p *procs) over() bool {
	if len(p.living()) > 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reaped && !slices.ContainsFunc(processes(), func(pid int) bool {
		state, pgid := stateOf(pid)
		return state != 0 && state != 'Z' && state != 'X' && (pgid == p.main || p.groups[pgid])
	})
}

// stateOf is a process's state letter and its group, 0 when it is no more.
func stateOf(pid int) (state byte, pgid int) {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 3 {
		return 0, 0
	}
	pgid, _ = strconv.Atoi(string(f[2]))
	return f[0][0], pgid
}

// kill ends all processes.
func (p *procs) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		_ = unix.Kill(-p.main, unix.SIGKILL)
		p.killed = true
	} else {
		// One that was started since is met too, and cannot start another:
		// who is stopped does not fork.
		for more := 1; more > 0; more = p.collect() {
			p.signal(unix.SIGSTOP)
		}
	}
	p.signal(unix.SIGKILL)
}

// await waits until those that have got SIGKILL have ended.
func (p *procs) await(deadline time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for pid, pr := range p.others {
		if _, err := poll(pr.pidfd, deadline); err != nil {
			return fmt.Errorf("process %d of the tree was still alive %v after SIGKILL", pid, killWait)
		}
	}
	return nil
}

func (p *procs) signal(sig unix.Signal) {
	for _, pr := range p.others {
		_ = unix.PidfdSendSignal(pr.pidfd, sig, nil, 0)
	}
}

func (p *procs) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pr := range p.others {
		_ = unix.Close(pr.pidfd)
	}
	p.others, p.threads, p.lost = nil, nil, nil
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
	n, _ := strconv.Atoi(string(bytes.TrimSpace(line)))
	return n
}

// Parent is the parent process of pid, 0 when it has ended.
func Parent(pid int) int { return statusField(pid, "PPid:") }

// Living are the processes of the tree besides the child itself that have not
// ended, sorted. Once the child has ended, one that has made no call of the set
// since it was started may be missing.
func (t *Tree) Living() []int {
	t.procs.meet()
	return t.procs.living()
}

// meet takes note of those in the group that have not made a call.
func (p *procs) meet() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.collect()
}
