package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// filesVariable makes TestFileHeavy run.
const filesVariable = "BENCH_FILES"

// TestFileHeavy is a suite of which most is work on files: each of its 50 tests
// writes, reads, renames, lists and removes 40 files of 4 KiB in t.TempDir, as
// tests of a store do.
func TestFileHeavy(t *testing.T) {
	if os.Getenv(filesVariable) == "" {
		t.Skip("is a part of BenchmarkTmpleak")
	}
	data := make([]byte, 4096)
	check := func(t *testing.T, err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			check(t, os.MkdirAll(dir, 0o700))
			for i := range 40 {
				name := filepath.Join(dir, fmt.Sprintf("object-%d", i))
				f, err := os.CreateTemp(dir, "new-*")
				check(t, err)
				_, err = f.Write(data)
				check(t, err)
				check(t, f.Close())
				check(t, os.Rename(f.Name(), name))
				b, err := os.ReadFile(name)
				check(t, err)
				if len(b) != len(data) {
					t.Fatal(len(b))
				}
				_, err = os.Stat(name)
				check(t, err)
			}
			list, err := os.ReadDir(dir)
			check(t, err)
			for _, e := range list {
				check(t, os.Remove(filepath.Join(dir, e.Name())))
			}
		})
	}
}

// BenchmarkTmpleak is that suite by itself, and under tmpleak.
func BenchmarkTmpleak(b *testing.B) {
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	tmpleak := filepath.Join(b.TempDir(), "tmpleak")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", tmpleak, "github.com/tmpproof/tmpproof/leakcheck/cmd/tmpleak").CombinedOutput(); err != nil {
		b.Skipf("needs the go command: %v\n%s", err, out)
	}
	for _, row := range []struct {
		name string
		args []string
	}{
		{"without", []string{exe}},
		{"with", []string{tmpleak, exe}},
	} {
		b.Run(row.name, func(b *testing.B) {
			dir := b.TempDir()
			for b.Loop() {
				cmd := exec.Command(row.args[0], append(row.args[1:], "-test.run=^TestFileHeavy$")...)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), filesVariable+"=1", "TMPDIR="+dir)
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
			}
		})
	}
}
