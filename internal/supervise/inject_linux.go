package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FailClose makes a close(2) return errno after it has closed, as Linux does:
// the descriptor is released before a step that can fail (close(2), "Dealing
// with error returns"). The caller's file is closed by putting another in its
// place, one that refers to nothing in particular; its number stays taken.
// An error, and nothing answered, when that is not possible.
func (t *Tree) FailClose(ev *Event, errno unix.Errno) error {
	if ev.Kind != Close || ev.FD < 0 || ev.Name != "close" {
		return fmt.Errorf("%s is no close of one descriptor", ev.Name)
	}
	stand, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	defer unix.Close(stand)
	const setFD = 1 // SECCOMP_ADDFD_FLAG_SETFD
	add := notifAddFD{id: ev.id, flags: setFD, srcfd: uint32(stand), newfd: uint32(ev.FD), newflags: unix.O_CLOEXEC}
	if e := ioctl(t.listener, ioctlAddFD, unsafe.Pointer(&add)); e != 0 {
		return os.NewSyscallError("SECCOMP_IOCTL_NOTIF_ADDFD", e)
	}
	t.Fail(ev, errno)
	return nil
}

// Shorten lets a write(2) or pwrite(2) of at least two bytes to a regular file
// go on for half of them, as on a disk that is full after that: the kernel
// itself cuts it, at a file size limit (RLIMIT_FSIZE) that the process has
// until restore is called. That must be before its next write. Of a transfer
// (sendfile, splice, copy_file_range) this process moves the half in its place.
// An error, and nothing answered, when it is neither.
func (t *Tree) Shorten(ev *Event) (restore func(), err error) {
	n := ev.Writes()
	if n < 2 {
		return nil, fmt.Errorf("%s of %d bytes cannot be cut", ev.Name, n)
	}
	if tr, ok := ev.between(); ok {
		return func() {}, t.shorten(ev, tr, n/2)
	}
	var at int64
	if ev.Name == "pwrite64" {
		at = int64(ev.Args[3])
	} else if at, err = offset(ev.TID, ev.FD); err != nil {
		return nil, err
	}
	var old unix.Rlimit
	if err := unix.Prlimit(ev.PID, unix.RLIMIT_FSIZE, nil, &old); err != nil {
		return nil, os.NewSyscallError("prlimit", err)
	}
	limit := unix.Rlimit{Cur: min(uint64(at)+uint64(n)/2, old.Max), Max: old.Max}
	if err := unix.Prlimit(ev.PID, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		return nil, os.NewSyscallError("prlimit", err)
	}
	pid := ev.PID
	t.Continue(ev)
	return func() { _ = unix.Prlimit(pid, unix.RLIMIT_FSIZE, &old, nil) }, nil
}

// Writes is the number of bytes that a write(2) or pwrite(2) is given, or that
// a transfer finds, 0 for other calls.
func (ev *Event) Writes() int64 {
	if tr, ok := ev.between(); ok {
		return ev.available(tr)
	}
	if ev.Name == "write" || ev.Name == "pwrite64" {
		return int64(ev.Args[2])
	}
	return 0
}

// offset is where the next write of a thread's descriptor goes.
func offset(tid, fd int) (int64, error) {
	proc := "/proc/" + strconv.Itoa(tid)
	info, err := os.ReadFile(proc + "/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return 0, err
	}
	pos, flags := infoField(info, "pos:", 10), infoField(info, "flags:", 8)
	if pos < 0 || flags < 0 {
		return 0, errors.New("no offset in fdinfo")
	}
	if flags&unix.O_APPEND == 0 {
		return pos, nil
	}
	var st unix.Stat_t
	if err := unix.Stat(proc+"/fd/"+strconv.Itoa(fd), &st); err != nil {
		return 0, os.NewSyscallError("stat", err)
	}
	return st.Size, nil
}

func infoField(info []byte, name string, base int) int64 {
	for line := range bytes.Lines(info) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			if n, err := strconv.ParseInt(string(bytes.TrimSpace(rest)), base, 64); err == nil {
				return n
			}
		}
	}
	return -1
}

// Signal sends a signal to the child while a call of its thread tid is
// stopped. It goes to another thread where there is one: that one does not
// come to its handler before the call is answered.
func (t *Tree) Signal(tid int, sig unix.Signal) error {
	p := &t.procs
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return unix.ESRCH
	}
	tasks, err := os.ReadDir("/proc/" + strconv.Itoa(t.pid) + "/task")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		if other, err := strconv.Atoi(task.Name()); err == nil && other != tid && unix.Tgkill(t.pid, other, sig) == nil {
			return nil
		}
	}
	return os.NewSyscallError("kill", unix.Kill(t.pid, sig))
}
