package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Tree is a process and everything it starts, with each call of the chosen
// set stopped at its boundary. It is driven by one goroutine: Next gives the
// oldest stopped call, and exactly one of Continue, Fail and Answer lets it
// go; others wait in the kernel meanwhile.
type Tree struct {
	cmd      *exec.Cmd
	listener int
	pid      int
	killable bool // signals cannot cancel a notification
	gone     bool
	waited   chan error // the end of cmd.Wait, once
	waitErr  error
	procs    procs
	un       unwinder
	queue    notif // reused by RECV
	// cancelled remembers, by thread, a call whose notification a signal
	// took back: it comes again and is not a new boundary.
	cancelled map[int]seccompData
	last      map[int]seccompData // interruptible mode: the last answered call by thread
}

const (
	handover   = "tmpproof-listener:"
	opSelfTest = 1
	// OpUser is the first message number that is not the package's own.
	OpUser = 16
)

// Start starts cmd as a supervised child; the program must call Attach. It
// returns when the child's self-test has passed, or with the reason why the
// mechanism does not work here, as an *UnsupportedError. The calling
// goroutine should be locked to its thread: the child dies with the thread
// that started it where cmd asks for Pdeathsig.
func Start(cmd *exec.Cmd, set Set, deadline time.Time) (*Tree, error) {
	sp, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	ours, theirs := sp[0], os.NewFile(uintptr(sp[1]), "supervise")
	defer unix.Close(ours)
	cmd.ExtraFiles = append(cmd.ExtraFiles, theirs)
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d:%d", envVar, 2+len(cmd.ExtraFiles), set))
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return nil, err
	}
	t := &Tree{cmd: cmd, listener: -1, pid: cmd.Process.Pid, waited: make(chan error, 1),
		cancelled: map[int]seccompData{}, last: map[int]seccompData{}}
	t.procs.main = t.pid
	go func() { t.waited <- cmd.Wait() }()
	if err := t.receive(ours, deadline); err != nil {
		return nil, errors.Join(err, t.Kill())
	}
	if err := t.checkSelfTest(deadline); err != nil {
		return nil, errors.Join(&UnsupportedError{err.Error()}, t.Kill())
	}
	return t, nil
}

// receive waits for the listener.
func (t *Tree) receive(sock int, deadline time.Time) error {
	if err := pollIn(sock, deadline); err != nil {
		return fmt.Errorf("waiting for the child to install its filter: %w", err)
	}
	msg, oob := make([]byte, 1024), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := unix.Recvmsg(sock, msg, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return fmt.Errorf("the child's listener: %w", err)
	}
	if n == 0 {
		return ErrEarlyExit
	}
	mode, ok := strings.CutPrefix(string(msg[:n]), handover)
	if !ok {
		return &UnsupportedError{string(msg[:n])}
	}
	scms, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(scms) != 1 {
		return fmt.Errorf("the child's listener did not arrive: %w", err)
	}
	fds, err := unix.ParseUnixRights(&scms[0])
	if err != nil || len(fds) != 1 {
		return fmt.Errorf("the child's listener did not arrive: %w", err)
	}
	t.listener, t.killable = fds[0], mode == "killable"
	// Wakes the other side on this CPU; 6.6 and later, a mere speed-up.
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(t.listener), ioctlSetFlags, unix.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
	return nil
}

// PID is the child's process id.
func (t *Tree) PID() int { return t.pid }

// Exact says that the kernel reports each call exactly once (5.19 and later).
// Where it is false a signal may show a call twice, which is recognised but
// for rare cases: a clean verdict then needs a second look at any run whose
// boundaries differ from the expected ones.
func (t *Tree) Exact() bool { return t.killable }

// pollIn waits until fd can be read or its other side is gone.
func pollIn(fd int, deadline time.Time) error {
	_, err := poll(fd, deadline)
	return err
}

func poll(fd int, deadline time.Time) (int16, error) {
	p := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	// The next call is mostly a moment away: a short wait that does not
	// give the processor to another goroutine saves the way back.
	moment := unix.Timespec{Nsec: 200_000}
	if n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&moment)), 0, 0, 0); errno == 0 && n > 0 {
		return p[0].Revents, nil
	}
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return 0, os.ErrDeadlineExceeded
		}
		ts := unix.NsecToTimespec(int64(left))
		n, _, errno := unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return 0, errno
		case n > 0:
			return p[0].Revents, nil
		}
	}
}

// Next waits for the next event: a call at its boundary, a message of the
// child, or Gone when every process of the tree has ended. At the deadline it
// returns os.ErrDeadlineExceeded, and the tree goes on waiting.
func (t *Tree) Next(deadline time.Time) (*Event, error) {
	for {
		if t.gone {
			return &Event{Type: Gone}, nil
		}
		revents, err := poll(t.listener, deadline)
		if err != nil {
			return nil, err
		}
		if revents&unix.POLLIN == 0 {
			t.gone = true // POLLHUP: no task uses the filter any more
			continue
		}
		t.queue = notif{}
		switch errno := ioctl(t.listener, ioctlRecv, unsafe.Pointer(&t.queue)); errno {
		case 0:
			return t.decode(&t.queue), nil
		case unix.ENOENT, unix.EINTR: // withdrawn before it was read
		default:
			return nil, fmt.Errorf("receiving a notification: %w", errno)
		}
	}
}

// send answers a notification. A call that is no longer there (its process
// was killed, or a signal took it back) is no error.
func (t *Tree) send(ev *Event, r notifResp) {
	r.id = ev.id
	switch errno := ioctl(t.listener, ioctlSend, unsafe.Pointer(&r)); {
	case errno == 0:
		if !t.killable {
			t.last[ev.TID] = ev.data
		}
	case errno == unix.ENOENT:
		t.cancelled[ev.TID] = ev.data
	}
}

// Continue lets the call go on in the kernel.
func (t *Tree) Continue(ev *Event) {
	t.send(ev, notifResp{flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE})
}

// Fail makes the call return errno without having run.
func (t *Tree) Fail(ev *Event, errno unix.Errno) { t.send(ev, notifResp{error: -int32(errno)}) }

// Answer makes the call return val without having run.
func (t *Tree) Answer(ev *Event, val int64) { t.send(ev, notifResp{val: val}) }

// killWait bounds how long Kill waits for the tree's last process.
const killWait = 5 * time.Second

// Kill ends every process of the tree, at a boundary if it stands at one: a
// stopped call does not run. It returns when all are gone. Next, Continue and
// the like must not be used afterwards.
func (t *Tree) Kill() error {
	deadline := time.Now().Add(killWait)
	err := t.killAll(deadline)
	if t.listener >= 0 {
		_ = unix.Close(t.listener)
		t.listener = -1
	}
	t.procs.close()
	t.un.close()
	return err
}

func (t *Tree) killAll(deadline time.Time) error {
	for {
		_ = unix.Kill(-t.pid, unix.SIGKILL) // the group: it is the child's own
		_ = t.cmd.Process.Kill()
		t.procs.kill()
		if t.listener < 0 || t.gone {
			break
		}
		// Whoever is not yet known makes itself known by its next call.
		ev, err := t.Next(minTime(deadline, time.Now().Add(20*time.Millisecond)))
		if err == nil {
			if ev.Type == Gone {
				break
			}
			continue // stays unanswered: it dies where it stands
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes of the child were still alive %v after SIGKILL", killWait)
		}
	}
	select {
	case t.waitErr = <-t.waited:
		t.waited <- t.waitErr
		return nil
	case <-time.After(time.Until(deadline)):
		return fmt.Errorf("the child could not be reaped within %v of SIGKILL", killWait)
	}
}

// Wait gives the child's end when it has come, at the deadline
// os.ErrDeadlineExceeded.
func (t *Tree) Wait(deadline time.Time) (*os.ProcessState, error) {
	select {
	case t.waitErr = <-t.waited:
		t.waited <- t.waitErr
		return t.cmd.ProcessState, nil
	case <-time.After(time.Until(deadline)):
		return nil, os.ErrDeadlineExceeded
	}
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
