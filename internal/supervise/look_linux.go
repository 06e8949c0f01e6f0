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

// ReadOwn makes Frame and Ancestry work for a child of Start too, whose program
// is this one: it is read from its file, as that of StartProgram is. To be called
// before Next.
func (t *Tree) ReadOwn() error {
	p, err := openProgram("/proc/self/exe")
	if err != nil {
		return err
	}
	t.own, t.target, t.procs.child.image = p, p, nil
	return nil
}

// Frame gives the words of the frame of the innermost call of a function on
// the stack behind a stopped call, those into which the function may have
// stored its register arguments included; nil when it is not there, or the
// stack is not one of StartProgram's program.
func (t *Tree) Frame(ev *Event, function string) []uint64 {
	if t.target == nil || t.un.walked != ev.id && !t.walkAgain(ev) || t.target.tab == nil {
		return nil
	}
	table := t.target.tab
	for _, f := range t.un.frames {
		if !table.is(f.pc, function) {
			continue
		}
		const most, spill = 1024, 5 // the return address, and four registers
		words := make([]uint64, (min(max(f.hi, f.lo)-f.lo, most))/8+spill)
		for i := range words {
			w, err := t.un.mem.word(f.lo + 8*uint64(i))
			if err != nil {
				return words[:i]
			}
			words[i] = w
		}
		return words
	}
	return nil
}

// walkAgain walks a stack for Frame alone.
func (t *Tree) walkAgain(ev *Event) bool {
	_, err := t.Stack(ev)
	return err == nil && t.un.walked == ev.id
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

// GoString reads a string of Go's, of at most most bytes, by its header: its
// address and its length.
func (ev *Event) GoString(header []byte, most int) (string, bool) {
	n := binary.LittleEndian.Uint64(header[8:])
	if n == 0 || n > uint64(most) {
		return "", false
	}
	b := make([]byte, n)
	if ev.Read(binary.LittleEndian.Uint64(header), b) != nil {
		return "", false
	}
	return string(b), true
}
