package supervise

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"unsafe"
)

// ownTable answers how large a function's stack frame is at one of its
// instructions, from the table that the linker puts into every Go binary
// (src/internal/abi/symtab.go, src/runtime/symtab.go).
type ownTable struct {
	mu     sync.Mutex
	pctab  []byte
	bySize map[uintptr]int32
}

var frameTable = sync.OnceValues(func() (*ownTable, error) {
	file, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	f, err := elf.NewFile(file)
	if err != nil {
		return nil, err
	}
	b, _, err := lineTable(file, f)
	if err != nil {
		return nil, fmt.Errorf("this binary %w", err)
	}
	return parseTable(b)
})

// parseTable reads the header of the section .gopclntab.
func parseTable(b []byte) (*ownTable, error) {
	const words = 8 // after the 8-byte header
	if len(b) < 8+8*words {
		return nil, errors.New("the line table is cut short")
	}
	if magic := binary.LittleEndian.Uint32(b); magic != pclnMagic || b[7] != 8 {
		return nil, fmt.Errorf("the line table of %s is of a kind that is not understood (magic %#x)", runtime.Version(), magic)
	}
	off := binary.LittleEndian.Uint64(b[8+6*8:]) // pctab is the 7th word
	if off >= uint64(len(b)) {
		return nil, errors.New("the line table's pctab lies outside its section")
	}
	return &ownTable{pctab: b[off:], bySize: map[uintptr]int32{}}, nil
}

// rawFunc is the head of runtime._func, at which a *runtime.Func points.
type rawFunc struct {
	entryOff, nameOff, args, deferreturn, pcsp uint32
}

// frameSize is the number of bytes between SP and the return address at pc,
// where pc is the address after a call. It is -8 where the return address has
// been popped, as syscall.rawVforkSyscall does: it is still there, just below
// SP, since signals are handled on another stack. False when pc is not Go code.
func (t *ownTable) frameSize(pc uintptr) (int32, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, ok := t.bySize[pc]; ok {
		return n, n != notGo
	}
	n := t.lookup(pc)
	t.bySize[pc] = n
	return n, n != notGo
}

func (t *ownTable) frames(pcs []uintptr) []runtime.Frame { return ownFrames(pcs) }

func (t *ownTable) lookup(pc uintptr) int32 {
	fn := runtime.FuncForPC(pc - 1)
	if fn == nil {
		return notGo
	}
	// An inlined function has a stand-in; its entry is the real one's.
	entry := fn.Entry()
	fn = runtime.FuncForPC(entry)
	if fn == nil {
		return notGo
	}
	raw := (*rawFunc)(unsafe.Pointer(fn))
	if raw.entryOff == ^uint32(0) {
		return notGo
	}
	if endsStack(fn.Name()) {
		return notGo
	}
	v, ok := pcValue(t.pctab, raw.pcsp, uint64(entry), uint64(pc-1), 1)
	if !ok {
		return notGo
	}
	return v
}
