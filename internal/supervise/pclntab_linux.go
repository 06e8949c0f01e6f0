package supervise

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// pclnMagic begins the line tables of Go 1.20 and later.
const pclnMagic = 0xfffffff1

// lineTable maps a Go program's line table, of which a few pages are needed and
// the whole is megabytes, and gives the address for which it was linked. The
// mapping stays: the file is that of a running program, which the kernel lets
// nobody write.
func lineTable(file *os.File, f *elf.File) ([]byte, uint64, error) {
	sec := f.Section(".gopclntab")
	if sec == nil {
		sec = f.Section(".data.rel.ro.gopclntab") // position-independent
	}
	if sec == nil {
		return nil, 0, errors.New("has no .gopclntab section: it is not Go's, or packed")
	}
	st, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	if sec.Type == elf.SHT_NOBITS || sec.Size == 0 || sec.Offset > uint64(st.Size()) || sec.Size > uint64(st.Size())-sec.Offset {
		return nil, 0, errors.New("has a .gopclntab section that lies outside of it")
	}
	skip := sec.Offset % uint64(os.Getpagesize())
	b, err := unix.Mmap(int(file.Fd()), int64(sec.Offset-skip), int(sec.Size+skip), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, 0, fmt.Errorf("has a line table that cannot be mapped: %w", err)
	}
	return b[skip:], sec.Addr, nil
}

// notGo is the frame size where there is none to be had.
const notGo = -1

// pcValue looks an address up in one of the linker's tables by address:
// pairs of a zigzag varint, what the value grows by, and a varint, how many
// instructions of quantum bytes it holds for. The first value is -1 and the
// first address that of the function (src/runtime/symtab.go).
func pcValue(pctab []byte, off uint32, entry, pc uint64, quantum uint32) (int32, bool) {
	b, at, val := pctab[min(int(off), len(pctab)):], entry, int32(-1)
	for len(b) > 0 {
		uv, n := binary.Uvarint(b)
		if n <= 0 || (uv == 0 && at != entry) {
			return 0, false
		}
		b = b[n:]
		d, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, false
		}
		b = b[n:]
		delta := int32(uv >> 1)
		if uv&1 != 0 {
			delta = ^delta
		}
		val += delta
		at += d * uint64(quantum)
		if pc < at {
			return val, true
		}
	}
	return 0, false
}

// endsStack says that what lies above the function's frame is not its caller:
// it is at the bottom of a goroutine, or on another stack.
func endsStack(function string) bool {
	switch function {
	case "runtime.goexit", "runtime.mstart", "runtime.systemstack", "runtime.asmcgocall":
		return true
	}
	return false
}
