package supervise

import (
	"debug/buildinfo"
	"encoding/binary"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Goroutine is what the Go runtime notes of a goroutine.
type Goroutine struct {
	Top     uint64          // address above its stack
	Start   []runtime.Frame // the function that it runs
	Created []runtime.Frame // the go statement
}

// gLayout is where runtime.g has its fields, in bytes. The first two are the
// bounds of its stack, and sched.g leads to the goroutine itself, by which it
// is recognised.
type gLayout struct{ goid, parent, gopc, startpc int }

const (
	gSchedG = 56 + 16
	gBytes  = 320 // of runtime.g that are read
)

// gLayouts are those of the releases whose sources were looked at, by DWARF.
var gLayouts = map[int]gLayout{
	23: {160, 280, 288, 304},
	24: {160, 280, 288, 304},
	25: {152, 272, 280, 296},
	26: {152, 280, 288, 304},
	27: {152, 280, 288, 304},
}

// layoutOf is the layout of a Go version such as "go1.26.3".
func layoutOf(version string) (gLayout, bool) {
	l, ok := gLayouts[minorOf(version)]
	return l, ok
}

// minorOf is the 26 of "go1.26.3", 0 for what is no version of Go 1.
func minorOf(version string) (n int) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(version, "devel "), "go1.")
	if end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		rest = rest[:end]
	}
	if !ok {
		return 0
	}
	n, _ = strconv.Atoi(rest)
	return n
}

const (
	mostGoroutines = 20_000
	mostAncestors  = 16
)

// Ancestry is the goroutine that makes a stopped call of StartProgram's
// program, the one that started it, and so on as far as they still live. It is
// empty where the program's Go is none whose runtime is known here.
func (t *Tree) Ancestry(ev *Event) []Goroutine {
	img := ev.proc.program(t.target)
	if img.prog == nil || img.prog.tab == nil {
		return nil
	}
	p := img.prog
	layout, ok := p.layout()
	if !ok {
		return nil
	}
	sp, err := t.un.stackPointer(ev.TID)
	if err != nil {
		return nil
	}
	word := func(g []byte, off int) uint64 { return binary.LittleEndian.Uint64(g[off:]) }
	holds := func(g []byte) bool { return sp >= word(g, 0) && sp < word(g, 8) }
	gs := p.goroutines(ev.TID, img.bias)
	g := choose(gs, holds)
	if g == nil { // what was taken for allgs may have been the collector's copy of it
		p.allgs = 0
		gs = p.goroutines(ev.TID, img.bias)
		g = choose(gs, holds)
	}
	var list []Goroutine
	for g != nil && len(list) < mostAncestors {
		list = append(list, Goroutine{
			Top:     word(g, 8),
			Start:   p.tab.frames([]uintptr{uintptr(word(g, layout.startpc)-img.bias) + 1}),
			Created: p.tab.frames([]uintptr{uintptr(word(g, layout.gopc) - img.bias)}),
		})
		parent := word(g, layout.parent)
		if parent == 0 {
			break
		}
		g = choose(gs, func(g []byte) bool { return word(g, layout.goid) == parent })
	}
	return list
}

func choose(gs []byte, which func(g []byte) bool) []byte {
	for ; len(gs) >= gBytes; gs = gs[gBytes:] {
		if which(gs[:gBytes]) {
			return gs[:gBytes]
		}
	}
	return nil
}

func (p *goProgram) layout() (gLayout, bool) {
	bi, err := buildinfo.Read(p.file)
	if err != nil {
		return gLayout{}, false
	}
	return layoutOf(bi.GoVersion)
}

// goroutines reads the heads of all that the program has.
func (p *goProgram) goroutines(tid int, bias uint64) []byte {
	if p.allgs == 0 {
		if p.allgs = p.findAllgs(tid, bias); p.allgs == 0 {
			return nil
		}
	}
	var slice [3]uint64
	if readWords(tid, p.allgs+bias, slice[:], 24) != nil || slice[1] == 0 || slice[1] > mostGoroutines {
		return nil
	}
	addrs := make([]uint64, slice[1])
	if readWords(tid, slice[0], addrs, 8*slice[1]) != nil {
		return nil
	}
	return readMany(tid, addrs, gBytes)
}

// findAllgs finds runtime.allgs among the program's variables: a slice of
// pointers of which the first and the last lead to goroutines (or the last but
// one: the last may be in the making), the longest of those, since the garbage
// collector has an older copy while it runs.
func (p *goProgram) findAllgs(tid int, bias uint64) uint64 {
	const most = 64 << 20
	n := p.tab.ebss - p.tab.bss
	if p.tab.ebss < p.tab.bss || n > most {
		return 0
	}
	words := make([]uint64, n/8)
	if readWords(tid, p.tab.bss+bias, words, n) != nil {
		return 0
	}
	isG := func(addr uint64) bool {
		b := readMany(tid, []uint64{addr}, gBytes)
		if len(b) < gBytes {
			return false
		}
		w := func(off int) uint64 { return binary.LittleEndian.Uint64(b[off:]) }
		return w(0) <= w(8) && w(gSchedG) == addr // equal: it has ended, and its stack was freed
	}
	var best, longest uint64
	for i := 0; i+3 <= len(words); i++ {
		at, n, c := words[i], words[i+1], words[i+2]
		if at < 1<<16 || at%8 != 0 || n <= longest || n > mostGoroutines || c < n || c > 4*mostGoroutines {
			continue
		}
		var first, last [2]uint64
		m := min(n, 2)
		if readWords(tid, at, first[:1], 8) == nil && readWords(tid, at+8*(n-m), last[:m], 8*m) == nil && isG(first[0]) && (isG(last[m-1]) || isG(last[0])) {
			best, longest = p.tab.bss+8*uint64(i), n
		}
	}
	return best
}

// readMany reads size bytes at each address, as many as the kernel takes at
// once. What cannot be read, and all that follows it, is missing.
func readMany(tid int, addrs []uint64, size int) []byte {
	out := make([]byte, len(addrs)*size)
	done := 0
	const most = 1024 // IOV_MAX
	for len(addrs) > 0 {
		n := min(most, len(addrs))
		remote := make([]unix.RemoteIovec, n)
		for i := range remote {
			remote[i] = unix.RemoteIovec{Base: uintptr(addrs[i]), Len: size}
		}
		local := unix.Iovec{Base: &out[done]}
		local.SetLen(n * size)
		got, _, errno := unix.RawSyscall6(unix.SYS_PROCESS_VM_READV, uintptr(tid), uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&remote[0])), uintptr(n), 0)
		if errno != 0 {
			break
		}
		done += int(got)
		if int(got) < n*size {
			break
		}
		addrs = addrs[n:]
	}
	return out[:done]
}
