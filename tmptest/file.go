package tmptest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// File is a strict os.CreateTemp: an open file of mode 0600 in a [Dir] of its
// own, so that nobody else reaches its name. At the end of the test it must
// still be the object under its name (U01), unless the test removed it, with
// one name (C15) and its mode (U04); then it is closed and removed. [Pattern]
// gives the pattern of its name.
//
// A test may close it. Whatever the umask, its mode is 0600.
func File(t testing.TB, opts ...Option) *os.File {
	t.Helper()
	c, err := configure(verbFile, opts)
	if err != nil {
		t.Fatal(err)
	}
	h := handOut(t, c)
	f, err := os.CreateTemp(h.path, c.pattern)
	if err == nil {
		err = f.Chmod(0o600)
	}
	var info fs.FileInfo
	if err == nil {
		info, err = f.Stat()
	}
	if err != nil {
		if f != nil {
			_ = f.Close() // the first error is reported
		}
		t.Fatalf("tmptest.File: %v%s", err, text(h.discard(), h.path))
	}
	h.extra = func() []Violation {
		found := checkFile(f.Name(), info)
		if err := f.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
			found = append(found, Violation{Rule: rules.R11, Path: f.Name(), Detail: "cannot be closed: " + reason(err).Error()})
		}
		return found
	}
	t.Cleanup(h.finish)
	return f
}

// checkFile compares the file with how it was handed out.
func checkFile(name string, was fs.FileInfo) []Violation {
	is, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed by the test
	}
	if err != nil {
		return []Violation{{Rule: rules.U01, Path: name, Detail: reason(err).Error()}}
	}
	if !os.SameFile(was, is) {
		return []Violation{{Rule: rules.U01, Path: name, Detail: fmt.Sprintf("is another object than the file handed out: %s", is.Mode())}}
	}
	if hasOwners && is.Mode() != was.Mode() {
		r := rules.C04
		if accessBits(is.Mode()) != 0 {
			r = rules.U04
		}
		return []Violation{{Rule: r, Path: name, Detail: fmt.Sprintf("was handed out with mode %s and now has %s", modeText(was.Mode()), modeText(is.Mode()))}}
	}
	return nil
}
