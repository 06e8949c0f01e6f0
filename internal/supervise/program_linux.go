package supervise

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// goProgram is a Go program other than this one, whose calls are led to their
// lines all the same: by its own line table, read from its file. It may be
// stripped, and built by any Go from 1.20 on whose table is as this reads it.
type goProgram struct {
	dev, ino uint64
	file     *os.File // open, since the go command removes it when it has ended

	once sync.Once
	tab  *programTable
	err  error
	phdr uint64

	allgs uint64 // runtime.allgs, 0 while not known
}

// programTable is the program's runtime.moduledata, as far as it is needed
// (src/runtime/symtab.go), with the addresses that the file has.
type programTable struct {
	text, bss, ebss                    uint64
	names, cutab, filetab, pctab, pcln []byte
	nfunc                              int
	quantum                            uint32
	gofunc                             uint64
	segments                           []*elf.Prog
	bySize                             map[uintptr]int32
}

func openProgram(path string) (*goProgram, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &goProgram{dev: uint64(st.Dev), ino: st.Ino, file: f}, nil
}

func (p *goProgram) is(st *unix.Stat_t) bool { return uint64(st.Dev) == p.dev && st.Ino == p.ino }

// load gives the load bias of a process that runs the program.
func (p *goProgram) load(pid int) uint64 {
	p.once.Do(func() { p.err = p.read(pid) })
	return headerAddress(strconv.Itoa(pid)) - p.phdr
}

func (p *goProgram) table() (code, error) {
	if p.err != nil {
		return nil, p.err
	}
	return p.tab, nil
}

func (p *goProgram) read(pid int) error {
	f, err := elf.NewFile(p.file)
	if err != nil {
		return fmt.Errorf("the program is no ELF file: %w", err)
	}
	var head [64]byte
	if _, err := p.file.ReadAt(head[:], 0); err != nil {
		return err
	}
	phoff := binary.LittleEndian.Uint64(head[32:])
	t := &programTable{bySize: map[uintptr]int32{}}
	for _, s := range f.Progs {
		if s.Type != elf.PT_LOAD {
			continue
		}
		t.segments = append(t.segments, s)
		if phoff >= s.Off && phoff < s.Off+s.Filesz {
			p.phdr = s.Vaddr + phoff - s.Off
		}
	}
	b, at, err := lineTable(p.file, f)
	if err != nil {
		return fmt.Errorf("the program %w", err)
	}
	if err := t.header(b); err != nil {
		return err
	}
	bias := headerAddress(strconv.Itoa(pid)) - p.phdr
	bi, err := buildinfo.Read(p.file)
	if err != nil {
		return fmt.Errorf("the program does not say by which Go it was built: %w", err)
	}
	if err := t.module(f, pid, bias, at, bi.GoVersion); err != nil {
		return err
	}
	p.tab = t
	return nil
}

// header reads the head of .gopclntab, which has most tables.
func (t *programTable) header(b []byte) error {
	const words = 8 // after the 8-byte header
	if len(b) < 8+8*words {
		return errors.New("the program's line table is cut short")
	}
	if magic := binary.LittleEndian.Uint32(b); magic != pclnMagic || b[7] != 8 {
		return fmt.Errorf("the program's line table is of a kind that is not understood (magic %#x; that of Go 1.20 and later is %#x)", magic, uint32(pclnMagic))
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8+8*i:]) }
	t.quantum = uint32(b[6])
	for i, to := range map[int]*[]byte{3: &t.names, 4: &t.cutab, 5: &t.filetab, 6: &t.pctab, 7: &t.pcln} {
		off := word(i)
		if off > uint64(len(b)) {
			return errors.New("a part of the program's line table lies outside of it")
		}
		*to = b[off:]
	}
	if n := word(0); n == 0 || n > uint64(len(t.pcln))/8 || 8*n+4 > uint64(len(t.pcln)) {
		return errors.New("the program's table of functions is cut short")
	}
	t.nfunc = int(word(0))
	return nil
}

// Words of moduledata, the same from Go 1.20 to 1.27.
const (
	moduleText  = 22
	moduleBss   = 28
	moduleWords = 44
)

// gofuncWord is the word of moduledata that leads to the inlining trees, 0 for a
// Go that is not known: a wrong one would give wrong lines.
func gofuncWord(version string) int {
	switch n := minorOf(version); {
	case n >= 20 && n <= 26:
		return 40
	case n == 27:
		return 43
	}
	return 0
}

// module reads what only moduledata has: where the code begins, and where the
// inlining trees are. A process has it with its final addresses. Its first
// word leads to the line table, by which it is found.
func (t *programTable) module(f *elf.File, pid int, bias, pclntab uint64, version string) error {
	gofunc := gofuncWord(version)
	if gofunc == 0 {
		return fmt.Errorf("the program was built by %s, which is not known here: lines need go1.20 to go1.27", version)
	}
	for _, name := range []string{".go.module", ".noptrdata", ".data", ".data.rel.ro"} {
		sec := f.Section(name)
		if sec == nil || sec.Type == elf.SHT_NOBITS {
			continue
		}
		b := make([]byte, sec.Size)
		if err := readMem(pid, sec.Addr+bias, b); err != nil {
			return fmt.Errorf("the program's memory: %w", err)
		}
		for ; len(b) >= 8*moduleWords; b = b[8:] {
			if binary.LittleEndian.Uint64(b) != pclntab+bias {
				continue
			}
			t.text = binary.LittleEndian.Uint64(b[8*moduleText:]) - bias
			t.gofunc = binary.LittleEndian.Uint64(b[8*gofunc:]) - bias
			t.bss = binary.LittleEndian.Uint64(b[8*moduleBss:]) - bias
			t.ebss = binary.LittleEndian.Uint64(b[8*(moduleBss+1):]) - bias
			if t.plausible() {
				return nil
			}
		}
	}
	return errors.New("the program's runtime.moduledata was not found: its Go is one that is not understood")
}

// plausible holds what was read against the tables: the code is where code is,
// and the first inlining trees are such. Without optimisation there are none.
func (t *programTable) plausible() bool {
	end := t.text + uint64(binary.LittleEndian.Uint32(t.pcln[8*t.nfunc:]))
	if !slices.ContainsFunc(t.segments, func(s *elf.Prog) bool {
		return s.Flags&elf.PF_X != 0 && t.text >= s.Vaddr && end > t.text && end <= s.Vaddr+s.Memsz
	}) {
		return false
	}
	trees := 0
	for i := range t.nfunc {
		fn, ok := t.funcAt(i)
		if !ok {
			return false
		}
		if _, ok := t.treeAt(fn); !ok {
			continue
		}
		b := t.tree(fn, 0)
		if b == nil {
			return false
		}
		name := binary.LittleEndian.Uint32(b[4:])
		if name == 0 || int(name) >= len(t.names) || t.names[name-1] != 0 || int32(binary.LittleEndian.Uint32(b[8:])) < 0 {
			return false
		}
		if trees++; trees == 16 {
			break
		}
	}
	return true
}

// goFunc is runtime._func.
type goFunc struct {
	raw   []byte
	off   uint32
	entry uint64
}

func (fn goFunc) u32(i int) uint32 { return binary.LittleEndian.Uint32(fn.raw[4*i:]) }

// Words of runtime._func.
const (
	funcName     = 1
	funcPcsp     = 4
	funcPcfile   = 5
	funcPcln     = 6
	funcPcdata   = 7 // how many
	funcCU       = 8
	funcWords    = 11
	funcFuncdata = 43 // a byte: how many
	inlIndex     = 2  // PCDATA_InlTreeIndex
	inlTree      = 3  // FUNCDATA_InlTree
)

func (t *programTable) funcAt(i int) (goFunc, bool) {
	entry, off := binary.LittleEndian.Uint32(t.pcln[8*i:]), binary.LittleEndian.Uint32(t.pcln[8*i+4:])
	if int(off)+4*funcWords > len(t.pcln) {
		return goFunc{}, false
	}
	fn := goFunc{raw: t.pcln[off:], off: off, entry: t.text + uint64(entry)}
	if 4*(funcWords+int(fn.u32(funcPcdata))+int(fn.raw[funcFuncdata])) > len(fn.raw) {
		return goFunc{}, false
	}
	return fn, true
}

// find is the function that has an instruction.
func (t *programTable) find(pc uint64) (goFunc, bool) {
	if pc < t.text {
		return goFunc{}, false
	}
	rel := pc - t.text
	if rel >= uint64(binary.LittleEndian.Uint32(t.pcln[8*t.nfunc:])) {
		return goFunc{}, false
	}
	lo, hi := 0, t.nfunc // the last whose entry is not behind pc
	for lo+1 < hi {
		if mid := (lo + hi) / 2; uint64(binary.LittleEndian.Uint32(t.pcln[8*mid:])) <= rel {
			lo = mid
		} else {
			hi = mid
		}
	}
	return t.funcAt(lo)
}

func (t *programTable) value(fn goFunc, off uint32, pc uint64) int32 {
	v, ok := pcValue(t.pctab, off, fn.entry, pc, t.quantum)
	if !ok {
		return -1
	}
	return v
}

func cstringAt(b []byte, off uint32) string {
	if int(off) >= len(b) {
		return ""
	}
	s, _, _ := bytes.Cut(b[off:], []byte{0})
	return string(s)
}

func (t *programTable) frameSize(pc uintptr) (int32, bool) {
	if n, ok := t.bySize[pc]; ok {
		return n, n != notGo
	}
	n := int32(notGo)
	if fn, ok := t.find(uint64(pc) - 1); ok && !endsStack(cstringAt(t.names, fn.u32(funcName))) {
		if v, ok := pcValue(t.pctab, fn.u32(funcPcsp), fn.entry, uint64(pc)-1, t.quantum); ok {
			n = v
		}
	}
	t.bySize[pc] = n
	return n, n != notGo
}

// treeAt is where a function's inlining tree is, if it has one.
func (t *programTable) treeAt(fn goFunc) (uint64, bool) {
	if int(fn.raw[funcFuncdata]) <= inlTree {
		return 0, false
	}
	off := fn.u32(funcWords + int(fn.u32(funcPcdata)) + inlTree)
	return t.gofunc + uint64(off), off != ^uint32(0)
}

// tree is the entry i of a function's inlining tree, runtime.inlinedCall.
func (t *programTable) tree(fn goFunc, i int32) []byte {
	at, ok := t.treeAt(fn)
	b := make([]byte, 16)
	if !ok || !t.readAt(b, at+16*uint64(i)) {
		return nil
	}
	return b
}

// readAt reads the file at an address.
func (t *programTable) readAt(b []byte, addr uint64) bool {
	i := slices.IndexFunc(t.segments, func(s *elf.Prog) bool { return addr >= s.Vaddr && addr+uint64(len(b)) <= s.Vaddr+s.Filesz })
	if i < 0 {
		return false
	}
	_, err := t.segments[i].ReadAt(b, int64(addr-t.segments[i].Vaddr))
	return err == nil
}

func (t *programTable) frames(pcs []uintptr) []runtime.Frame {
	var list []runtime.Frame
	for _, ret := range pcs {
		pc := uint64(ret) - 1
		fn, ok := t.find(pc)
		if !ok {
			continue
		}
		add := func(name uint32, pc uint64) {
			f := runtime.Frame{PC: uintptr(pc), Function: cstringAt(t.names, name), Entry: uintptr(fn.entry)}
			f.Line = int(t.value(fn, fn.u32(funcPcln), pc))
			if no := t.value(fn, fn.u32(funcPcfile), pc); no >= 0 {
				if at := 4 * (int(fn.u32(funcCU)) + int(no)); at+4 <= len(t.cutab) {
					f.File = cstringAt(t.filetab, binary.LittleEndian.Uint32(t.cutab[at:]))
				}
			}
			if f.File != "<autogenerated>" && !generated(&f) { // wrappers, which nobody wrote
				list = append(list, f)
			}
		}
		if int(fn.u32(funcPcdata)) > inlIndex {
			index := fn.u32(funcWords + inlIndex)
			for range 64 { // no tree is as deep
				i := int32(-1)
				if index != 0 {
					i = t.value(fn, index, pc)
				}
				if i < 0 {
					break
				}
				b := t.tree(fn, i)
				if b == nil {
					break
				}
				add(binary.LittleEndian.Uint32(b[4:]), pc)
				pc = fn.entry + uint64(binary.LittleEndian.Uint32(b[8:]))
			}
		}
		add(fn.u32(funcName), pc)
	}
	return list
}
