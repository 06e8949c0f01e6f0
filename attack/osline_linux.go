package attack

import (
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/tmpproof/tmpproof/internal/supervise"
)

// lineInfo is what a stack says to a reader.
type lineInfo struct {
	line, chain string
	main        bool // the stack of the victim's own goroutine
}

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

// lineOf picks the lines of the user's code: the innermost outside the
// standard library and outside afero, and those of its callers.
func lineOf(frames []runtime.Frame) lineInfo {
	var li lineInfo
	var shown []string
	for _, f := range frames {
		pkg := packageOf(f.Function)
		if strings.HasSuffix(f.Function, "/attack.callVictim") {
			li.main = true
			break
		}
		if standard(pkg) || pkg == "github.com/spf13/afero" || pkg == "golang.org/x/sys/unix" {
			continue
		}
		if l := filepath.Base(f.File) + ":" + strconv.Itoa(f.Line); len(shown) < 4 && (len(shown) == 0 || shown[len(shown)-1] != l) {
			shown = append(shown, l)
		}
	}
	if len(shown) == 0 && len(frames) > 0 {
		f := frames[len(frames)-1]
		shown = []string{filepath.Base(f.File) + ":" + strconv.Itoa(f.Line)}
	}
	if len(shown) > 0 {
		li.line = shown[0]
	}
	li.chain = strings.Join(shown, " < ")
	return li
}

// standard says that a package is of the standard library: its import path's
// first element has no dot, and it is not the main module's.
func standard(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	if strings.Contains(first, ".") || pkg == "main" || pkg == "command-line-arguments" {
		return false
	}
	return !ownModule(pkg)
}
