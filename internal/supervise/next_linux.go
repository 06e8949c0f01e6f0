package supervise

import (
	"fmt"
	"os"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// glance is how long to sleep before looking at what wakes nobody.
const glance = 200 * time.Millisecond

// told is what poll waits for. POLLERR alone says nothing of a listener: a
// signal came while the kernel waited for the lock that it looks under.
const told = unix.POLLIN | unix.POLLHUP

// poll waits until fd can be read or its other side is gone.
func poll(fd int, deadline time.Time) (int16, error) {
	// The next call is mostly a moment away: a short wait that does not
	// give the processor to another goroutine saves the way back.
	if revents := ready(fd, 200*time.Microsecond); revents&told != 0 {
		return revents, nil
	}
	p := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
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
		case p[0].Revents&unix.POLLNVAL != 0:
			return 0, unix.EBADF
		case n > 0 && p[0].Revents&told != 0:
			return p[0].Revents, nil
		}
	}
}

// ready is poll for a moment, or none, in which no goroutine can run in its
// place; 0 when there is nothing.
func ready(fd int, moment time.Duration) int16 {
	p, ts := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, unix.NsecToTimespec(int64(moment))
	if n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&ts)), 0, 0, 0); errno != 0 || n == 0 {
		return 0
	}
	return p[0].Revents
}

// Next waits for the next event: a call at its boundary, a message of the
// child, or Gone when every process of the tree has ended. At the deadline it
// returns os.ErrDeadlineExceeded, and the tree goes on waiting.
func (t *Tree) Next(deadline time.Time) (*Event, error) {
	since, wait := time.Now(), glance
	if t.held != nil {
		wait = idleGlance
	}
	for {
		if t.gone || t.listener < 0 {
			return &Event{Type: Gone, FD: -1}, nil
		}
		if ev := t.next(); ev != nil {
			return ev, nil
		}
		revents, err := poll(t.listener, earlier(deadline, wait))
		switch {
		case err == os.ErrDeadlineExceeded:
			since = t.idle(since)
			// Before Linux 6.11 a zombie that nobody reaps (its parent has
			// died, and process 1 does not care) keeps the listener open.
			if t.procs.over() {
				t.gone = true
			} else if !time.Now().Before(deadline) {
				return nil, os.ErrDeadlineExceeded
			}
			continue
		case err != nil:
			return nil, os.NewSyscallError("ppoll", err)
		case revents&unix.POLLIN == 0:
			// POLLHUP: no task uses the filter any more, or will in a moment.
			if err := t.hangup(deadline); err != nil {
				return nil, err
			}
			continue
		}
		since = time.Now()
		n, err := t.take()
		if err != nil {
			return nil, err
		}
		if n == nil {
			continue
		}
		if ev := t.met(n); ev != nil {
			return ev, nil
		}
	}
}

// take receives a notification; nil when it was withdrawn before it was read.
func (t *Tree) take() (*notif, error) {
	n := new(notif)
	t.hungUp = time.Time{}
	switch errno := ioctl(t.listener, ioctlRecv, unsafe.Pointer(n)); errno {
	case 0:
		return n, nil
	case unix.ENOENT, unix.EINTR:
		return nil, nil
	default:
		return nil, fmt.Errorf("receiving a notification: %w", errno)
	}
}

// met is the event of a notification, nil when there is nothing to tell.
func (t *Tree) met(n *notif) *Event {
	t.tracers.meets(int(n.pid))
	pr := t.procs.of(int(n.pid))
	if t.held != nil {
		t.holdClock(n, pr)
	}
	if t.answers(n, pr) {
		return nil
	}
	ev := t.decode(n, pr)
	if ev.Kind == Handler {
		t.handles(ev)
		t.Continue(ev)
		return nil
	}
	if t.answersStandIn(ev) {
		return nil
	}
	if ev.Type == Message && ev.Args[4] == t.saidSeq {
		t.send(ev, t.said) // a signal had taken it back
		return nil
	}
	return ev
}

// Arrived says that a thread stands at a call of which Next has not told yet.
// No file of /proc says so on each kernel: wchan does not on amd64 before Linux
// 5.16, and the call's number and arguments are those of the last one when it
// is one of many alike.
func (t *Tree) Arrived(tid int) bool {
	for t.listener >= 0 && !t.gone && ready(t.listener, 0)&unix.POLLIN != 0 {
		n, err := t.take()
		if err != nil {
			break // Next will say so
		}
		if n != nil {
			t.ahead = append(t.ahead, *n)
		}
	}
	return slices.ContainsFunc(t.ahead, func(n notif) bool { return int(n.pid) == tid })
}

// next is the oldest of what Arrived has received and nobody has withdrawn.
func (t *Tree) next() *Event {
	for len(t.ahead) > 0 {
		n := t.ahead[0]
		t.ahead = t.ahead[1:]
		if ioctl(t.listener, ioctlIDValid, unsafe.Pointer(&n.id)) != 0 {
			continue // by a signal, before Linux 5.19, or by its thread's end
		}
		if ev := t.met(&n); ev != nil {
			return ev
		}
	}
	return nil
}

// hangup ends the tree after a POLLHUP, which alone is not believed: a child
// that lives on has calls that nobody would see.
func (t *Tree) hangup(deadline time.Time) error {
	if _, err := t.Wait(earlier(deadline, glance)); err == nil {
		t.gone = true
		_ = t.procs.await(earlier(deadline, glance))
		return nil
	}
	if t.hungUp.IsZero() {
		t.hungUp = time.Now()
	}
	switch {
	case time.Since(t.hungUp) > killWait:
		return fmt.Errorf("the kernel says that nobody is supervised any more (POLLHUP), but the child has been alive for %v since", killWait)
	case !time.Now().Before(deadline):
		return os.ErrDeadlineExceeded
	}
	return nil
}

// earlier is the deadline, or a moment after now.
func earlier(deadline time.Time, d time.Duration) time.Time {
	if at := time.Now().Add(d); at.Before(deadline) {
		return at
	}
	return deadline
}
