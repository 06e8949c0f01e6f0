package supervise

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"
)

// frames answers how large a function's stack frame is at one of its
// instructions, from the table that the linker puts into every Go binary
// (src/internal/abi/symtab.go, src/runtime/symtab.go).
type frames struct {
	mu     sync.Mutex
	pctab  []byte
	bySize map[uintptr]int32
}

const pclnMagic = 0xfffffff1 // Go 1.20 and later

var frameTable = sync.OnceValues(func() (*frames, error) {
	f, err := elf.Open("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sec := f.Section(".gopclntab")
	if sec == nil {
		sec = f.Section(".data.rel.ro.gopclntab") // position-independent
	}
	if sec == nil {
		return nil, errors.New("this binary has no .gopclntab section")
	}
	b, err := sec.Data()
	if err != nil {
		return nil, err
	}
	return parseTable(b)
})

// parseTable reads the header of the section .gopclntab.
func parseTable(b []byte) (*frames, error) {
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
	return &frames{pctab: b[off:], bySize: map[uintptr]int32{}}, nil
}

// rawFunc is the head of runtime._func, at which a *runtime.Func points.
type rawFunc struct {
	entryOff, nameOff, args, deferreturn, pcsp uint32
}

// notGo is the frame size where there is none to be had.
const notGo = -1

// frameSize is the number of bytes between SP and the return address at pc,
// where pc is the address after a call. It is -8 where the return address has
// been popped, as syscall.rawVforkSyscall does: it is still there, just below
// SP, since signals are handled on another stack. False when pc is not Go code.
func (t *frames) frameSize(pc uintptr) (int32, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, ok := t.bySize[pc]; ok {
		return n, n != notGo
	}
	n := t.lookup(pc)
	t.bySize[pc] = n
	return n, n != notGo
}

func (t *frames) lookup(pc uintptr) int32 {
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
	switch fn.Name() {
	case "runtime.goexit", "runtime.mstart", "runtime.systemstack", "runtime.asmcgocall":
		return notGo // the bottom, or another stack
	}
	// pairs of zigzag varint value delta and varint pc delta; value from -1
	b, at, val := t.pctab[min(int(raw.pcsp), len(t.pctab)):], entry, int32(-1)
	for len(b) > 0 {
		uv, n := binary.Uvarint(b)
		if n <= 0 || (uv == 0 && at != entry) {
			return notGo
		}
		b = b[n:]
		d, n := binary.Uvarint(b)
		if n <= 0 {
			return notGo
		}
		b = b[n:]
		delta := int32(uv >> 1)
		if uv&1 != 0 {
			delta = ^delta
		}
		val += delta
		at += uintptr(d)
		if pc-1 < at {
			return val
		}
	}
	return notGo
}
