package still

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Image is a program in memory with its clock held. A process that forks hands
// it on; one that runs another program has a new one.
type Image struct {
	pid  int
	data uint64 // address of the time

	sampled bool
	// Fresh says that Hold has found a program that was not held.
	Fresh bool
}

// What stands before the code that is added.
const (
	offTime = 0 // ns since 1970
	offMask = 8 // of a counter's bits: where all are 0, the look is a system call
	offMark = 16
	offCode = 32
)

const (
	never  = math.MaxUint64
	seldom = 0xfff0 // one look in 4,096
)

// patch is bytes to write at an offset of the vDSO.
type patch struct {
	at   uint64
	code []byte
}

// vdso is what is written over the vDSO, which is the same in all processes of
// one architecture.
type vdso struct {
	data    uint64 // offset of what is added
	patches []patch
}

// Hold holds the clock of a process that stands at a system call, or was just
// started: its only thread must not run meanwhile if the program is new. It is
// done once for each program; a further call, also in a process that was
// forked since, finds what is there. random, if it has 16 bytes, is what the
// program gets for chance from the kernel at its start (AT_RANDOM).
func Hold(pid int, now int64, random []byte) (*Image, error) {
	own, err := ownVDSO()
	if err != nil {
		return nil, err
	}
	base, seed, err := auxv(pid)
	if err != nil {
		return nil, err
	}
	if base == 0 {
		return nil, errors.New("the process has no vDSO")
	}
	im := &Image{pid: pid, data: base + own.data}
	var mark [8]byte
	if err := im.read(offMark, mark[:]); err != nil {
		return nil, err
	}
	if string(mark[:]) == marked {
		return im, im.Set(now)
	}
	if seed != 0 && len(random) == 16 {
		if err := write(pid, patch{seed, random}); err != nil {
			return nil, err
		}
	}
	head := make([]byte, offCode)
	binary.LittleEndian.PutUint64(head[offTime:], uint64(now))
	binary.LittleEndian.PutUint64(head[offMask:], never)
	copy(head[offMark:], marked)
	binary.LittleEndian.PutUint64(head[offMark+8:], 1e9)
	all := []patch{{im.data, append(head, clockCode...)}} // before what leads there
	for _, p := range own.patches {
		all = append(all, patch{base + p.at, p.code})
	}
	im.Fresh = true
	return im, write(pid, all...)
}

const marked = "tmpproof"

// Set changes the time.
func (im *Image) Set(now int64) error { return im.put(offTime, uint64(now)) }

// Sample lets one look in 4,096 be a system call, once there is somebody to
// answer it.
func (im *Image) Sample() error {
	if im.sampled {
		return nil
	}
	err := im.put(offMask, seldom)
	im.sampled = err == nil
	return err
}

func (im *Image) put(off, v uint64) error {
	return write(im.pid, patch{im.data + off, binary.LittleEndian.AppendUint64(nil, v)})
}

func (im *Image) read(off uint64, b []byte) error {
	return transfer(im.pid, im.data+off, b)
}

// transfer reads memory of a process.
func transfer(pid int, addr uint64, b []byte) error {
	local := unix.Iovec{Base: &b[0]}
	local.SetLen(len(b))
	n, err := unix.ProcessVMReadv(pid, []unix.Iovec{local}, []unix.RemoteIovec{{Base: uintptr(addr), Len: len(b)}}, 0)
	if err == nil && n != len(b) {
		err = unix.EFAULT
	}
	return os.NewSyscallError("process_vm_readv", err)
}

// write writes over memory of a process, read-only or not.
func write(pid int, patches ...patch) error {
	err := writeMem(pid, patches)
	if !errors.Is(err, unix.EIO) && !errors.Is(err, unix.EACCES) {
		return err
	}
	// Only a tracer may. To seize does not stop; the thread's end lets go.
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
		if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, 0, 0, 0); errno != 0 {
			done <- errors.Join(err, os.NewSyscallError("ptrace(PTRACE_SEIZE)", errno))
			return
		}
		done <- writeMem(pid, patches)
	}()
	return <-done
}

func writeMem(pid int, patches []patch) error {
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/mem", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/proc/PID/mem", Err: err}
	}
	defer unix.Close(fd)
	for _, p := range patches {
		n, err := unix.Pwrite(fd, p.code, int64(p.at))
		if err == nil && n != len(p.code) {
			err = unix.EIO
		}
		if err != nil {
			return &os.PathError{Op: "write", Path: "/proc/PID/mem", Err: err}
		}
	}
	return nil
}

// auxv is where a program finds the vDSO and its random bytes.
func auxv(pid int) (base, random uint64, err error) {
	const sysinfoEHDR, atRandom = 33, 25
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/auxv")
	if err != nil {
		return 0, 0, fmt.Errorf("the auxiliary vector: %w", errors.Unwrap(err))
	}
	for ; len(b) >= 16; b = b[16:] {
		switch v := binary.LittleEndian.Uint64(b[8:]); binary.LittleEndian.Uint64(b) {
		case sysinfoEHDR:
			base = v
		case atRandom:
			random = v
		}
	}
	return base, random, nil
}

// ownVDSO reads this process's vDSO, of which every process has a copy.
var ownVDSO = sync.OnceValues(func() (*vdso, error) {
	pid := os.Getpid()
	base, _, err := auxv(pid)
	if err != nil {
		return nil, err
	}
	size := mapped(base)
	if base == 0 || size == 0 {
		return nil, errors.New("there is no vDSO")
	}
	b := make([]byte, size)
	if err := transfer(pid, base, b); err != nil {
		return nil, err
	}
	return parseVDSO(b)
})

// mapped is the size of this process's mapping at an address.
func mapped(addr uint64) (size uint64) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(maps) {
		var lo, hi uint64
		if n, _ := fmt.Sscanf(string(line), "%x-%x", &lo, &hi); n == 2 && lo == addr {
			return hi - lo
		}
	}
	return 0
}

// parseVDSO finds the functions and the free bytes of a vDSO.
func parseVDSO(b []byte) (*vdso, error) {
	if bytes.Contains(b, []byte(marked)) {
		return nil, errors.New("this process's own clock is held")
	}
	free := len(b) - len(bytes.TrimRight(b, "\x00"))
	need := (offCode + len(clockCode) + 15) &^ 7
	if free < need+8 {
		return nil, fmt.Errorf("the vDSO has %d free bytes at its end, and %d are needed", free, need+8)
	}
	v := &vdso{data: uint64(len(b)-need) &^ 7}
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("the vDSO: %w", err)
	}
	syms, err := f.DynamicSymbols()
	if err != nil {
		return nil, fmt.Errorf("the vDSO: %w", err)
	}
	clock := false
	for _, s := range syms {
		switch code, ok := stubs[s.Name]; {
		case s.Value == 0 || s.Value >= v.data:
		case s.Name == clockName:
			clock = true
			v.patches = append(v.patches, patch{s.Value, jump(int64(v.data+offCode) - int64(s.Value))})
		case ok:
			v.patches = append(v.patches, patch{s.Value, code})
		}
	}
	if !clock {
		return nil, errors.New("the vDSO has no " + clockName)
	}
	return v, nil
}

// Has reports whether the instruction at an address is of the held clock.
func (im *Image) Has(ip uint64) bool {
	return ip > im.data+offCode && ip <= im.data+offCode+uint64(len(clockCode))
}
