//go:build !unix

package tmptest

import (
	"io/fs"
	"runtime"
	"testing"
)

// Umask sets the umask for a serial test on Unix. This system has none: the
// test is skipped.
func Umask(t testing.TB, _ fs.FileMode) {
	t.Helper()
	t.Skipf("tmptest.Umask: %s has no umask", runtime.GOOS)
}
