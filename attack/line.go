package attack

import (
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
)

// lineInfo is what a stack says to a reader.
type lineInfo struct {
	line, chain string
	main        bool // the stack of the victim's own goroutine
}

// fsfakePackage stands between the victim and the fake world, as package os
// does elsewhere.
const fsfakePackage = "github.com/tmpproof/tmpproof/fsfake"

// lineOf picks the lines of the user's code: the innermost outside the
// standard library, afero and fsfake, and those of its callers.
func lineOf(frames []runtime.Frame) lineInfo {
	var li lineInfo
	var shown []string
	for _, f := range frames {
		pkg := packageOf(f.Function)
		if strings.HasSuffix(f.Function, "/attack.callVictim") {
			li.main = true
			break
		}
		if standard(pkg) || pkg == "github.com/spf13/afero" || pkg == fsfakePackage || pkg == "golang.org/x/sys/unix" {
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

// modules are the paths of the modules that this binary was built from.
var modules = sync.OnceValue(func() []string {
	bi, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	list := []string{bi.Main.Path}
	for _, m := range bi.Deps {
		list = append(list, m.Path)
	}
	return list
})

// ownModule says that a package belongs to a module, not to the standard
// library.
func ownModule(pkg string) bool {
	for _, m := range modules() {
		if m != "" && (pkg == m || strings.HasPrefix(pkg, m+"/")) {
			return true
		}
	}
	return false
}
