// Package refuse puts this process where a system call is refused, as a
// sandbox does. It is for tests: what it does cannot be undone, and programs
// that the process starts inherit it.
package refuse

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Call lets a system call fail with errno, on all threads.
func Call(nr uint32, errno unix.Errno) error {
	_, err := install([]unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: nr, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}, unix.SECCOMP_FILTER_FLAG_TSYNC)
	return err
}

// Flag lets a system call fail with errno where its argument, counted from 0,
// has one of the bits: a kernel that does not know them. On all threads.
func Flag(nr uint32, arg int, bits uint32, errno unix.Errno) error {
	low := 16 + 8*uint32(arg) // of seccomp_data; both architectures are little-endian
	_, err := install([]unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: nr, Jt: 0, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: low},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: bits, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}, unix.SECCOMP_FILTER_FLAG_TSYNC)
	return err
}

// WaitKillable makes the kernel one before Linux 5.19, where a signal takes a
// stopped call back.
func WaitKillable() error {
	return Flag(unix.SYS_SECCOMP, 1, unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, unix.EINVAL)
}

// Listener gives this process a seccomp listener, of which the kernel allows
// one only. It stops no call.
func Listener() error {
	_, err := install([]unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}},
		unix.SECCOMP_FILTER_FLAG_TSYNC|unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH)
	return err
}

func install(p []unix.SockFilter, flags uintptr) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, err
	}
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(p)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}
