package supervise

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Abs is the absolute form of a path argument, as the caller's own working
// directory and descriptors have it. Neither ".." nor links are resolved.
func (ev *Event) Abs(p Path) (string, error) {
	if p.Err != nil {
		return "", p.Err
	}
	tid := strconv.Itoa(ev.TID)
	if filepath.IsAbs(p.Raw) {
		if rest, ok := strings.CutPrefix(p.Raw, "/proc/self/"); ok {
			return "/proc/" + strconv.Itoa(ev.PID) + "/" + rest, nil
		}
		return p.Raw, nil
	}
	link := "/proc/" + tid + "/cwd"
	if p.Dir != unix.AT_FDCWD {
		link = "/proc/" + tid + "/fd/" + strconv.Itoa(p.Dir)
	}
	dir, err := os.Readlink(link)
	if err != nil {
		return "", err
	}
	switch {
	case strings.HasSuffix(dir, " (deleted)") || !filepath.IsAbs(dir):
		return "", errors.New("relative to " + dir)
	case p.Null || p.Raw == "":
		return dir, nil
	}
	return strings.TrimSuffix(dir, "/") + "/" + p.Raw, nil
}

// Read fills b from the caller's memory.
func (ev *Event) Read(addr uint64, b []byte) error { return readMem(ev.TID, addr, b) }

// Frame gives the words of the frame of the innermost call of a function on
// the stack behind a stopped call, those into which the function may have
// stored its register arguments included; nil when it is not there, or the
// stack is not one of StartProgram's program.
func (t *Tree) Frame(ev *Event, function string) []uint64 {
	img := ev.proc.program(t.target)
	if img.prog == nil {
		return nil
	}
	table := img.prog.tab
	sp, err := t.un.stackPointer(ev.TID)
	if err != nil || table == nil {
		return nil
	}
	var words []uint64
	m := &memory{tid: ev.TID, buf: &t.un.buf}
	depth := 0
	walk(m, ev.ip, sp, img.bias, table, func(pc uintptr, lo, hi uint64) bool {
		if !table.is(pc, function) {
			depth++
			return depth < maxFrames
		}
		const most, spill = 1024, 5 // the return address, and four registers
		n := (min(max(hi, lo)-lo, most))/8 + spill
		for i := range n {
			w, err := m.word(lo + 8*i)
			if err != nil {
				break
			}
			words = append(words, w)
		}
		return false
	})
	return words
}

// is says that an address is in the code of a function itself.
func (t *programTable) is(pc uintptr, function string) bool {
	fn, ok := t.find(uint64(pc) - 1)
	if !ok {
		return false
	}
	off := int(fn.u32(funcName))
	return off+len(function) < len(t.names) && string(t.names[off:off+len(function)]) == function && t.names[off+len(function)] == 0
}

// GoString reads a string of Go's whose header is at addr, of at most max bytes.
func (ev *Event) GoString(addr uint64, max int) (string, bool) {
	var head [16]byte
	if ev.Read(addr, head[:]) != nil {
		return "", false
	}
	n := binary.LittleEndian.Uint64(head[8:])
	if n == 0 || n > uint64(max) {
		return "", false
	}
	b := make([]byte, n)
	if ev.Read(binary.LittleEndian.Uint64(head[:]), b) != nil {
		return "", false
	}
	return string(b), true
}
