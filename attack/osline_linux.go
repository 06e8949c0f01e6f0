package attack

import (
	"path/filepath"

	"github.com/tmpproof/tmpproof/internal/supervise"
)

// describe adds the source line.
func (w *osWorld) describe(b *boundary, ev *supervise.Event) {
	st, err := w.tree.Stack(ev)
	if err != nil {
		b.line, b.chain = "(no line)", "(no line: "+err.Error()+")"
		return
	}
	li, ok := w.lines[st.Key]
	if !ok {
		li = lineOf(st.Frames)
		w.lines[st.Key] = li
	}
	own := st.Via == "" && ev.PID == w.tree.PID()
	b.line, b.chain, b.main, b.side = li.line, li.chain, li.main && own, !li.main && own
	if st.Via != "" {
		b.program = filepath.Base(st.Via)
	}
}
