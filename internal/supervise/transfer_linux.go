package supervise

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// between is a call that writes to a descriptor what it takes from another:
// sendfile, splice, copy_file_range.
type between struct {
	nr      uintptr
	in, out int
	from    uint64 // address of the offset in each, 0: where the descriptor is
	to      uint64
	count   int64
	flags   uint64
}

func (ev *Event) between() (tr between, ok bool) {
	a := ev.Args
	switch ev.Name {
	case "sendfile":
		return between{nr: unix.SYS_SENDFILE, out: int(int32(a[0])), in: int(int32(a[1])), from: a[2], count: int64(a[3])}, true
	case "copy_file_range":
		tr.nr = unix.SYS_COPY_FILE_RANGE
	case "splice":
		tr.nr = unix.SYS_SPLICE
	default:
		return tr, false
	}
	return between{nr: tr.nr, in: int(int32(a[0])), from: a[1], out: int(int32(a[2])), to: a[3], count: int64(a[4]), flags: a[5]}, true
}

// offsetAt reads an offset of the thread's.
func (ev *Event) offsetAt(addr uint64) (int64, error) {
	var b [8]byte
	err := ev.Read(addr, b[:])
	return int64(binary.NativeEndian.Uint64(b[:])), err
}

// available is how many bytes a transfer will take, as far as that is known, 0
// where it is not.
func (ev *Event) available(tr between) int64 {
	var st unix.Stat_t
	if tr.in < 0 || unix.Stat("/proc/"+strconv.Itoa(ev.TID)+"/fd/"+strconv.Itoa(tr.in), &st) != nil {
		return 0
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		pos, err := offset(ev.TID, tr.in)
		if tr.from != 0 {
			pos, err = ev.offsetAt(tr.from)
		}
		if err == nil {
			return max(0, min(tr.count, st.Size-pos))
		}
	case unix.S_IFIFO:
		fd, err := descriptorOf(ev.PID, tr.in)
		if err != nil {
			return 0
		}
		defer unix.Close(fd)
		if n, err := unix.IoctlGetInt(fd, unix.TIOCINQ); err == nil {
			return min(tr.count, int64(n))
		}
	}
	return 0
}

// descriptorOf is a process's own descriptor, offset and all.
func descriptorOf(pid, fd int) (int, error) {
	p, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(p)
	got, err := unix.PidfdGetfd(p, fd, 0)
	return got, os.NewSyscallError("pidfd_getfd", err)
}

// shorten moves n bytes in the thread's place.
func (t *Tree) shorten(ev *Event, tr between, n int64) error {
	in, err := descriptorOf(ev.PID, tr.in)
	if err != nil {
		return err
	}
	defer unix.Close(in)
	out, err := descriptorOf(ev.PID, tr.out)
	if err != nil {
		return err
	}
	defer unix.Close(out)
	var offs [2]int64
	var at [2]unsafe.Pointer
	for i, addr := range []uint64{tr.from, tr.to} {
		if addr == 0 {
			continue
		}
		if offs[i], err = ev.offsetAt(addr); err != nil {
			return err
		}
		at[i] = unsafe.Pointer(&offs[i])
	}
	var moved uintptr
	var errno unix.Errno
	if tr.nr == unix.SYS_SENDFILE {
		moved, _, errno = unix.Syscall6(tr.nr, uintptr(out), uintptr(in), uintptr(at[0]), uintptr(n), 0, 0)
	} else {
		flags := tr.flags
		if tr.nr == unix.SYS_SPLICE {
			flags |= unix.SPLICE_F_NONBLOCK
		}
		moved, _, errno = unix.Syscall6(tr.nr, uintptr(in), uintptr(at[0]), uintptr(out), uintptr(at[1]), uintptr(n), uintptr(flags))
	}
	if errno != 0 {
		return fmt.Errorf("%s of half: %w", ev.Name, errno)
	}
	for i, addr := range []uint64{tr.from, tr.to} {
		if addr == 0 {
			continue
		}
		if err := writeMem(ev.TID, addr, binary.NativeEndian.AppendUint64(nil, uint64(offs[i]))); err != nil {
			return err
		}
	}
	t.Answer(ev, int64(moved))
	return nil
}
