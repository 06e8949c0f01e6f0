package supervise

import (
	"encoding/binary"
	"errors"
	"path/filepath"
	"runtime"
)

// Which Go line called the C code that makes a call? C code runs on the
// thread's own stack, where there is no Go frame; that of the goroutine which
// called it stands still meanwhile. runtime.cgocall notes where it left Go
// (syscallsp and syscallpc of runtime.g), and runtime.m which thread it is.

const (
	gM     = 48  // runtime.g.m
	mBytes = 128 // of runtime.m that are read; its first word is g0
)

// Words of runtime.g and runtime.m, by what lies between them and the goid, whose place
// each release has its own: sched ends right before syscallsp.
func (l gLayout) syscallSP() int { return l.goid - 48 }
func (l gLayout) syscallPC() int { return l.goid - 40 }
func (l gLayout) procid() int    { return l.goid - 88 }

var errNoGo = errors.New("it was made by C code that no Go code called, as on a thread that C has started")

// calledC walks the stack of the goroutine that called the C code which makes
// a stopped call; sp is the thread's own.
func (t *Tree) calledC(ev *Event, img *image, sp uint64, c code) ([]uintptr, error) {
	p, bias := img.prog, img.bias
	if p == nil {
		var err error
		if p, err = t.ownProgram(); err != nil {
			return nil, err
		}
		bias = p.load(ev.PID)
	}
	if _, err := p.table(); err != nil {
		return nil, err
	}
	layout, ok := p.layout()
	if !ok {
		return nil, errors.New("it was made by C code, and the runtime of this Go is not known here: which Go code called it cannot be told")
	}
	g := p.caller(ev, bias, sp, layout)
	if g == nil && p.allgs != 0 { // see Ancestry
		p.allgs = 0
		g = p.caller(ev, bias, sp, layout)
	}
	if g == nil {
		return nil, errNoGo
	}
	word := func(off int) uint64 { return binary.LittleEndian.Uint64(g[off:]) }
	var pcs []uintptr
	mem := memory{tid: ev.TID, buf: new([]byte)}
	walk(&mem, word(layout.syscallPC()), word(layout.syscallSP()), img.bias, c, func(pc uintptr, _, _ uint64) bool {
		pcs = append(pcs, pc)
		return len(pcs) < maxFrames
	})
	return pcs, nil
}

// caller is the goroutine that is in C code on a thread: the one whose runtime.m
// has the thread's number, or in a process that C has forked, the one on whose
// thread's stack the copy runs.
func (p *goProgram) caller(ev *Event, bias, sp uint64, layout gLayout) []byte {
	var ms []uint64
	var inC [][]byte
	for gs := p.goroutines(ev.TID, bias); len(gs) >= gBytes; gs = gs[gBytes:] {
		g := gs[:gBytes]
		word := func(off int) uint64 { return binary.LittleEndian.Uint64(g[off:]) }
		if m, at := word(gM), word(layout.syscallSP()); m != 0 && at >= word(0) && at < word(8) {
			ms, inC = append(ms, m), append(inC, g)
		}
	}
	var onStack []byte
	for i, m := range ms {
		b := readMany(ev.TID, []uint64{m}, mBytes)
		if len(b) < mBytes {
			continue
		}
		if binary.LittleEndian.Uint64(b[layout.procid():]) == uint64(ev.TID) {
			return inC[i]
		}
		g0 := readMany(ev.TID, []uint64{binary.LittleEndian.Uint64(b)}, gBytes)
		if len(g0) == gBytes && binary.LittleEndian.Uint64(g0[gM:]) == m &&
			sp >= binary.LittleEndian.Uint64(g0) && sp < binary.LittleEndian.Uint64(g0[8:]) {
			onStack = inC[i]
		}
	}
	if ev.TID == ev.PID && ev.proc != nil && ev.proc.pidfd >= 0 { // no thread of the program that was started
		return onStack
	}
	return nil
}

// ownProgram is this binary, as goProgram has it.
func (t *Tree) ownProgram() (*goProgram, error) {
	if t.self == nil {
		p, err := openProgram("/proc/self/exe")
		if err != nil {
			return nil, err
		}
		t.self = p
	}
	return t.self, nil
}

// forksInC remembers, at the boundary of a fork by C code, which Go line called
// it: the new process inherits it.
func (t *Tree) forksInC(ev *Event) {
	img := ev.proc.program(t.target)
	if !img.same && img.prog == nil {
		return
	}
	if c, err := img.code(); err == nil {
		if _, isGo := c.frameSize(uintptr(ev.ip - img.bias)); !isGo {
			if st, err := t.Stack(ev); err == nil {
				ev.proc.forkStack = st
			}
		}
	}
}

// generated says that nobody wrote the code of a frame: cgo's wrapper of a C
// function.
func generated(f *runtime.Frame) bool { return filepath.Base(f.File) == "_cgo_gotypes.go" }
