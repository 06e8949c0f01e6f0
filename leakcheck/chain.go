package leakcheck

import (
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/tmpproof/tmpproof/internal/lines"
)

const ownPackage = "github.com/tmpproof/tmpproof/leakcheck"

// mostFrames bounds a call chain.
const mostFrames = 4

// chain is the lines of the code under test, the innermost first: without the
// standard library, and without what is ours.
func chain(frames []runtime.Frame) string {
	var lines []string
	for _, f := range frames {
		if foreignFrame(f) {
			continue
		}
		line := filepath.Base(f.File) + ":" + strconv.Itoa(f.Line)
		if len(lines) == 0 || lines[len(lines)-1] != line {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[:min(len(lines), mostFrames)], " < ")
}

var wrappers = []string{"github.com/spf13/afero", "golang.org/x/sys/unix"}

// foreignFrame says that a frame is not of the user's code.
func foreignFrame(f runtime.Frame) bool {
	pkg := lines.Package(f.Function)
	return pkg == "" || slices.Contains(wrappers, pkg) || strings.HasPrefix(f.Function, ownPackage+".(*spans).") || lines.Standard(f)
}
