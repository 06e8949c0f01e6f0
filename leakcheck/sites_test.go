package leakcheck

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/trace"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReadStacks: this Go version's traces are understood, and what is none, or
// was cut off, does no harm.
func TestReadStacks(t *testing.T) {
	var b bytes.Buffer
	if err := trace.Start(&b); err != nil {
		t.Skip("a trace is being written:", err)
	}
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "x"), 0o700))
	trace.Stop()
	found := false
	see := func(frames []runtime.Frame) {
		made, here := false, false
		for _, f := range frames {
			made = made || f.Function == "os.Mkdir"
			here = here || strings.HasSuffix(f.Function, ".TestReadStacks") && strings.HasSuffix(f.File, "sites_test.go")
		}
		found = found || made && here
	}
	require.NoError(t, readStacks(b.Bytes(), see))
	assert.True(t, found)
	nobody := func([]runtime.Frame) {}
	for i := range b.Len() {
		if i < traceHeaderSize {
			assert.Error(t, readStacks(b.Bytes()[:i], nobody))
		}
		_ = readStacks(b.Bytes()[:i], nobody)
	}
	for i := traceHeaderSize; i < b.Len(); i += 7 {
		broken := bytes.Clone(b.Bytes())
		broken[i] ^= 0xff
		_ = readStacks(broken, nobody)
	}
}

func TestSites(t *testing.T) {
	file := func(name string) *leak { return &leak{name: name} }
	one := site{chain: "a.go:1", makes: makesFile, drawn: true}
	other := site{chain: "a.go:2", makes: makesFile}
	dir := site{chain: "a.go:3", makes: makesDir}
	child := site{chain: "a.go:4", makes: makesProcess}
	for _, row := range []struct {
		name        string
		sites       sites
		l           *leak
		line, doubt string
	}{
		{"none", sites{}, file("x"), "", ""},
		{"no trace", sites{err: errTrace}, file("x"), "", "no line: " + errTrace.Error()},
		{"the only one", sites{list: []site{other, dir}}, file("x"), "a.go:2", ""},
		{"a directory", sites{list: []site{other, dir}}, &leak{name: "x", typ: fs.ModeDir}, "a.go:3", ""},
		{"a child may have made it", sites{list: []site{child, dir}}, file("x"), "a.go:4", ""},
		{"one of two", sites{list: []site{other, {chain: "a.go:5", makes: makesFile}}}, file("x"), "", "made at one of: a.go:2; a.go:5"},
		{"drawn is likelier, and not sure", sites{list: []site{one, other}}, file("x-1234567"), "", "likely made at a.go:1"},
		{"a symbolic link", sites{list: []site{other, dir, {chain: "a.go:6", makes: makesSymlink}}}, &leak{name: "x", typ: fs.ModeSymlink}, "a.go:6", ""},
		{"a socket", sites{list: []site{other, dir, {chain: "a.go:7", makes: makesSocket}}}, &leak{name: "x", typ: fs.ModeSocket}, "a.go:7", ""},
		{"a FIFO", sites{list: []site{other, dir, {chain: "a.go:8", makes: makesFIFO}}}, &leak{name: "x", typ: fs.ModeNamedPipe}, "a.go:8", ""},
		{"a process", sites{list: []site{one, child}}, &leak{kind: process, name: "sleep"}, "a.go:4", ""},
		{"many", sites{list: []site{other, {chain: "b:1", makes: makesFile}, {chain: "b:2", makes: makesFile}, {chain: "b:3", makes: makesFile}, {chain: "b:4", makes: makesFile}}},
			file("x"), "", "made at one of: a.go:2; b:1; b:2; b:3; and 1 more"},
	} {
		t.Run(row.name, func(t *testing.T) {
			line, doubt := row.sites.of(row.l)
			assert.Equal(t, row.line, line)
			assert.Equal(t, row.doubt, doubt)
		})
	}
}
