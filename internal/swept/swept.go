// Package swept gives tests temporary directories that do not outlive them, even
// when they are killed: then the next run removes them. It is for the suites
// that cannot run under leakcheck, which does that and more, since leakcheck is
// made of what they test.
package swept

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/tmpproof/tmpproof/internal/sweep"
)

// outer is TMPDIR as Run has found it.
var outer = os.TempDir()

// Run is m.Run with a TMPDIR of its own, and removes what killed runs have left
// in the one that was there before.
func Run(m *testing.M) int {
	new(sweep.Sweeper).Sweep(outer)
	dir, remove, err := newDir()
	if err != nil {
		return failed(err)
	}
	if err := os.Setenv("TMPDIR", dir); err != nil {
		return failed(errors.Join(err, remove()))
	}
	code := m.Run()
	if err := remove(); err != nil {
		return failed(err)
	}
	return code
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, "a directory for the tests:", err)
	return 1
}

// Dir is a directory for one test, beside that of Run: the names of sockets
// have little room.
func Dir(t testing.TB) string {
	t.Helper()
	dir, remove, err := newDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := remove(); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func newDir() (dir string, remove func() error, err error) {
	dir, marker, err := sweep.Make(outer)
	if err != nil {
		return "", nil, err
	}
	return dir, func() error { return errors.Join(sweep.Remove(dir), marker.Close()) }, nil
}
