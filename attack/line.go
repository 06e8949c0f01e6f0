package attack

import (
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/tmpproof/tmpproof/internal/lines"
)

// lineInfo is what a stack says to a reader.
type lineInfo struct {
	line, chain string
	main        bool // the stack of the victim's own goroutine
}

// fsfakePackage stands between the victim and the fake world, as package os
// does elsewhere.
const fsfakePackage = "github.com/tmpproof/tmpproof/fsfake"

// ourOwn says that a frame lies between a point of Kills and the code that came
// to it.
func ourOwn(function string) bool {
	const house = "github.com/tmpproof/tmpproof/"
	name, ok := strings.CutPrefix(function, house+"attack.")
	if !ok {
		return strings.HasPrefix(function, house+"internal/supervise.")
	}
	for _, own := range []string{"pointFS.", "pointFile.", "(*Scene).Point", "(*child).", "(*fakeWorld)."} {
		if strings.HasPrefix(name, own) {
			return true
		}
	}
	return false
}

// lineOf picks the lines of the user's code: the innermost outside the
// standard library, afero and fsfake, and those of its callers.
func lineOf(frames []runtime.Frame) lineInfo {
	var li lineInfo
	var shown []string
	for _, f := range frames {
		pkg := lines.Package(f.Function)
		if strings.HasSuffix(f.Function, "/attack.callVictim") {
			li.main = true
			break
		}
		if lines.Standard(f) || pkg == "github.com/spf13/afero" || pkg == fsfakePackage || pkg == "golang.org/x/sys/unix" || ourOwn(f.Function) {
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
