package supervise

import (
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A call that waits until it is met sleeps where a signal wakes it, and then
// fails with EINTR if the signal's handler was installed without SA_RESTART: a
// shell's for SIGCHLD. The kernel alone would not have done that: most of these
// calls, fork and stat among them, never fail so. Nothing of it comes to the
// listener. So a process that installs such a handler gets a tracer
// (ptrace(2)), which sees each signal before its handler is called, and has the
// call begin anew behind it where the wait was what the signal cut short.

// tracers are those of a tree.
type tracers struct {
	any     atomic.Bool // there were some
	mu      sync.Mutex
	threads map[int]bool        // that are traced
	entered map[int]seccompData // calls of these that were let go and that can wait: what a signal interrupts there is the kernel's affair
	running sync.WaitGroup
}

const (
	eRESTARTSYS    = 512 // how the kernel names an interrupted call before it knows the handler
	eRESTARTNOINTR = 513
	saRestart      = 0x10000000 // SA_RESTART

	traceForks = unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEEXEC
)

// handles looks at a call of rt_sigaction, and begins to trace the process if
// its handler ends calls. It returns when the process is traced. The child
// itself is left out: a Go program's handlers have SA_RESTART.
func (t *Tree) handles(ev *Event) {
	var act [2]uint64 // the handler, and its flags
	if ev.PID == t.pid || readWords(ev.TID, ev.Args[1], act[:], 16) != nil || act[0] <= 1 || act[1]&saRestart != 0 {
		return
	}
	tr := &t.tracers
	tr.mu.Lock()
	known := tr.threads[ev.TID]
	tr.mu.Unlock()
	if known {
		return
	}
	ready := make(chan struct{})
	tr.running.Go(func() { tr.trace(ev.PID, ready) })
	<-ready
}

// let notes that a call is about to be let go.
func (tr *tracers) let(ev *Event) {
	if !tr.any.Load() || !ev.interruptible() {
		return
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.threads[ev.TID] {
		tr.entered[ev.TID] = ev.data
	}
}

// meets notes that a thread stands at a call: the one before is over.
func (tr *tracers) meets(tid int) {
	if !tr.any.Load() {
		return
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	delete(tr.entered, tid)
}

func (tr *tracers) add(tid int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.threads == nil {
		tr.threads, tr.entered = map[int]bool{}, map[int]seccompData{}
	}
	tr.threads[tid] = true
	tr.any.Store(true)
}

func (tr *tracers) remove(tid int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	delete(tr.threads, tid)
	delete(tr.entered, tid)
}

// trace traces a process and what it forks, until all have ended or run
// another program. A tracer is a thread, so that this goroutine keeps its own.
func (tr *tracers) trace(pid int, ready chan struct{}) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for more := true; more; {
		more = false
		tasks, _ := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
		for _, task := range tasks {
			tid, err := strconv.Atoi(task.Name())
			if err == nil && ptrace(unix.PTRACE_SEIZE, tid, 0, traceForks) == 0 {
				tr.add(tid)
				more = true // another one may have come to be meanwhile
			}
		}
	}
	close(ready)
	for {
		var info siginfoChild
		_, _, errno := unix.Syscall6(unix.SYS_WAITID, unix.P_ALL, 0, uintptr(unsafe.Pointer(&info)), unix.WEXITED|unix.WSTOPPED|unix.WNOWAIT|unix.WALL|unix.WNOTHREAD, 0, 0)
		switch {
		case errno == unix.EINTR:
			continue
		case errno != 0:
			return // ECHILD: none is left
		case !tracedHere(int(info.pid)):
			// A child that another goroutine has started from this thread, and
			// will reap.
			time.Sleep(time.Millisecond)
			continue
		}
		var status unix.WaitStatus
		tid, err := unix.Wait4(int(info.pid), &status, unix.WALL|unix.WNOTHREAD|unix.WNOHANG, nil)
		switch {
		case err != nil || tid == 0:
		case !status.Stopped():
			tr.remove(tid)
		default:
			tr.stopped(tid, status)
		}
	}
}

// siginfoChild is siginfo_t as waitid(2) fills it in.
type siginfoChild struct {
	signo, errno, code, _ int32
	pid                   int32
	_                     [128 - 20]byte
}

// tracedHere says that a thread's tracer is this one.
func tracedHere(tid int) bool { return statusField(tid, "TracerPid:") == unix.Gettid() }

// stopped sends a traced thread on.
func (tr *tracers) stopped(tid int, status unix.WaitStatus) {
	sig := status.StopSignal()
	switch int(status) >> 16 {
	case 0: // a signal is about to be delivered
		tr.deliver(tid, sig)
	case unix.PTRACE_EVENT_EXEC: // which takes all handlers away
		tr.remove(tid)
		ptrace(unix.PTRACE_DETACH, tid, 0, 0)
	case unix.PTRACE_EVENT_STOP:
		tr.add(tid) // new ones begin so
		if sig != unix.SIGTRAP {
			ptrace(unix.PTRACE_LISTEN, tid, 0, 0) // SIGSTOP and the like: until SIGCONT
			return
		}
		fallthrough
	default:
		ptrace(unix.PTRACE_CONT, tid, 0, 0)
	}
}

// cutShort says that a signal has interrupted a thread's wait to be met at a
// call, and not the call itself.
func (tr *tracers) cutShort(tid int, nr uint64, ip uint64, args []uint64) bool {
	switch {
	case nr == unix.SYS_WAIT4 || nr == unix.SYS_WAITID:
		return false // which wait by themselves
	case specTable()[uint32(nr)] == nil && heldTable()[uint32(nr)] == nil:
		return false
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	last, ok := tr.entered[tid]
	if !ok || uint64(last.nr) != nr || last.ip != ip {
		return true
	}
	for i, a := range args {
		if last.args[i] != a {
			return true
		}
	}
	return false
}

// interruptible says that the kernel itself may end the call with EINTR, since
// it can wait for another process: at a FIFO, a pipe, a socket, a lock. Disks
// do not.
func (ev *Event) interruptible() bool {
	name := "/proc/" + strconv.Itoa(ev.TID) + "/fd/" + strconv.Itoa(ev.FD)
	switch {
	case ev.Kind == Special || ev.Kind == Lock:
		return true
	case ev.Kind == Open && len(ev.Paths) > 0:
		abs, err := ev.Abs(ev.Paths[0])
		if err != nil {
			return true
		}
		name = abs
	case (ev.Kind == Read || ev.Kind == Write) && ev.FD >= 0:
	default:
		return false
	}
	var st unix.Stat_t
	if unix.Stat(name, &st) != nil {
		return false // to be made
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR, unix.S_IFBLK:
		return false
	}
	return true
}

// await waits until the tracers have ended.
func (tr *tracers) await(deadline time.Time) {
	ended := make(chan struct{})
	go func() {
		tr.running.Wait()
		close(ended)
	}()
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
}

func ptrace(request, tid int, addr, data uintptr) unix.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0)
	return errno
}
