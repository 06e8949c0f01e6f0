package supervise

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Which Go line made the call? The parent reads the stopped thread's stack
// and walks it with its own copy of the line table: child and parent are the
// same binary. The child is not asked and does not run meanwhile.

// Stack is the Go call chain of one boundary.
type Stack struct {
	Frames []runtime.Frame // innermost first
	// Via names the program whose call this was, when it is not this binary
	// but one that it started: Frames then lead to the start.
	Via string
	// Key is the same for the same chain of this binary, whatever the run.
	Key uint64
	// Start is the stack of the call that started the process, where the call
	// was made by the program of StartProgram, or after ReadOwn by this one, in
	// a process other than the first.
	Start *Stack
}

// code is the line table of a Go program. Its addresses are those of the file.
type code interface {
	// frameSize is the number of bytes between SP and the return address, pc
	// being the address after a call; false where that is not Go code.
	frameSize(pc uintptr) (int32, bool)
	// frames are the functions behind one return address, the innermost of
	// those that were inlined first.
	frames(pcs []uintptr) []runtime.Frame
}

const maxFrames = 64

// unwinder keeps what stays the same between two calls of one thread.
type unwinder struct {
	regs map[int]int // descriptors of /proc/TID/syscall
	seen map[uint64]*Stack
	buf  []byte

	// of the latest walk of a stack of StartProgram's program
	walked uint64 // the event
	frames []frame
	mem    memory
}

// frame is one frame of a stack: the address after the call in it, and its bounds.
type frame struct {
	pc     uintptr
	lo, hi uint64
}

const maxRegs = 256 // threads whose file is kept open

// image says what program a process runs.
type image struct {
	same bool       // this binary
	prog *goProgram // the one of StartProgram
	bias uint64     // its load address less ours, or less the one in its file
	exe  string
}

func (u *unwinder) close() {
	for _, fd := range u.regs {
		_ = unix.Close(fd)
	}
	*u = unwinder{}
}

// Stack finds the Go frames behind a stopped call. For a call by another
// program it is the stack of the call that started the program.
func (t *Tree) Stack(ev *Event) (*Stack, error) {
	img := ev.proc.program(t.target)
	if !img.same && img.prog == nil {
		if st := ev.proc.start; st != nil {
			return &Stack{Frames: st.Frames, Via: img.exe, Key: st.Key}, nil
		}
		return nil, fmt.Errorf("the call was made by %s, and what started it was not seen", img.exe)
	}
	sp, err := t.un.stackPointer(ev.TID)
	if err != nil {
		return nil, err
	}
	c, err := img.code()
	if err != nil {
		return nil, err
	}
	var pcs []uintptr
	t.un.walked, t.un.frames, t.un.mem = 0, t.un.frames[:0], memory{tid: ev.TID, buf: &t.un.buf}
	walk(&t.un.mem, ev.ip, sp, img.bias, c, func(pc uintptr, lo, hi uint64) bool {
		pcs = append(pcs, pc)
		if img.prog != nil {
			t.un.frames = append(t.un.frames, frame{pc, lo, hi})
		}
		return len(pcs) < maxFrames
	})
	if img.prog != nil {
		t.un.walked = ev.id
	}
	if st := t.un.resolve(pcs, c); len(st.Frames) > 0 {
		if img.prog != nil && ev.proc != &t.procs.child && ev.proc.start != nil {
			return &Stack{Frames: st.Frames, Key: st.Key, Start: ev.proc.start}, nil
		}
		return st, nil
	}
	pcs, err = t.calledC(ev, img, sp, c)
	if st := t.un.resolve(pcs, c); err == nil && len(st.Frames) > 0 {
		return st, nil
	}
	if ev.proc.start != nil {
		return ev.proc.start, nil
	}
	return nil, cmp.Or(err, errNoGo)
}

// starts remembers, at the boundary of an execve, where it came from: the
// program that replaces this one inherits the line.
func (t *Tree) starts(ev *Event) {
	launcher := t.target != nil && ev.proc.program(t.target).same
	if st, err := t.Stack(ev); err == nil && st.Via == "" && !launcher {
		t.procs.started(ev.proc, st)
	}
	ev.proc.execs = true
}

// program tells which program the process runs. After each call that may
// replace it, it is read anew until it is another one.
func (pr *process) program(target *goProgram) *image {
	if pr.image == nil || pr.execs {
		img := readImage(pr.pid, target)
		if pr.image != nil && *pr.image != img {
			pr.execs = false
		}
		pr.image = &img
	}
	return pr.image
}

func readImage(pid int, target *goProgram) image {
	dir := "/proc/" + strconv.Itoa(pid)
	exe, err := os.Readlink(dir + "/exe")
	if err != nil {
		return image{exe: "a process that has ended"}
	}
	img := image{exe: strings.TrimSuffix(exe, " (deleted)")}
	var a, b unix.Stat_t
	if unix.Stat(dir+"/exe", &a) != nil {
		return img
	}
	if target != nil && target.is(&a) {
		img.prog = target
		img.bias = target.load(pid)
	} else if unix.Stat("/proc/self/exe", &b) == nil && a.Dev == b.Dev && a.Ino == b.Ino {
		img.bias = headerAddress(strconv.Itoa(pid)) - ownHeader()
		img.same = true
	}
	return img
}

// code is the line table of the program.
func (img *image) code() (code, error) {
	if img.prog != nil {
		return img.prog.table()
	}
	return ownCode()
}

var ownHeader = sync.OnceValue(func() uint64 { return headerAddress("self") })

// headerAddress is where the kernel has loaded a program's headers: AT_PHDR
// of the auxiliary vector. Two processes of one program differ in it by what
// their position-independent code differs.
func headerAddress(pid string) uint64 {
	b, err := os.ReadFile("/proc/" + pid + "/auxv")
	if err != nil {
		return 0
	}
	const atPHDR = 3
	for ; len(b) >= 16; b = b[16:] {
		if binary.LittleEndian.Uint64(b) == atPHDR {
			return binary.LittleEndian.Uint64(b[8:])
		}
	}
	return 0
}

// stackPointer reads the registers of a thread that sleeps in a call. The
// notification can arrive a moment before the thread really sleeps: then the
// kernel says "running", and it is asked again.
func (u *unwinder) stackPointer(tid int) (uint64, error) {
	var b [256]byte
	for range 10000 {
		fd, kept := u.regs[tid]
		if !kept {
			var err error
			fd, err = unix.Open("/proc/"+strconv.Itoa(tid)+"/syscall", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return 0, os.NewSyscallError("opening /proc/TID/syscall", err)
			}
			u.keep(tid, fd)
		}
		n, err := unix.Pread(fd, b[:], 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			_ = unix.Close(fd)
			delete(u.regs, tid)
			if kept { // by a thread of that number that has ended
				continue
			}
			return 0, os.NewSyscallError("reading /proc/TID/syscall", err)
		}
		if sp, ok := eighth(b[:n]); ok {
			return sp, nil
		}
		runtime.Gosched()
	}
	return 0, errors.New("the thread never slept in its call")
}

// eighth is the eighth of nine fields, a hexadecimal number: the stack pointer
// in "0 0x3 0x7ffc... 0x100 0x0 0x0 0x0 0x7ffc... 0x7f10...", after the number of
// the call and its six arguments, and before the program counter.
func eighth(line []byte) (uint64, bool) {
	var n uint64
	field := 1
	for _, c := range line {
		switch {
		case c == ' ':
			field++
		case field != 8 || c == 'x' || c == '\n':
		case c >= 'a':
			n = n<<4 | uint64(c-'a'+10)
		default:
			n = n<<4 | uint64(c-'0')
		}
	}
	return n, field == 9
}

func (u *unwinder) keep(tid, fd int) {
	if len(u.regs) >= maxRegs {
		for tid, fd := range u.regs {
			_ = unix.Close(fd)
			delete(u.regs, tid)
		}
	}
	if u.regs == nil {
		u.regs = map[int]int{}
	}
	u.regs[tid] = fd
}

// resolve turns return addresses into frames, once per chain.
func (u *unwinder) resolve(pcs []uintptr, c code) *Stack {
	key := uint64(14695981039346656037)
	for _, pc := range pcs {
		for range 8 {
			key = (key ^ uint64(pc&0xff)) * 1099511628211
			pc >>= 8
		}
	}
	if st, ok := u.seen[key]; ok {
		return st
	}
	st := &Stack{Key: key, Frames: c.frames(pcs)}
	if u.seen == nil {
		u.seen = map[uint64]*Stack{}
	}
	u.seen[key] = st
	return st
}

// ownFrames resolves return addresses of this binary.
func ownFrames(pcs []uintptr) []runtime.Frame {
	var list []runtime.Frame
	frames := runtime.CallersFrames(pcs)
	for {
		f, more := frames.Next()
		if f.Function != "" && !generated(&f) {
			list = append(list, f)
		}
		if !more {
			return list
		}
	}
}

// memory reads a thread's stack, from one address upwards, in pieces.
type memory struct {
	tid  int
	base uint64
	n    int
	buf  *[]byte
}

// word reads eight bytes at addr. The first read takes what is likely to be
// enough; later ones go on from there.
func (m *memory) word(addr uint64) (uint64, error) {
	const piece = 2048
	if m.n == 0 || addr < m.base || addr+8 > m.base+uint64(m.n) {
		if len(*m.buf) < piece {
			*m.buf = make([]byte, piece)
		}
		n := piece
		if err := readMem(m.tid, addr, (*m.buf)[:n]); err != nil {
			n = int(pageSize - addr%pageSize) // the end of the stack may be near
			if n > piece || readMem(m.tid, addr, (*m.buf)[:n]) != nil {
				return 0, err
			}
		}
		m.base, m.n = addr, n
	}
	b := (*m.buf)[addr-m.base:]
	return binary.LittleEndian.Uint64(b), nil
}

// Busy says that a thread may still be in a call that Continue let go: it
// runs, or sleeps in a call of the chosen set. A thread that sleeps elsewhere,
// as one does whose goroutine has moved on, has finished it.
func (t *Tree) Busy(tid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/syscall")
	if err != nil {
		return false // it has ended
	}
	nr, _, _ := strings.Cut(string(b), " ")
	n, err := strconv.ParseUint(nr, 10, 32)
	return err != nil || specTable()[uint32(n)] != nil
}
