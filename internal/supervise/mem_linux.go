package supervise

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const pageSize = 4096

// readMem fills b from addr of the thread's memory. It takes a microsecond or
// two, too short to let another goroutine have the processor meanwhile.
func readMem(tid int, addr uint64, b []byte) error {
	return os.NewSyscallError("process_vm_readv", transfer(unix.SYS_PROCESS_VM_READV, tid, addr, b))
}

// writeMem writes b at addr of the thread's memory.
func writeMem(tid int, addr uint64, b []byte) error {
	return os.NewSyscallError("process_vm_writev", transfer(unix.SYS_PROCESS_VM_WRITEV, tid, addr, b))
}

func transfer(call uintptr, tid int, addr uint64, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	local := unix.Iovec{Base: &b[0]}
	local.SetLen(len(b))
	remote := unix.RemoteIovec{Base: uintptr(addr), Len: len(b)}
	n, _, errno := unix.RawSyscall6(call, uintptr(tid), uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&remote)), 1, 0)
	switch {
	case errno != 0:
		return errno
	case n != uintptr(len(b)):
		return unix.EFAULT
	}
	return nil
}

// readWords fills w from a structure of size bytes, whose tail may be missing.
func readWords(tid int, addr uint64, w []uint64, size uint64) error {
	b := unsafe.Slice((*byte)(unsafe.Pointer(&w[0])), 8*len(w))
	return readMem(tid, addr, b[:min(uint64(len(b)), size)])
}

// readString reads a path, page by page so that one at the end of a mapping
// is read whole.
func readString(tid int, addr uint64) (string, error) {
	var buf [unix.PathMax]byte
	n := 0
	for step := 256; n < len(buf); {
		chunk := min(step, len(buf)-n, int(pageSize-addr%pageSize))
		if err := readMem(tid, addr, buf[n:n+chunk]); err != nil {
			return "", err
		}
		if i := bytes.IndexByte(buf[n:n+chunk], 0); i >= 0 {
			return string(buf[:n+i]), nil
		}
		n, addr, step = n+chunk, addr+uint64(chunk), pageSize
	}
	return string(buf[:]), nil // longer than PATH_MAX: the kernel answers ENAMETOOLONG
}

// doing is what the threads of a process wait for, for messages: "3 threads: S
// futex_do_wait, S do_sys_poll".
func doing(pid int) string {
	dir := "/proc/" + strconv.Itoa(pid) + "/task/"
	tasks, err := os.ReadDir(dir)
	if err != nil {
		return "it has ended"
	}
	var list []string
	for _, task := range tasks {
		stat, _ := os.ReadFile(dir + task.Name() + "/stat")
		wchan, _ := os.ReadFile(dir + task.Name() + "/wchan")
		if i := bytes.LastIndexByte(stat, ')'); i >= 0 && i+2 < len(stat) {
			list = append(list, string(stat[i+2])+" "+string(wchan))
		}
	}
	slices.Sort(list)
	return fmt.Sprintf("%d threads: %s", len(tasks), strings.Join(slices.Compact(list), ", "))
}

// comm is the program name of a process, for messages.
func comm(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return "that has ended"
	}
	return strconv.Quote(string(bytes.TrimSpace(b)))
}
