package leakcheck

import (
	"path/filepath"
	"runtime"

	"github.com/tmpproof/tmpproof/internal/lines"
)

const ownPackage = "github.com/tmpproof/tmpproof/leakcheck"

// chain is the lines of the code under test, the innermost first: without the
// standard library, and without what is ours.
func chain(frames []runtime.Frame) string {
	return lines.Chain(frames, func(f runtime.Frame) bool { return !foreignFrame(f) }, filepath.Base)
}

// foreignFrame says that a frame is not of the user's code.
func foreignFrame(f runtime.Frame) bool {
	pkg := lines.Package(f.Function)
	return pkg == "" || lines.Wrapper(pkg) || lines.Ours(f) || lines.Standard(f)
}
