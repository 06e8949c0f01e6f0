// Package require has the assertions of package tmptest in the form that stops
// the test: each is the function of the same name there, followed by FailNow
// if it failed, as testify's require is to its assert.
package require

import (
	"io/fs"
	"os"

	"github.com/tmpproof/tmpproof/tmptest"
)

// TestingT is the part of testing.TB that these assertions need, as in
// testify.
type TestingT interface {
	Errorf(format string, args ...any)
	FailNow()
}

func help(t TestingT) {
	if h, ok := t.(interface{ Helper() }); ok {
		h.Helper()
	}
}

// Private is [tmptest.Private], and stops the test if it fails.
func Private(t TestingT, path string, msgAndArgs ...any) {
	help(t)
	if !tmptest.Private(t, path, msgAndArgs...) {
		t.FailNow()
	}
}

// SecureDir is [tmptest.SecureDir], and stops the test if it fails.
func SecureDir(t TestingT, path string, msgAndArgs ...any) {
	help(t)
	if !tmptest.SecureDir(t, path, msgAndArgs...) {
		t.FailNow()
	}
}

// InSecureDir is [tmptest.InSecureDir], and stops the test if it fails.
func InSecureDir(t TestingT, path string, msgAndArgs ...any) {
	help(t)
	if !tmptest.InSecureDir(t, path, msgAndArgs...) {
		t.FailNow()
	}
}

// LocalFS is [tmptest.LocalFS], and stops the test if it fails.
func LocalFS(t TestingT, path string, msgAndArgs ...any) {
	help(t)
	if !tmptest.LocalFS(t, path, msgAndArgs...) {
		t.FailNow()
	}
}

// Unpredictable is [tmptest.Unpredictable], and stops the test if it fails.
func Unpredictable(t TestingT, name func() (string, error), msgAndArgs ...any) {
	help(t)
	if !tmptest.Unpredictable(t, name, msgAndArgs...) {
		t.FailNow()
	}
}

// Unguessable is [tmptest.Unguessable], and stops the test if it fails.
func Unguessable(t TestingT, name func() (string, error), msgAndArgs ...any) {
	help(t)
	if !tmptest.Unguessable(t, name, msgAndArgs...) {
		t.FailNow()
	}
}

// Empty is [tmptest.Empty], and stops the test if it fails.
func Empty(t TestingT, dir string, msgAndArgs ...any) {
	help(t)
	if !tmptest.Empty(t, dir, msgAndArgs...) {
		t.FailNow()
	}
}

// Mode is [tmptest.Mode], and stops the test if it fails.
func Mode(t TestingT, path string, want fs.FileMode, msgAndArgs ...any) {
	help(t)
	if !tmptest.Mode(t, path, want, msgAndArgs...) {
		t.FailNow()
	}
}

// NotSymlink is [tmptest.NotSymlink], and stops the test if it fails.
func NotSymlink(t TestingT, path string, msgAndArgs ...any) {
	help(t)
	if !tmptest.NotSymlink(t, path, msgAndArgs...) {
		t.FailNow()
	}
}

// SameFile is [tmptest.SameFile], and stops the test if it fails.
func SameFile(t TestingT, expected, actual fs.FileInfo, msgAndArgs ...any) {
	help(t)
	if !tmptest.SameFile(t, expected, actual, msgAndArgs...) {
		t.FailNow()
	}
}

// NoOpenFiles is [tmptest.NoOpenFiles], and stops the test if it fails.
func NoOpenFiles(t TestingT, path string, msgAndArgs ...any) {
	help(t)
	if !tmptest.NoOpenFiles(t, path, msgAndArgs...) {
		t.FailNow()
	}
}

// NoFollow is [tmptest.NoFollow], and stops the test if it fails.
func NoFollow(t TestingT, open func(path string) error, msgAndArgs ...any) {
	help(t)
	if !tmptest.NoFollow(t, open, msgAndArgs...) {
		t.FailNow()
	}
}

// RemovesAll is [tmptest.RemovesAll], and stops the test if it fails.
func RemovesAll(t TestingT, remove func(dir string) error, msgAndArgs ...any) {
	help(t)
	if !tmptest.RemovesAll(t, remove, msgAndArgs...) {
		t.FailNow()
	}
}

// CloseOnExec is [tmptest.CloseOnExec], and stops the test if it fails.
func CloseOnExec(t TestingT, f *os.File, msgAndArgs ...any) {
	help(t)
	if !tmptest.CloseOnExec(t, f, msgAndArgs...) {
		t.FailNow()
	}
}
