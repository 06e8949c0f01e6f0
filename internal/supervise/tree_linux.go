package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
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
	hungUp   time.Time // of the first POLLHUP while the child lived
	killed   bool
	done     chan struct{} // closed when the child has been reaped
	procs    procs
	un       unwinder
	target   *goProgram // of StartProgram, or own
	own      *goProgram // of ReadOwn
	self     *goProgram // this binary, where C code in it makes calls
	ahead    []notif    // received by Arrived, oldest first
	tracers  tracers
	// cancelled remembers, by thread, a call whose notification a signal
	// took back: it comes again and is not a new boundary.
	cancelled map[int]seccompData
	// said is the answer to the child's latest message, by its number.
	saidSeq uint64
	said    notifResp
	held    *held // nil: nothing is
	// standIns are files of memory that were handed out in the place of others.
	standIns map[identity]*standsFor
	devices  []int // those of the present run that stand for a random device
	// sentTo is the thread in whose place the last signal was sent.
	sentTo  int
	sentErr int32
}

const (
	handoverPrefix = "tmpproof-listener:"
	// OpUser is the first message number that is not the package's own.
	OpUser = 16
)

// Start starts cmd as a supervised child; the program must call Attach before
// the deadline. It returns when the child's self-test has passed. Where the
// mechanism does not work the error is an *UnsupportedError with the reason;
// ErrEarlyExit when the child ended without calling Attach, and cmd then has
// its ProcessState.
//
// The child leads a process group of its own, or a session if cmd asks for
// one. It is killed when the thread that started it ends, so that the calling
// goroutine must be locked to a thread that lives as long as the child.
// What cmd runs is left alone otherwise, but for one more of its ExtraFiles and
// a variable of its environment.
func Start(cmd *exec.Cmd, set Set, deadline time.Time) (*Tree, error) {
	if err := contain(cmd); err != nil {
		return nil, err
	}
	return begin(cmd, set, nil, deadline)
}

// begin starts a child that may be contained or not.
func begin(cmd *exec.Cmd, set Set, know *Knowledge, deadline time.Time) (*Tree, error) {
	if set&(Names|Creates) == 0 || set&^(Names|Creates|Data|Reads|Held|Uses) != 0 || set&Held != 0 && know == nil {
		return nil, fmt.Errorf("set %#x of system calls: it must have Names or Creates", set)
	}
	if len(archCalls) == 0 {
		return nil, &UnsupportedError{"linux/" + runtime.GOARCH + " has no table of system calls yet: use amd64 or arm64"}
	}
	sp, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := sp[0], os.NewFile(uintptr(sp[1]), "supervise")
	defer unix.Close(ours)
	cmd.ExtraFiles = append(cmd.ExtraFiles, theirs)
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d:%d", envVar, 2+len(cmd.ExtraFiles), set))
	t := &Tree{cmd: cmd, listener: -1, done: make(chan struct{}), cancelled: map[int]seccompData{}, standIns: map[identity]*standsFor{}}
	t.procs.child = process{pidfd: -1}
	if know != nil {
		err = t.startHeld(cmd, *know)
	} else {
		err = cmd.Start()
	}
	theirs.Close()
	if err != nil {
		return nil, err
	}
	t.pid = cmd.Process.Pid
	t.procs.main, t.procs.most, t.procs.child.pid = t.pid, maxProcesses, t.pid
	go t.reap()
	if err := t.receive(ours, deadline); err != nil {
		return nil, errors.Join(err, t.Kill())
	}
	if know != nil {
		t.Hold(*know) // now that its number is known
	}
	if err := t.checkSelfTest(deadline); err != nil {
		return nil, errors.Join(err, t.Kill())
	}
	return t, nil
}

// contain makes the child one that can be ended with all that it starts.
func contain(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	attr := cmd.SysProcAttr
	switch {
	case attr.Setpgid && attr.Pgid != 0 || attr.Foreground:
		return errors.New("a supervised child leads its own process group")
	case !attr.Setsid:
		attr.Setpgid = true
	}
	if attr.Pdeathsig == 0 {
		attr.Pdeathsig = syscall.SIGKILL
	}
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = killWait
	}
	return nil
}

// reap waits for the child's end. Before the child's number becomes free, the
// rest of its group is met.
func (t *Tree) reap() {
	defer close(t.done)
	for unix.Waitid(unix.P_PID, t.pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	t.procs.release()
	_ = t.cmd.Wait() // what it says is in ProcessState
}

// receive waits for the listener.
func (t *Tree) receive(sock int, deadline time.Time) error {
	for {
		_, err := poll(sock, earlier(deadline, glance))
		if err == nil {
			break
		}
		if err != os.ErrDeadlineExceeded || !time.Now().Before(deadline) {
			return fmt.Errorf("waiting for the child to install its filter: %w (%s)", err, doing(t.pid))
		}
		select {
		case <-t.done: // and something that it had started holds the socket
			return ErrEarlyExit
		default:
		}
	}
	msg, oob := make([]byte, 1024), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := unix.Recvmsg(sock, msg, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return fmt.Errorf("the child's listener: %w", err)
	}
	if n == 0 {
		if _, err := t.Wait(earlier(deadline, killWait)); err != nil {
			return errors.New("the child has closed the descriptor that leads to its supervisor, and goes on")
		}
		return ErrEarlyExit
	}
	mode, ok := strings.CutPrefix(string(msg[:n]), handoverPrefix)
	if !ok {
		return &UnsupportedError{string(msg[:n])}
	}
	scms, err := unix.ParseSocketControlMessage(oob[:oobn])
	var fds []int
	if err == nil && len(scms) == 1 {
		fds, err = unix.ParseUnixRights(&scms[0])
	}
	if err != nil || len(fds) != 1 {
		return errors.Join(errors.New("the child's listener did not arrive (no free descriptor?)"), err)
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

// send answers a notification. A call that is no longer there (its process
// was killed, or a signal took it back) is no error.
func (t *Tree) send(ev *Event, r notifResp) {
	if ev.done || t.listener < 0 {
		return
	}
	ev.done = true
	if ev.Type == Message {
		t.saidSeq, t.said = ev.Args[4], r
	}
	r.id = ev.id
	if ioctl(t.listener, ioctlSend, unsafe.Pointer(&r)) == unix.ENOENT && !t.killable {
		t.cancelled[ev.TID] = ev.data
	}
}

// Continue lets the call go on in the kernel. Of several answers to one event
// the first counts.
func (t *Tree) Continue(ev *Event) {
	if ev.made && !ev.done {
		t.sendFor(ev)
		return
	}
	if ev.Kind == Refused {
		t.Fail(ev, unix.ENOSYS)
		return
	}
	if t.standIn(ev) {
		return
	}
	t.tracers.let(ev)
	t.send(ev, notifResp{flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE})
}

// Fail makes the call return errno without having run.
func (t *Tree) Fail(ev *Event, errno unix.Errno) { t.send(ev, notifResp{error: -int32(errno)}) }

// Answer makes the call return val without having run. A value from -4095 to
// -1 is an errno, as for every system call.
func (t *Tree) Answer(ev *Event, val int64) { t.send(ev, notifResp{val: val}) }

// killWait bounds how long Kill waits for the tree's last process. One with a
// mount namespace of its own takes seconds to end on a busy machine.
const killWait = 20 * time.Second

// Kill ends every process of the tree, at a boundary if it stands at one: a
// stopped call does not run. It returns when all are gone and the child has
// been reaped, with an error if that took more than 20 s. It can be called
// again; of the other methods only PID and Wait can be used afterwards.
func (t *Tree) Kill() error {
	if t.killed {
		return nil
	}
	t.killed = true
	err := t.killAll(time.Now().Add(killWait))
	if t.listener >= 0 {
		_ = unix.Close(t.listener)
		t.listener = -1
	}
	t.forgetDevices()
	if t.tracers.any.Load() {
		t.tracers.await(time.Now().Add(killWait))
	}
	if t.self != nil {
		_ = t.self.file.Close()
	}
	t.procs.close()
	t.un.close()
	if t.own != nil {
		_ = t.own.file.Close()
		t.own = nil
	}
	return err
}

func (t *Tree) killAll(deadline time.Time) error {
	t.procs.kill()
	for t.listener >= 0 && !t.gone {
		// Whoever is not known makes itself known by its next call. It stays
		// unanswered: it dies where it stands.
		ev, err := t.Next(earlier(deadline, glance))
		if err == nil && ev.Type == Gone {
			break
		}
		if !time.Now().Before(deadline) {
			return fmt.Errorf("processes of the child were still alive %v after SIGKILL: %v", killWait, t.procs.living())
		}
		t.procs.kill()
	}
	if _, err := t.Wait(deadline); err != nil {
		return fmt.Errorf("the child could not be reaped within %v of SIGKILL", killWait)
	}
	return t.procs.await(deadline)
}

// Wait gives the child's end when it has come, at the deadline
// os.ErrDeadlineExceeded. What the child had started may still run.
func (t *Tree) Wait(deadline time.Time) (*os.ProcessState, error) {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-t.done:
		return t.cmd.ProcessState, nil
	case <-timer.C:
		return nil, os.ErrDeadlineExceeded
	}
}
