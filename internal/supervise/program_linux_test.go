//go:build amd64 || arm64

package supervise

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// small is a line table of one function, main.f of 16 bytes at f.go:7.
func small() []byte {
	const head = 8 + 8*8
	parts := [][]byte{ // in the order of the header's offsets, from its fourth word on
		[]byte("\x00main.f\x00"),
		binary.LittleEndian.AppendUint32(nil, 0),
		[]byte("f.go\x00"),
		{0, 2, 16, 0, 16, 16, 0, 18, 16, 0}, // by address: value 0, 7 and 8 for 16 bytes
		nil,
	}
	pcln := binary.LittleEndian.AppendUint32(nil, 0) // functab: the entry, where its _func is, and the end of the code
	pcln = binary.LittleEndian.AppendUint32(pcln, 12)
	pcln = binary.LittleEndian.AppendUint32(pcln, 16)
	fn := make([]byte, 4*funcWords)
	binary.LittleEndian.PutUint32(fn[4*funcName:], 1)
	binary.LittleEndian.PutUint32(fn[4*funcPcsp:], 7)
	binary.LittleEndian.PutUint32(fn[4*funcPcfile:], 1)
	binary.LittleEndian.PutUint32(fn[4*funcPcln:], 4)
	parts[4] = append(pcln, fn...)
	b := make([]byte, head)
	binary.LittleEndian.PutUint32(b, pclnMagic)
	b[6], b[7] = 1, 8
	binary.LittleEndian.PutUint64(b[8:], 1)
	for i, p := range parts {
		binary.LittleEndian.PutUint64(b[8+8*(3+i):], uint64(len(b)))
		b = append(b, p...)
	}
	return b
}

// look asks a table for all that it has.
func (t *programTable) look() (names []string) {
	t.text = 0x1000
	t.segments = []*elf.Prog{{ProgHeader: elf.ProgHeader{Flags: elf.PF_X, Vaddr: 0x1000, Memsz: 16}}}
	for _, pc := range []uintptr{0, 0x1000, 0x1001, 0x1008, 0x1010, 0x1011, 1 << 40} {
		_, _ = t.frameSize(pc)
		for _, f := range t.frames([]uintptr{pc}) {
			names = append(names, f.Function+" "+f.File+":"+strconv.Itoa(f.Line))
		}
	}
	t.plausible()
	return names
}

func TestSmallTable(t *testing.T) {
	table := programTable{bySize: map[uintptr]int32{}}
	require.NoError(t, table.header(small()))
	assert.Equal(t, []string{"main.f f.go:7", "main.f f.go:7", "main.f f.go:7"}, table.look())
	assert.True(t, table.plausible(), "without inlining trees too")
	for name, code := range map[string]elf.ProgHeader{
		"elsewhere": {Flags: elf.PF_X, Vaddr: 0x2000, Memsz: 16}, "too short": {Flags: elf.PF_X, Vaddr: 0x1000, Memsz: 15}, "data": {Flags: elf.PF_R, Vaddr: 0x1000, Memsz: 16},
	} {
		table.segments = []*elf.Prog{{ProgHeader: code}}
		assert.False(t, table.plausible(), name)
	}
}

// TestDamagedTable: a table that is not what it must be is refused, whatever its
// numbers are, and never read beyond its end.
func TestDamagedTable(t *testing.T) {
	word := func(i int, v uint64) func([]byte) []byte {
		return func(b []byte) []byte {
			binary.LittleEndian.PutUint64(b[8+8*i:], v)
			return b
		}
	}
	for _, tt := range []struct {
		name   string
		damage func([]byte) []byte
		err    string
	}{
		{"cut short", func(b []byte) []byte { return b[:71] }, "is cut short"},
		{"of another Go", func(b []byte) []byte { b[0] = 0xf0; return b }, "of a kind that is not understood (magic 0xfffffff0"},
		{"of 32 bits", func(b []byte) []byte { b[7] = 4; return b }, "not understood"},
		{"a part outside", word(6, 1<<20), "lies outside of it"},
		{"no function", word(0, 0), "table of functions is cut short"},
		{"too many functions", word(0, 1000), "table of functions is cut short"},
		{"functions beyond all numbers", word(0, 1<<61), "table of functions is cut short"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var table programTable
			assert.ErrorContains(t, table.header(tt.damage(small())), tt.err)
		})
	}
}

// TestDamagedFunction: a table that has a header, and nothing to say.
func TestDamagedFunction(t *testing.T) {
	b := small()
	part := func(i int) int { return int(binary.LittleEndian.Uint64(b[8+8*i:])) }
	function := part(7) + 12
	for _, tt := range []struct {
		name  string
		at    int
		value uint32
		names []string
	}{
		{"as it is", part(7), 0, []string{"main.f f.go:7", "main.f f.go:7", "main.f f.go:7"}},
		{"where there is none", part(7) + 4, 1 << 20, nil},
		{"more data than there is", function + 4*funcPcdata, 1 << 20, nil},
		{"a name outside", function + 4*funcName, 1 << 20, []string{" f.go:7", " f.go:7", " f.go:7"}},
		{"no name", function + 4*funcName, 0, []string{" f.go:7", " f.go:7", " f.go:7"}},
		{"lines outside", function + 4*funcPcln, 1 << 20, []string{"main.f f.go:-1", "main.f f.go:-1", "main.f f.go:-1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			damaged := slices.Clone(b)
			binary.LittleEndian.PutUint32(damaged[tt.at:], tt.value)
			table := programTable{bySize: map[uintptr]int32{}}
			require.NoError(t, table.header(damaged))
			assert.Equal(t, tt.names, table.look())
			assert.Equal(t, tt.names != nil, table.plausible())
		})
	}
}

// TestPCValue: a table by address, whole, cut off and ended.
func TestPCValue(t *testing.T) {
	for _, tt := range []struct {
		name string
		tab  []byte
		pc   uint64
		want int32
		ok   bool
	}{
		{"the first", []byte{2, 4, 2, 4, 0}, 103, 0, true},
		{"the second", []byte{2, 4, 2, 4, 0}, 104, 1, true},
		{"a smaller one", []byte{8, 4, 3, 4, 0}, 104, 1, true},
		{"behind the end", []byte{2, 4, 2, 4, 0}, 108, 0, false},
		{"a first value of -1", []byte{0, 4, 0}, 100, -1, true},
		{"cut off", []byte{2, 4}, 104, 0, false},
		{"cut off in a pair", []byte{2, 4, 2}, 104, 0, false},
		{"cut off in a number", []byte{0x80}, 100, 0, false},
		{"nothing", nil, 100, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := pcValue(append([]byte{9, 9, 9}, tt.tab...), 3, 100, tt.pc, 1)
			assert.Equal(t, tt.ok, ok)
			assert.Equal(t, tt.want, got)
			_, ok = pcValue(tt.tab, 1<<30, 100, tt.pc, 1)
			assert.False(t, ok)
		})
	}
}

func FuzzTable(f *testing.F) {
	f.Add(small())
	f.Fuzz(func(t *testing.T, b []byte) {
		table := programTable{bySize: map[uintptr]int32{}}
		if table.header(b) == nil {
			table.look()
		}
	})
}

// TestNoProgram: what is no program of Go's is named as such.
func TestNoProgram(t *testing.T) {
	_, err := StartProgram(exec.Command("/proc/self/exe"), filepath.Join(t.TempDir(), "none"), Names, soon())
	assert.ErrorIs(t, err, os.ErrNotExist)
	for name, tt := range map[string]struct {
		content string
		err     string
	}{
		"empty":    {"", "no ELF file"},
		"a script": {"#!/bin/sh\n", "no ELF file"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "program")
			require.NoError(t, os.WriteFile(path, []byte(tt.content), 0o755))
			p, err := openProgram(path)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, p.file.Close()) })
			assert.ErrorContains(t, p.read(os.Getpid()), tt.err)
		})
	}
}

// TestLineTable: where a line table is not, or not whole.
func TestLineTable(t *testing.T) {
	self, err := os.Open("/proc/self/exe")
	require.NoError(t, err)
	defer self.Close()
	f, err := elf.NewFile(self)
	require.NoError(t, err)
	b, _, err := lineTable(self, f)
	require.NoError(t, err)
	var own programTable
	require.NoError(t, own.header(b))

	sec := f.Section(".gopclntab")
	if sec == nil {
		sec = f.Section(".data.rel.ro.gopclntab")
	}
	sec.Offset = 1 << 60
	_, _, err = lineTable(self, f)
	assert.ErrorContains(t, err, "lies outside of it")
	sec.Name = ".stripped"
	_, _, err = lineTable(self, f)
	assert.ErrorContains(t, err, "not Go's, or packed")
}

// TestAbs: a path argument as its caller means it.
func TestAbs(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	t.Chdir(dir)
	open := func(name string) int {
		f, err := os.Open(name)
		require.NoError(t, err)
		t.Cleanup(func() { _ = f.Close() })
		return int(f.Fd())
	}
	gone := filepath.Join(dir, "gone")
	require.NoError(t, os.Mkdir(gone, 0o700))
	deleted, root := open(gone), open("/")
	require.NoError(t, os.Remove(gone))
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	self := "/proc/" + strconv.Itoa(os.Getpid())
	for _, tt := range []struct {
		name string
		path Path
		want string
		err  string
	}{
		{"absolute", Path{Raw: "/a/../b", Dir: unix.AT_FDCWD}, "/a/../b", ""},
		{"its own", Path{Raw: "/proc/self/fd/1", Dir: unix.AT_FDCWD}, self + "/fd/1", ""},
		{"relative", Path{Raw: "a/b", Dir: unix.AT_FDCWD}, dir + "/a/b", ""},
		{"below a descriptor", Path{Raw: "etc", Dir: root}, "/etc", ""},
		{"the descriptor", Path{Dir: root, Null: true}, "/", ""},
		{"below a directory that is gone", Path{Raw: "a", Dir: deleted}, "", "relative to " + gone + " (deleted)"},
		{"below a pipe", Path{Raw: "a", Dir: int(r.Fd())}, "", "relative to pipe:"},
		{"below nothing", Path{Raw: "a", Dir: 9999}, "", "no such file"},
		{"not readable", Path{Err: unix.EFAULT}, "", "bad address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := (&Event{PID: os.Getpid(), TID: os.Getpid()}).Abs(tt.path)
			if tt.err != "" {
				assert.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

// TestGoString reads this process's own strings.
func TestGoString(t *testing.T) {
	ev := &Event{TID: os.Getpid()}
	header := func(s string) []byte {
		b := binary.LittleEndian.AppendUint64(nil, uint64(reflect.ValueOf(&s).Elem().Addr().Pointer()))
		var word [8]byte
		require.NoError(t, ev.Read(binary.LittleEndian.Uint64(b), word[:]))
		return binary.LittleEndian.AppendUint64(word[:], uint64(len(s)))
	}
	got, ok := ev.GoString(header("a string"), 8)
	assert.True(t, ok)
	assert.Equal(t, "a string", got)
	for name, h := range map[string][]byte{
		"too long": header("a string!"), "empty": header(""), "nowhere": append(make([]byte, 8), 8, 0, 0, 0, 0, 0, 0, 0),
	} {
		_, ok := ev.GoString(h, 8)
		assert.False(t, ok, name)
	}
}

// TestReleases: what is known of each release of Go, and that others are not
// taken for one of them.
func TestReleases(t *testing.T) {
	for version, want := range map[string]struct{ gofunc, goid int }{
		"go1.19.13": {0, 0}, "go1.20": {40, 0}, "go1.22.1": {40, 0}, "go1.23.4": {40, 160}, "go1.25rc1": {40, 152}, "go1.26.8": {40, 152}, "go1.26.8-X:jsonv2": {40, 152},
		"go1.27.4": {43, 152}, "devel go1.27-0123abc": {43, 152}, "go1.28rc1": {0, 0}, "devel go1.28-abc": {0, 0}, "go2.27": {0, 0}, "": {0, 0}, "devel +0123": {0, 0},
	} {
		layout, ok := layoutOf(version)
		assert.Equal(t, want.gofunc, gofuncWord(version), version)
		assert.Equal(t, want.goid, layout.goid, version)
		assert.Equal(t, want.goid != 0, ok, version)
	}
}
