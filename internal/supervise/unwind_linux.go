package supervise

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

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
}

const maxFrames = 64

// unwinder keeps what stays the same between two calls of one thread.
type unwinder struct {
	regs   map[int]*os.File // /proc/TID/syscall
	maps   map[int]image    // by process: what it runs
	starts map[int]*Stack   // by process: the stack that started its program
	seen   map[uint64]*Stack
	buf    []byte
}

// image says what program a process runs.
type image struct {
	same bool   // this binary
	bias uint64 // its load address less ours
	exe  string
}

func (u *unwinder) close() {
	for _, f := range u.regs {
		f.Close()
	}
	*u = unwinder{}
}

// Stack finds the Go frames behind a stopped call. For a call by another
// program it is the stack of the call that started the program.
func (t *Tree) Stack(ev *Event) (*Stack, error) {
	u := &t.un
	if u.regs == nil {
		u.regs, u.maps, u.starts, u.seen = map[int]*os.File{}, map[int]image{}, map[int]*Stack{}, map[uint64]*Stack{}
	}
	img := t.image(ev)
	if !img.same {
		if st, ok := t.startOf(ev.PID); ok {
			return &Stack{Frames: st.Frames, Via: img.exe, Key: st.Key}, nil
		}
		return nil, fmt.Errorf("the call was made by %s, and what started it was not seen", img.exe)
	}
	sp, err := u.stackPointer(ev.TID)
	if err != nil {
		return nil, err
	}
	pcs, err := walk(&memory{tid: ev.TID, buf: &u.buf}, ev.ip, sp, img.bias)
	if err != nil {
		return nil, err
	}
	st := u.resolve(pcs)
	if len(st.Frames) == 0 {
		if start, ok := t.startOf(ev.PID); ok && ev.PID != t.pid {
			return start, nil
		}
		return nil, fmt.Errorf("no Go frame on the stack of thread %d", ev.TID)
	}
	if ev.Kind == Exec {
		// The program that replaces this one inherits the line.
		u.starts[ev.PID] = st
		delete(u.maps, ev.PID)
	}
	return st, nil
}

// startOf looks for the stack that started pid's program, at itself and at
// its ancestors.
func (t *Tree) startOf(pid int) (*Stack, bool) {
	for range 64 {
		if st, ok := t.un.starts[pid]; ok {
			return st, true
		}
		if pid == t.pid || pid <= 1 {
			return nil, false
		}
		parent := Parent(pid)
		if st, ok := t.un.starts[parent]; ok {
			t.un.starts[pid] = st // still known when the parent has gone
			return st, true
		}
		pid = parent
	}
	return nil, false
}

// image tells which program the process runs. It is read again after each
// execve: a process keeps its number.
func (t *Tree) image(ev *Event) image {
	u := &t.un
	if img, ok := u.maps[ev.PID]; ok && (ev.PID == t.pid || img.same == false) {
		return img
	}
	img := readImage(ev.PID)
	u.maps[ev.PID] = img
	return img
}

func readImage(pid int) image {
	dir := "/proc/" + strconv.Itoa(pid)
	exe, err := os.Readlink(dir + "/exe")
	if err != nil {
		return image{exe: "process " + strconv.Itoa(pid)}
	}
	var a, b unix.Stat_t
	if unix.Stat(dir+"/exe", &a) != nil || unix.Stat("/proc/self/exe", &b) != nil || a.Dev != b.Dev || a.Ino != b.Ino {
		return image{exe: strings.TrimSuffix(exe, " (deleted)")}
	}
	return image{same: true, exe: exe, bias: loadAddress(pid, exe) - ownLoadAddress()}
}

// loadAddress is where the first page of the executable is mapped.
func loadAddress(pid int, exe string) uint64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/maps")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		if f := bytes.Fields(line); len(f) >= 6 && strings.HasPrefix(exe, string(f[5])) {
			from, _, _ := strings.Cut(string(f[0]), "-")
			n, _ := strconv.ParseUint(from, 16, 64)
			return n
		}
	}
	return 0
}

func ownLoadAddress() uint64 {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return 0
	}
	return loadAddress(os.Getpid(), exe)
}

// stackPointer reads the registers of a thread that sleeps in a call. The
// notification can arrive a moment before the thread really sleeps: then the
// kernel says "running", and it is asked again.
func (u *unwinder) stackPointer(tid int) (uint64, error) {
	var b [256]byte
	for try := 0; try < 10000; try++ {
		f := u.regs[tid]
		if f == nil {
			var err error
			if f, err = os.Open("/proc/" + strconv.Itoa(tid) + "/syscall"); err != nil {
				return 0, err
			}
			u.regs[tid] = f
		}
		n, err := unix.Pread(int(f.Fd()), b[:], 0)
		if err != nil { // another thread of that number: the file is bound to the old one
			f.Close()
			delete(u.regs, tid)
			if try == 0 {
				continue
			}
			return 0, os.NewSyscallError("reading /proc/TID/syscall", err)
		}
		fields := strings.Fields(string(b[:n]))
		if len(fields) == 9 {
			return strconv.ParseUint(fields[7], 0, 64)
		}
		runtime.Gosched()
	}
	return 0, fmt.Errorf("thread %d never slept in its call", tid)
}

// resolve turns return addresses into frames, once per chain.
func (u *unwinder) resolve(pcs []uintptr) *Stack {
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
	st := &Stack{Key: key}
	frames := runtime.CallersFrames(pcs)
	for {
		f, more := frames.Next()
		if f.Function != "" {
			st.Frames = append(st.Frames, f)
		}
		if !more {
			break
		}
	}
	u.seen[key] = st
	return st
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
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56, nil
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
