package parity

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// What the rows do with what they are given. Each with function removes what
// was made, also if the promise was not kept.

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%v", err)
	}
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// drop closes and removes a file, which may be closed or gone.
func drop(t testing.TB, file *os.File) {
	t.Helper()
	if err := file.Close(); !errors.Is(err, fs.ErrClosed) {
		check(t, err)
	}
	check(t, ignoreMissing(os.Remove(file.Name())))
}

// with uses what was made, and drops it in any case.
func with[T any](t testing.TB, made T, err error, drop, use func(T)) {
	t.Helper()
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	defer drop(made)
	use(made)
}

func withFile(t testing.TB, dir string, f CreateFunc, use func(*os.File)) {
	t.Helper()
	file, err := f(dir)
	with(t, file, err, func(file *os.File) { drop(t, file) }, use)
}

// withHidden is withFile for a file that may have no name. All that it left in
// the directory goes.
func withHidden(t testing.TB, dir string, f CreateFunc, use func(*os.File)) {
	t.Helper()
	file, err := f(dir)
	with(t, file, err, dropAll[*os.File](t, dir), use)
}

func withDir(t testing.TB, dir string, f DirFunc, use func(string)) {
	t.Helper()
	path, err := f(dir)
	with(t, path, err, func(path string) { check(t, os.RemoveAll(path)) }, use)
}

func withNamed(t testing.TB, dir string, f NamedFunc, use func(NamedFile)) {
	t.Helper()
	file, err := f(dir)
	with(t, file, err, dropAll[NamedFile](t, dir), use)
}

// withSpool writes n bytes.
func withSpool(t testing.TB, dir string, f SpoolFunc, n int, use func(SpoolFile)) {
	t.Helper()
	file, err := f(dir, spoolMax)
	with(t, file, err, dropAll[SpoolFile](t, dir), func(file SpoolFile) {
		for i := range n {
			if _, err := file.Write([]byte{byte(i)}); err != nil {
				t.Errorf("%v", err)
				return
			}
		}
		use(file)
	})
}

// dropAll closes a file and removes all that is in its directory.
func dropAll[T io.Closer](t testing.TB, dir string) func(T) {
	return func(file T) {
		_ = file.Close() // again for some rows; those report the first error
		clearDir(t, dir)
	}
}

func clearDir(t testing.TB, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	for _, e := range entries {
		check(t, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
}

// private is mode 0600, the owner's, one name.
func private(t testing.TB, path string) {
	t.Helper()
	tmptest.Mode(t, path, 0o600)
	tmptest.Private(t, path)
}

func different(t testing.TB, first, second string) {
	t.Helper()
	a, err := os.Lstat(first)
	check(t, err)
	b, err := os.Lstat(second)
	check(t, err)
	if first == second || os.SameFile(a, b) {
		breach(t, rules.C01, second, "was there already, and was used again")
	}
}

func readBack(t testing.TB, file io.ReadWriteSeeker) {
	t.Helper()
	_, err := file.Write([]byte("content"))
	check(t, err)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
		check(t, err)
		data, err := io.ReadAll(file)
		check(t, err)
		if string(data) != "content" {
			breach(t, rules.X05, "the file", "gave back %q", data)
		}
	}
}

// readAll compares what withSpool wrote.
func readAll(t testing.TB, file SpoolFile, n int) {
	t.Helper()
	_, err := file.Seek(0, io.SeekStart)
	check(t, err)
	data, err := io.ReadAll(file)
	check(t, err)
	want := make([]byte, n)
	for i := range want {
		want[i] = byte(i)
	}
	if !bytes.Equal(data, want) {
		breach(t, rules.X05, "the file", "gave back %d bytes, not the %d written", len(data), n)
	}
}
