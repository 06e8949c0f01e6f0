//go:build unix

package tmptest_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// In a test function.
func ExampleDir() {
	_ = func(t *testing.T) {
		dir := tmptest.Dir(t)
		if err := os.Symlink("/etc", filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		// At its end the test fails with U05: "link" leads out of the directory.
	}
}

// Code that makes temporary files where TMPDIR says.
func ExampleShared() {
	_ = func(t *testing.T) {
		tmptest.Shared(t, tmptest.Target("report.txt"))
		f, err := os.CreateTemp("", "work-*")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		// Without os.Remove(f.Name()) the test fails with R01.
	}
}

// A mode that the code leaves to the umask shows.
func ExampleUmask() {
	_ = func(t *testing.T) {
		dir := tmptest.Dir(t)
		tmptest.Umask(t, 0)
		f, err := os.Create(filepath.Join(dir, "data")) // asks for 0666
		if err != nil {
			t.Fatal(err)
		}
		tmptest.Private(t, f.Name()) // fails with C05
	}
}

// printer prints the first line of a failure, where a test would fail.
type printer struct{}

func (printer) Errorf(format string, args ...any) {
	_, text, _ := strings.Cut(fmt.Sprintf(format, args...), "tmptest.")
	line, _, _ := strings.Cut(text, " by ")
	fmt.Println("tmptest." + line)
}

func ExampleUnpredictable() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	fmt.Println(tmptest.Unpredictable(printer{}, func() (string, error) {
		f, err := os.CreateTemp(dir, "upload-*")
		if err != nil {
			return "", err
		}
		return f.Name(), f.Close()
	}))
	fmt.Println(tmptest.Unpredictable(printer{}, func() (string, error) {
		return fmt.Sprintf("%d.tmp", os.Getpid()), nil
	}))
	// Output:
	// true
	// tmptest.Unpredictable: C06: broken
	// false
}

func ExampleAudit() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "key.pem")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		fmt.Println(err)
	}
	if err := os.Chmod(name, 0o700|fs.ModeSetuid); err != nil {
		fmt.Println(err)
	}

	violations, err := tmptest.Audit(dir)
	if err != nil {
		fmt.Println(err)
	}
	for _, v := range violations {
		if v.Level() == rules.Fail {
			fmt.Println(v.Rule.ID(), filepath.Base(v.Path), v.Detail)
		}
	}
	// Output:
	// C04 key.pem has mode 4700
}

func ExampleNoFollow() {
	tmptest.NoFollow(printer{}, func(path string) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return f.Close()
	})
	tmptest.NoFollow(printer{}, func(path string) error {
		root, err := os.OpenRoot(filepath.Dir(path))
		if err != nil {
			return err
		}
		defer root.Close()
		info, err := root.Lstat(filepath.Base(path))
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no regular file", path)
		}
		return nil
	})
	// Output:
	// tmptest.NoFollow: C02: broken
}
