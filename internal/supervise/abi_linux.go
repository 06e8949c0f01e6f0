package supervise

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel's structures and numbers that x/sys/unix does not have
// (seccomp_unotify(2), include/uapi/linux/seccomp.h).

type seccompData struct {
	nr   int32
	arch uint32
	ip   uint64
	args [6]uint64
}

type notif struct {
	id    uint64
	pid   uint32 // the thread's id in our pid namespace, 0 if it has none there
	flags uint32
	data  seccompData
}

type notifResp struct {
	id    uint64
	val   int64
	error int32 // a negative errno
	flags uint32
}

// notifAddFD puts a copy of srcfd at newfd of the stopped task.
type notifAddFD struct {
	id       uint64
	flags    uint32
	srcfd    uint32
	newfd    uint32
	newflags uint32
}

const (
	ioctlRecv     = 0xc0502100
	ioctlSend     = 0xc0182101
	ioctlIDValid  = 0x40082102
	ioctlAddFD    = 0x40182103
	ioctlSetFlags = 0x40082104

	filterFlags = unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	// waitKillable keeps signals from cancelling a notification (5.19).
	waitKillable = unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
)

// seccomp data offsets, for the filter.
const (
	offNr   = 0
	offArch = 4
)

// offArg is where the low half of an argument is; both architectures are
// little-endian.
func offArg(i int8) uint32 { return 16 + 8*uint32(i) }

// handover is a message with room for one descriptor, made beforehand.
type handover struct {
	text []byte
	oob  []byte
	fd   *int32 // in oob
	iov  unix.Iovec
	msg  unix.Msghdr
}

func newHandover(mode string) *handover {
	h := &handover{text: []byte(handoverPrefix + mode), oob: unix.UnixRights(-1)}
	h.fd = (*int32)(unsafe.Pointer(&h.oob[unix.CmsgLen(0)]))
	h.iov.Base = &h.text[0]
	h.iov.SetLen(len(h.text))
	h.msg.Iov, h.msg.Control = &h.iov, &h.oob[0]
	h.msg.SetIovlen(1)
	h.msg.SetControllen(len(h.oob))
	return h
}

// filterAndSend installs the program on every thread and sends the listener to
// the other side of ctl. Between the two nobody answers. If the scheduler took
// this thread's processor away there and had no idle thread to give it to, it
// would start one, by a call that is filtered, and that would be the end of
// both. So the scheduler has no way in: no function is called that looks at the
// stack (nosplit), and the signal that it preempts with is blocked.
//
//go:nosplit
//go:norace
func filterAndSend(prog *unix.SockFprog, flags uint, ctl int, h *handover) (fd int, filter, send unix.Errno) {
	r, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(flags), uintptr(unsafe.Pointer(prog)))
	if errno != 0 {
		return -1, errno, 0
	}
	*h.fd = int32(r)
	_, _, errno = unix.RawSyscall(unix.SYS_SENDMSG, uintptr(ctl), uintptr(unsafe.Pointer(&h.msg)), handoverFlags)
	return int(r), 0, errno
}

// handoverFlags let the message that hands the listener over pass the filter.
// All but the first mean nothing to a unix socket, and no program gives them
// together.
const handoverFlags = unix.MSG_NOSIGNAL | unix.MSG_CONFIRM | unix.MSG_DONTROUTE | unix.MSG_EOR | unix.MSG_MORE

// ioctl is for those that do not block: RECV does not after poll has seen
// something to receive.
//
// Each takes a lock of the kernel's that a signal interrupts when another task
// has it: an answer that is not given again then leaves the call standing for
// ever. RECV is the caller's to repeat, after another poll.
func ioctl(fd int, req uint, arg unsafe.Pointer) unix.Errno {
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), uintptr(req), uintptr(arg))
		if errno != unix.EINTR || req == ioctlRecv {
			return errno
		}
	}
}
