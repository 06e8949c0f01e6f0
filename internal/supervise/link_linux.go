package supervise

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// envVar tells the child which descriptor leads to its parent, and which set
// of calls to stop at: "3:1".
const envVar = "TMPPROOF_SUPERVISE"

// hyperFD is the descriptor of an fsync that is no fsync but a message to the
// parent. It is never open: without a parent the kernel answers EBADF.
const hyperFD = 0x746d7070

// Child is the child's end. After Attach there is no descriptor behind it, so
// that a victim that closes everything cannot cut it: messages are system
// calls that the parent answers.
type Child struct {
	seq atomic.Uint64 // tells a message that a signal made come twice
}

// maxMessage is how much of a message the parent reads, in bytes.
const maxMessage = 1 << 20

// Attach installs the filter on all threads of this process and hands the
// listener to the parent. From here on every call of the chosen set, in this
// process and in what it starts, waits for the parent's answer. The filter
// cannot be taken off again.
//
// Once in the life of a process, before it has started others that are to be
// watched: what runs already is not.
func Attach() (*Child, error) {
	v := os.Getenv(envVar)
	if err := os.Unsetenv(envVar); err != nil {
		return nil, err
	}
	fds, sets, ok := strings.Cut(v, ":")
	ctl, err := strconv.Atoi(fds)
	set, err2 := strconv.Atoi(sets)
	if !ok || err != nil || err2 != nil {
		return nil, fmt.Errorf("%s=%q: this process was not started by a supervisor", envVar, v)
	}
	if cred, err := unix.GetsockoptUcred(ctl, unix.SOL_SOCKET, unix.SO_PEERCRED); err != nil || int(cred.Pid) != os.Getppid() {
		return nil, fmt.Errorf("descriptor %d, which led to the supervisor, was closed or reused before this call", ctl)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, tid := os.Getpid(), unix.Gettid() // the real ones
	if err := install(ctl, Set(set)); err != nil {
		// The parent reads the reason; nothing is filtered yet.
		_ = unix.Sendmsg(ctl, []byte(err.Error()), nil, nil, unix.MSG_NOSIGNAL)
		return nil, err
	}
	c := &Child{}
	return c, c.selfTest(pid, tid)
}

// install installs the filter and hands the listener over. What other threads
// are stopped at meanwhile waits until the parent serves; this thread waits for
// none of them (see filterAndSend).
func install(ctl int, set Set) error {
	p := program(set)
	prog := &unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	h, flags := newHandover("killable"), uint(filterFlags|waitKillable)
	nnp := false
	for {
		fd, errno, sent := undisturbed(prog, flags, ctl, h)
		switch {
		case errno == 0:
			// A copy of the listener in the child would keep a dead
			// supervisor's callers waiting for ever.
			_ = unix.Close(fd)
			_ = unix.Close(ctl)
			if sent != 0 {
				return fmt.Errorf("handing the listener over: %w", sent)
			}
			return nil
		case errno == unix.EACCES && !nnp:
			// Without CAP_SYS_ADMIN. Root keeps its set-uid children.
			if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
				return fmt.Errorf("prctl(PR_SET_NO_NEW_PRIVS): %w", err)
			}
			nnp = true
		case errno == unix.EINVAL && flags&waitKillable != 0:
			h, flags = newHandover("interruptible"), flags&^waitKillable // before 5.19
		default:
			return fmt.Errorf("seccomp(SECCOMP_SET_MODE_FILTER, NEW_LISTENER|TSYNC): %w%s", errno, because(errno))
		}
	}
}

// undisturbed is filterAndSend with this thread's signals blocked.
func undisturbed(prog *unix.SockFprog, flags uint, ctl int, h *handover) (fd int, filter, send unix.Errno) {
	all, before := unix.Sigset_t{}, unix.Sigset_t{}
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err != nil {
		return -1, err.(unix.Errno), 0
	}
	fd, filter, send = filterAndSend(prog, flags, ctl, h)
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	return fd, filter, send
}

// because says what an errno of seccomp(2) means here.
func because(errno unix.Errno) string {
	switch errno {
	case unix.EBUSY:
		return " (another seccomp listener watches this process already: a container manager, or a supervisor that supervises)"
	case unix.EINVAL:
		return " (a kernel before 5.7, or one without listeners such as gVisor)"
	case unix.ENOSYS:
		return " (the kernel or a sandbox has no seccomp)"
	case unix.EPERM, unix.EACCES:
		return " (a sandbox refuses seccomp)"
	case unix.ESRCH:
		return " (a thread of this process has another filter)"
	}
	return ""
}

// ErrEarlyExit is returned by Start when the child ended before it called
// Attach.
var ErrEarlyExit = errors.New("the child ended before it was supervised")

// errGone is what a child gets when its parent is no longer there.
var errGone = errors.New("the supervisor is gone")

// Call sends a message of at most 1 MiB to the parent and waits for its answer.
// data is read by the parent before it answers. One message goes at a time.
func (c *Child) Call(op uint32, data []byte) (int64, error) {
	if len(data) > maxMessage {
		return 0, fmt.Errorf("a message of %d bytes, more than %d", len(data), maxMessage)
	}
	var p unsafe.Pointer
	if len(data) > 0 {
		p = unsafe.Pointer(unsafe.SliceData(data))
	}
	r, _, errno := unix.Syscall6(unix.SYS_FSYNC, hyperFD, uintptr(op), uintptr(p), uintptr(len(data)), uintptr(c.seq.Add(1)), 0)
	runtime.KeepAlive(data)
	if errno != 0 {
		return 0, errGone
	}
	return int64(r), nil
}
