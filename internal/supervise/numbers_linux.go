package supervise

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/tmpproof/tmpproof/internal/still"
	"golang.org/x/sys/unix"
)

// heldCall is a call of the Held set. when are the conditions one of which
// stops it; none means always.
type heldCall struct {
	nr     uint32
	when   []cond
	answer func(*Tree, *Event) bool // false: the kernel answers
}

// cond is a condition on the low half of an argument.
type cond struct {
	arg int8
	op  uint16
	k   uint32
}

func equal(arg int8, k uint32) cond { return cond{arg, unix.BPF_JEQ, k} }
func made(arg int8) []cond          { return []cond{{arg, unix.BPF_JGE, still.FirstNumber}} }

// heldCalls are the calls that are about knowledge and chance. The first ones
// are those that a program makes before it has looked at either: a C library's,
// Go's.
var heldCalls = append([]heldCall{
	{nr: unix.SYS_BRK},
	{nr: unix.SYS_SET_TID_ADDRESS},
	{nr: unix.SYS_SCHED_GETAFFINITY, answer: misleads(0)},
	{nr: unix.SYS_CLOCK_GETTIME, when: []cond{equal(0, unix.CLOCK_REALTIME), equal(0, clockCoarse), equal(0, unix.CLOCK_REALTIME_ALARM), equal(0, unix.CLOCK_TAI)}, answer: answerClock},
	{nr: unix.SYS_GETTIMEOFDAY, answer: answerTimeOfDay},
	{nr: unix.SYS_GETRANDOM, answer: answerRandom},
	{nr: unix.SYS_GETPID, answer: answerPID},
	{nr: unix.SYS_GETPPID, answer: answerPPID},
	{nr: unix.SYS_GETTID, answer: answerTID},
	{nr: unix.SYS_GETPGID, answer: answerGroup(unix.Getpgid)},
	{nr: unix.SYS_GETSID, answer: answerGroup(unix.Getsid)},
	{nr: unix.SYS_PIDFD_OPEN, when: made(0), answer: answerPidfd},
	{nr: unix.SYS_WAIT4, when: made(0), answer: misleads(0)},
	{nr: unix.SYS_WAITID, when: made(1), answer: misleads(1)},
	{nr: unix.SYS_RT_SIGQUEUEINFO, when: made(0), answer: misleads(0)},
	{nr: unix.SYS_RT_TGSIGQUEUEINFO, when: made(0), answer: misleads(0)},
	{nr: unix.SYS_PRLIMIT64, when: made(0), answer: misleads(0)},
	{nr: unix.SYS_GETPRIORITY, when: made(1), answer: misleads(1)},
	{nr: unix.SYS_SETPRIORITY, when: made(1), answer: misleads(1)},
	{nr: unix.SYS_SCHED_SETAFFINITY, when: made(0), answer: misleads(0)},
	{nr: unix.SYS_SCHED_SETSCHEDULER, when: made(0), answer: misleads(0)},
	{nr: unix.SYS_SCHED_GETSCHEDULER, when: made(0), answer: misleads(0)},
	{nr: unix.SYS_SCHED_SETPARAM, when: made(0), answer: misleads(0)},
	{nr: unix.SYS_SCHED_GETPARAM, when: made(0), answer: misleads(0)},
	{nr: unix.SYS_PROCESS_VM_READV, when: made(0), answer: misleads(0)},
	{nr: unix.SYS_PROCESS_VM_WRITEV, when: made(0), answer: misleads(0)},
	{nr: unix.SYS_PTRACE, when: made(1), answer: misleads(1)},
}, archHeldCalls...)

var heldTable = sync.OnceValue(func() map[uint32]*heldCall {
	table := map[uint32]*heldCall{}
	for i := range heldCalls {
		table[heldCalls[i].nr] = &heldCalls[i]
	}
	return table
})

// misleads notes a made-up number in a call that nobody can make in the
// caller's place.
func misleads(arg int) func(*Tree, *Event) bool {
	return func(t *Tree, ev *Event) bool {
		if n := int(int32(ev.Args[arg])); t.held.numbers != nil && still.IsMade(n) {
			t.mislead(fmt.Sprintf("system call %d is about process %d", ev.data.nr, n))
		}
		return false
	}
}

func (t *Tree) mislead(how string) {
	if t.held.misled == "" {
		t.held.misled = how
	}
}

// number is the made-up number of a process.
func (t *Tree) number(pr *process) int {
	if h := &pr.held; h.numbers != t.held.numbers {
		t.held.numbers.Forget(pr.pid)
		h.numbers, h.number = t.held.numbers, t.held.numbers.Of(pr.pid)
	}
	return pr.held.number
}

// numberOf is the made-up number of a process of the tree or of its parent, and
// the real one of any other.
func (t *Tree) numberOf(pid int) int {
	switch pid {
	case t.pid:
		return t.number(&t.procs.child)
	case os.Getpid():
		return t.held.numbers.Of(pid)
	}
	t.procs.mu.Lock()
	pr := t.procs.others[pid]
	t.procs.mu.Unlock()
	if pr == nil || exited(pr.pidfd) {
		return pid
	}
	return t.number(pr)
}

// Numbers are the process numbers that the child sees as its own and as its
// parent's.
func (t *Tree) Numbers() (pid, ppid int) {
	if t.held == nil || t.held.numbers == nil {
		return t.pid, os.Getpid()
	}
	return t.number(&t.procs.child), t.held.numbers.Of(os.Getpid())
}

func answerPID(t *Tree, ev *Event) bool {
	if t.held.numbers == nil {
		return false
	}
	t.Answer(ev, int64(t.number(ev.proc)))
	return true
}

func answerTID(t *Tree, ev *Event) bool {
	if ev.TID != ev.PID { // a thread: its number is no part of any name, and C libraries know it already
		return false
	}
	return answerPID(t, ev)
}

func answerPPID(t *Tree, ev *Event) bool {
	if t.held.numbers == nil {
		return false
	}
	ppid := os.Getpid()
	if ev.PID != t.pid {
		if ppid = Parent(ev.PID); ppid == 0 {
			return false
		}
	}
	t.Answer(ev, int64(t.numberOf(ppid)))
	return true
}

// answerGroup answers getpgid and getsid.
func answerGroup(get func(int) (int, error)) func(*Tree, *Event) bool {
	return func(t *Tree, ev *Event) bool {
		if t.held.numbers == nil {
			return false
		}
		pid := int(int32(ev.Args[0]))
		if pid == 0 || ev.data.nr == getpgrp {
			pid = ev.PID
		} else if still.IsMade(pid) {
			real, ok := t.realOf(pid)
			if !ok {
				return false // ESRCH
			}
			pid = real
		}
		group, err := get(pid)
		if err != nil {
			return false
		}
		t.Answer(ev, int64(t.numberOf(group)))
		return true
	}
}

// realOf is the living process of a made-up number.
func (t *Tree) realOf(number int) (int, bool) {
	pid, ok := t.held.numbers.Real(number)
	if !ok || t.numberOf(pid) != number {
		return 0, false // it has ended; its number may be a stranger's by now
	}
	return pid, true
}

// answerPidfd opens a process by its made-up number, and gives the caller the
// descriptor.
func answerPidfd(t *Tree, ev *Event) bool {
	if t.held.numbers == nil {
		return false
	}
	pid, ok := t.realOf(int(int32(ev.Args[0])))
	if !ok {
		return false
	}
	fd, err := unix.PidfdOpen(pid, int(ev.Args[1]))
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	theirs, ok := t.handOver(ev, fd, unix.O_CLOEXEC)
	if ok {
		t.Answer(ev, theirs)
	}
	return ok
}

// handOver gives the caller a copy of a descriptor, with O_CLOEXEC or not.
func (t *Tree) handOver(ev *Event, fd int, flags uint32) (int64, bool) {
	add := notifAddFD{id: ev.id, srcfd: uint32(fd), newflags: flags}
	r, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(t.listener), ioctlAddFD, uintptr(unsafe.Pointer(&add)))
	return int64(r), errno == 0
}

// translate puts the real numbers into a signal's event.
func (t *Tree) translate(ev *Event) {
	if t.held == nil || t.held.numbers == nil {
		return
	}
	switch ev.Name {
	case "kill", "tkill", "tgkill":
		n := int(int32(ev.Args[0]))
		sign := 1
		if n < 0 {
			n, sign = -n, -1
		}
		if !still.IsMade(n) {
			return
		}
		ev.made = true
		if pid, ok := t.realOf(n); ok {
			ev.Args[0] = uint64(uint32(int32(sign * pid)))
			if tid := int(int32(ev.Args[1])); ev.Name == "tgkill" && tid == n {
				ev.Args[1] = uint64(pid)
			}
		} else {
			ev.Args[0] = 0 // nobody
		}
	case "setpgid":
		if still.IsMade(int(int32(ev.Args[0]))) || still.IsMade(int(int32(ev.Args[1]))) {
			t.mislead("setpgid is about process " + strconv.Itoa(int(int32(max(ev.Args[0], ev.Args[1])))))
		}
	}
	for _, p := range ev.Paths {
		if rest, ok := strings.CutPrefix(p.Raw, "/proc/"); ok {
			first, _, _ := strings.Cut(rest, "/")
			if n, err := strconv.Atoi(first); err == nil && still.IsMade(n) {
				t.mislead("it looks at /proc/" + first)
			}
		}
	}
}

// sendFor sends a signal in the caller's place, to the process that it means.
func (t *Tree) sendFor(ev *Event) {
	if ev.Repeat && t.sentTo == ev.TID {
		t.send(ev, notifResp{error: t.sentErr}) // it was sent before a signal took the call back
		return
	}
	var err error = unix.ESRCH
	if pid := int(int32(ev.Args[0])); pid != 0 {
		err = t.signal(ev.Name, pid, ev)
	}
	t.sentTo, t.sentErr = ev.TID, 0
	if errno, ok := err.(unix.Errno); ok {
		t.sentErr = -int32(errno)
	}
	t.send(ev, notifResp{error: t.sentErr})
}

func (t *Tree) signal(call string, pid int, ev *Event) error {
	t.procs.mu.Lock()
	defer t.procs.mu.Unlock()
	whose := max(pid, -pid)
	pr := t.procs.others[whose]
	switch {
	case whose == os.Getpid():
	case whose == t.pid && t.procs.reaped, whose != t.pid && (pr == nil || exited(pr.pidfd)):
		return unix.ESRCH
	}
	switch call {
	case "kill":
		return unix.Kill(pid, unix.Signal(ev.Args[1]))
	case "tkill":
		return unix.Tgkill(pid, pid, unix.Signal(ev.Args[1]))
	default:
		return unix.Tgkill(pid, int(int32(ev.Args[1])), unix.Signal(ev.Args[2]))
	}
}
