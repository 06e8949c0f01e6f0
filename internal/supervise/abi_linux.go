package supervise

import (
	"runtime"
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

const (
	ioctlRecv     = 0xc0502100
	ioctlSend     = 0xc0182101
	ioctlIDValid  = 0x40082102
	ioctlSetFlags = 0x40082104

	filterFlags = unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	// waitKillable keeps signals from cancelling a notification (5.19).
	waitKillable = unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
)

// seccomp data offsets, for the filter.
const (
	offNr   = 0
	offArch = 4
	offArg0 = 16
)

// program is the filter. It reads the number and the architecture only, so
// that the kernel caches the calls it always allows in a bitmap (5.11), but
// for clone, whose flags tell a thread from a process.
func program(set Set) []unix.SockFilter {
	ret := func(v uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: v} }
	load := func(off uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: off}
	}
	jump := func(op uint16, k uint32, t, f int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, K: k, Jt: uint8(t), Jf: uint8(f)}
	}
	var nrs []uint32
	for _, c := range calls() {
		if c.set&set != 0 && c.nr != unix.SYS_CLONE {
			nrs = append(nrs, c.nr)
		}
	}
	const (
		allow  = unix.SECCOMP_RET_ALLOW
		notify = unix.SECCOMP_RET_USER_NOTIF
		enosys = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	)
	p := []unix.SockFilter{
		load(offArch),
		jump(unix.BPF_JEQ, auditArch, 1, 0),
		ret(notify), // a program of another architecture: the parent names it opaque
		load(offNr),
		jump(unix.BPF_JEQ, unix.SYS_IO_URING_SETUP, 0, 1), // its opens would pass the filter by
		ret(enosys),
	}
	if x32Bit != 0 {
		p = append(p, jump(unix.BPF_JSET, x32Bit, 0, 1), ret(enosys))
	}
	p = append(p, jump(unix.BPF_JEQ, unix.SYS_CLONE, 0, 4),
		load(offArg0),
		jump(unix.BPF_JSET, unix.CLONE_THREAD, 0, 1),
		ret(allow),
		ret(notify))
	for i, nr := range nrs {
		p = append(p, jump(unix.BPF_JEQ, nr, len(nrs)-i, 0))
	}
	return append(p, ret(allow), ret(notify))
}

// seccompFilter installs the program on every thread and sends the listener
// over the socket, with a message. Both are raw calls, so that the goroutine
// keeps its processor: with the filter in place another thread may stand in a
// stopped call (cgo's clone3) and hold one, and until the parent has the
// listener nobody answers it. A goroutine that came back from an ordinary call
// would wait for a processor that never comes free.
func seccompFilter(p []unix.SockFilter, flags uint, ctl int, message string) (fd int, installed, sent unix.Errno) {
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	text, rights := []byte(message), unix.UnixRights(0)
	iov := unix.Iovec{Base: &text[0]}
	iov.SetLen(len(text))
	msg := unix.Msghdr{Iov: &iov, Control: &rights[0]}
	msg.SetIovlen(1)
	msg.SetControllen(len(rights))
	slot := (*int32)(unsafe.Pointer(&rights[unix.CmsgLen(0)]))
	r, _, installed := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(flags), uintptr(unsafe.Pointer(&prog)))
	if installed == 0 {
		*slot = int32(r)
		_, _, sent = unix.RawSyscall(unix.SYS_SENDMSG, uintptr(ctl), uintptr(unsafe.Pointer(&msg)), unix.MSG_NOSIGNAL)
	}
	runtime.KeepAlive(p)
	runtime.KeepAlive(&msg)
	return int(r), installed, sent
}

func ioctl(fd int, req uint, arg unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(req), uintptr(arg))
	return errno
}
