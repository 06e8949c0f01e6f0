//go:build amd64 || arm64

package main

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/tmpproof/tmpproof/internal/supervise"
)

// maker is who made a name.
type maker struct {
	test  string
	where string // lines, the innermost first
	via   string // the program, where it is not the test binary
	tool  bool   // testing made it for the test: t.TempDir
	drawn bool   // os drew the name
}

func (m maker) empty() bool { return m.test == "" && m.where == "" }

// maker finds out who makes a stopped call.
func (w *watch) maker(ev *supervise.Event) maker {
	st, err := w.tree.Stack(ev)
	if err != nil {
		m := w.process(ev).start
		if m.empty() {
			w.missed["the line of a call: "+err.Error()]++
		}
		return m
	}
	if st.Via != "" {
		m := w.process(ev).start
		if m.empty() {
			m = maker{test: testIn(st.Frames), where: w.lines.chain(st.Frames)}
		}
		m.via = filepath.Base(st.Via)
		return m
	}
	m := maker{where: w.lines.chain(st.Frames), test: w.tests.of(w.tree, ev)}
	if m.test == "" {
		m.test = testIn(st.Frames)
	}
	for _, f := range st.Frames {
		if strings.HasPrefix(f.Function, "testing.(*common).TempDir") {
			m.tool = true
		}
		if f.Function == "os.CreateTemp" || f.Function == "os.MkdirTemp" {
			m.drawn = true
		}
	}
	if st.Start != nil { // the test binary, run again
		up := w.process(ev).start
		if m.test == "" || m.test == "TestMain" {
			m.test = up.test
		}
		if up.where != "" && !strings.Contains(m.where, up.where) {
			if m.where != "" {
				m.where += " < "
			}
			m.where += up.where
		}
	}
	return m
}

// testNames reads the names of running tests from a test binary's memory, where
// its testing package is the same as ours. The name is a field of the
// testing.T that testing.tRunner, the outermost function of a test's goroutine,
// has in its frame.
type testNames struct {
	same bool // the Go version
	slot int  // word of the frame in which it was found, plus one
}

// layout is where testing.common has two of its fields.
var layout = func() (l struct {
	ok           bool
	name, runner uintptr
}) {
	t := reflect.TypeFor[testing.T]()
	common, ok := t.FieldByName("common")
	if !ok || common.Offset != 0 {
		return l
	}
	name, ok1 := common.Type.FieldByName("name")
	runner, ok2 := common.Type.FieldByName("runner")
	text := reflect.TypeFor[string]()
	l.ok = ok1 && ok2 && name.Type == text && runner.Type == text
	l.name, l.runner = name.Offset, runner.Offset
	return l
}()

const testRunner = "testing.tRunner"

// of is the name of the test whose goroutine makes a call, "" when it is none
// or cannot be read.
func (n *testNames) of(tree *supervise.Tree, ev *supervise.Event) string {
	if !n.same || !layout.ok {
		return ""
	}
	words := tree.Frame(ev, testRunner)
	if n.slot > 0 && n.slot <= len(words) {
		if name := testAt(ev, words[n.slot-1]); name != "" {
			return name
		}
	}
	for i, word := range words {
		if name := testAt(ev, word); name != "" {
			n.slot = i + 1
			return name
		}
	}
	return ""
}

// testAt is the name of the testing.T at an address, "" when there is none: of
// a test that runs, testing notes by which function.
func testAt(ev *supervise.Event, addr uint64) string {
	if addr < 1<<16 || addr%uint64(unsafe.Alignof(uintptr(0))) != 0 {
		return ""
	}
	if s, ok := ev.GoString(addr+uint64(layout.runner), len(testRunner)); !ok || s != testRunner {
		return ""
	}
	name, _ := ev.GoString(addr+uint64(layout.name), 4096)
	return name
}
