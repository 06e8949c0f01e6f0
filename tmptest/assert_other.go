//go:build !unix

package tmptest

import (
	"os"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// CloseOnExec asserts on Unix that a program which this process executes does
// not inherit the file (C16). Here that is not checked, as the log says.
func CloseOnExec(t TestingT, f *os.File, msgAndArgs ...any) bool {
	help(t)
	return verdict(t, "CloseOnExec", f.Name(), platformSkips(f.Name(), rules.C16), msgAndArgs)
}
