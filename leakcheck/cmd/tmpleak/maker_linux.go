//go:build amd64 || arm64

package main

import (
	"path/filepath"
	"runtime"
	"strings"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/internal/testname"
)

// maker is who made a name.
type maker struct {
	test    string
	where   string // lines, the innermost first
	renamed string // the lines that gave it its name, where those are others
	via     string // the program, where it is not the test binary
	tool    bool   // testing made it for the test: t.TempDir
	drawn   bool   // os drew the name
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
			m = maker{test: testname.In(st.Frames), where: w.lines.chain(st.Frames)}
		}
		m.via = filepath.Base(st.Via)
		return m
	}
	m := maker{where: w.lines.chain(st.Frames), test: w.tests.Of(w.tree, ev)}
	if m.test == "" {
		w.ancestors(ev, &m)
	}
	if m.test == "" {
		m.test = testname.In(st.Frames)
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
		if up.test != "" { // by which it can be run again
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

// ancestors finds the test that has started the goroutine of a call, or the
// one that started that, and adds the line of the first go statement.
func (w *watch) ancestors(ev *supervise.Event, m *maker) {
	for i, g := range w.tree.Ancestry(ev) {
		if i == 0 {
			if line := w.lines.chain(g.Created); line != "" && !strings.HasSuffix(m.where, line) {
				m.where = strings.TrimPrefix(m.where+" < "+line, " < ")
			}
		}
		if m.test = w.tests.Started(ev, g); m.test != "" {
			return
		}
		for _, frames := range [][]runtime.Frame{g.Created, g.Start} {
			if m.test = testname.In(frames); m.test != "" {
				return
			}
		}
	}
}
