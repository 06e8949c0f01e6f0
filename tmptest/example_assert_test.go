//go:build unix

package tmptest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// A file with a directory of its own, open. It is closed and removed by the
// test, and its name must then still be its own.
func ExampleFile() {
	_ = func(t *testing.T) {
		f := tmptest.File(t, tmptest.Pattern("upload-*.tmp"))
		if _, err := f.WriteString("x"); err != nil {
			t.Fatal(err)
		}
	}
}

// Options of Dir and Shared.
func ExampleIn() {
	_ = func(t *testing.T) {
		tmptest.Dir(t,
			tmptest.In("/var/lib/app"), // not below the temporary root
			tmptest.Literal(),          // no ancestor that others can write, sticky or not
			tmptest.Keep(),             // keep it when the test fails, and say where
			tmptest.Settle(time.Second),
			tmptest.Allow(rules.C05, "a web server reads it"),
		)
		tmptest.Shared(t, tmptest.NoEnv()) // TMPDIR stays as it is: for parallel tests
	}
}

// What a file of the code under test must be.
func ExamplePrivate() {
	_ = func(t *testing.T) {
		path := filepath.Join(tmptest.Dir(t), "data")
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		tmptest.Private(t, path, "others must not read %s", "it")
		tmptest.Mode(t, path, 0o600)
		tmptest.NotSymlink(t, path)
		tmptest.CloseOnExec(t, f)
		opened, _ := f.Stat()
		named, _ := os.Lstat(path)
		tmptest.SameFile(t, opened, named)

		f.Close()
		tmptest.NoOpenFiles(t, filepath.Dir(path))
		os.Remove(path)
		tmptest.Empty(t, filepath.Dir(path))
	}
}

// Where temporary files may be made.
func ExampleSecureDir() {
	_ = func(t *testing.T) {
		tmptest.SecureDir(t, os.TempDir())                            // the directory, and all above it
		tmptest.InSecureDir(t, filepath.Join(os.TempDir(), "a.sock")) // the one that holds it
		tmptest.LocalFS(t, os.TempDir())
	}
}

// What a function does, tried.
func ExampleRemovesAll() {
	tmptest.RemovesAll(printer{}, func(dir string) error {
		_ = os.RemoveAll(dir) // the error is lost
		return nil
	})
	tmptest.Unguessable(printer{}, func() (string, error) { return fmt.Sprint("token-", os.Getpid()), nil })
}

// Without a test: what is wrong with the process's own umask and variables.
func ExampleProcess() {
	found, err := tmptest.Audit(os.TempDir(), tmptest.Process())
	for _, v := range found {
		fmt.Println(v.Level(), v)
	}
	_ = err
}

// Levels say what a broken rule does to a test.
func ExampleViolation() {
	levels := map[rules.Level]int{}
	for _, r := range rules.All() {
		levels[r.Level()]++
	}
	fmt.Println(levels[rules.Fail] > levels[rules.Warn], levels[rules.Warn] > levels[rules.OptIn])

	v := tmptest.Violation{Rule: rules.C04, Path: "/tmp/x", Detail: "has mode 0644"}
	fmt.Println(v.Level(), v)
	// Output:
	// true true
	// fail C04 a temporary file has mode 0600 and a temporary directory 0700, with no set-id bit (CWE-378): "/tmp/x": has mode 0644
}
