package attack_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/sample"
	"golang.org/x/sys/unix"
)

// script is a victim in another language. Where there is no such program the
// row is skipped.
func script(program string, args ...string) attack.Victim {
	return func(s *attack.Scene) error {
		return exec.Command(program, append(args, s.Dir)...).Run()
	}
}

// python runs the interpreter itself, not a shim that looks for it.
func python() string {
	for _, p := range []string{"/usr/bin/python3", "/usr/local/bin/python3"} {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return "python3"
}

// removeDirAll removes a tree as Rust's std::fs::remove_dir_all does: each
// directory is looked at, opened without following links, listed and emptied.
func removeDirAll(dir string) error {
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return err
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), dir)
	names, err := f.Readdirnames(-1)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	for _, name := range names {
		if err := unix.Unlinkat(fd, name, 0); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(f.Close(), unix.Rmdir(dir))
}

// rewindAndRemove removes a tree in which it goes back to the start of at, as
// closedir(3) of the GNU C library and python's os.scandir do in a directory.
func rewindAndRemove(dir, at string) (err error) {
	f, err := os.Open(at)
	if err != nil {
		return errors.Join(err, removeDirAll(dir))
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return removeDirAll(dir)
}

// inTree works in a temporary directory with a file in it.
func inTree(s *attack.Scene, after func(dir string) error) error {
	dir, err := os.MkdirTemp(s.Dir, "work-*")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "f"), newContent, 0o600); err != nil {
		return errors.Join(err, removeDirAll(dir))
	}
	return after(dir)
}

// cleanupTests are clean-ups that look before they remove: what they cannot look
// at may stay if they report the error. Each stands beside one that is missing
// or silent.
var cleanupTests = []struct {
	victimTest
	needs string // a program
}{
	{victimTest{name: "python: TemporaryDirectory", victim: script(python(), "-I", "-S", "-c", `
import sys, tempfile
with tempfile.TemporaryDirectory(dir=sys.argv[1]) as d:
    with open(d + "/f", "w") as f: f.write("x")
`)}, python()},
	{victimTest{name: "python: rmtree in finally", victim: script(python(), "-I", "-S", "-c", `
import shutil, sys, tempfile
d = tempfile.mkdtemp(dir=sys.argv[1])
try:
    with open(d + "/f", "w") as f: f.write("x")
finally:
    shutil.rmtree(d)
`)}, python()},
	{victimTest{name: "python: rmtree without finally", want: "R05", victim: script(python(), "-I", "-S", "-c", `
import shutil, sys, tempfile
d = tempfile.mkdtemp(dir=sys.argv[1])
with open(d + "/f", "w") as f: f.write("x")
shutil.rmtree(d)
`)}, python()},
	{victimTest{name: "python: rmtree that ignores errors", want: "R11", victim: script(python(), "-I", "-S", "-c", `
import shutil, sys, tempfile
d = tempfile.mkdtemp(dir=sys.argv[1])
try:
    with open(d + "/f", "w") as f: f.write("x")
finally:
    shutil.rmtree(d, ignore_errors=True)
`)}, python()},
	{victimTest{name: "sh: a trap", victim: script("/bin/sh", "-ec", `d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; echo x > "$d/f"`)}, "mktemp"},
	{victimTest{name: "sh: no trap", want: "R05", victim: script("/bin/sh", "-ec", `d=$(mktemp -d); echo x > "$d/f"; rm -rf "$d"`)}, "mktemp"},
	{victimTest{name: "sh: a trap that hides the error", want: "R11", victim: script("/bin/sh", "-ec", `d=$(mktemp -d); trap 'rm -rf "$d" || true' EXIT; echo x > "$d/f"`)}, "mktemp"},
	{victimTest{name: "node: rmSync in finally", slow: true, victim: script("node", "-e", `
const fs = require('fs'), os = require('os'), path = require('path');
const d = fs.mkdtempSync(path.join(os.tmpdir(), 'w-'));
try { fs.writeFileSync(path.join(d, 'f'), 'x'); } finally { fs.rmSync(d, { recursive: true }); }
`)}, "node"},
	{victimTest{name: "node: no finally", slow: true, want: "R05", victim: script("node", "-e", `
const fs = require('fs'), os = require('os'), path = require('path');
const d = fs.mkdtempSync(path.join(os.tmpdir(), 'w-'));
fs.writeFileSync(path.join(d, 'f'), 'x'); fs.rmSync(d, { recursive: true });
`)}, "node"},
	{victimTest{name: "as Rust: remove_dir_all when it is dropped", victim: func(s *attack.Scene) error {
		return inTree(s, func(dir string) (err error) {
			defer func() { err = errors.Join(err, removeDirAll(dir)) }()
			_, err = os.ReadFile(filepath.Join(dir, "f"))
			return err
		})
	}}, ""},
	{victimTest{name: "as Rust: remove_dir_all at the end", want: "R05", victim: func(s *attack.Scene) error {
		return inTree(s, func(dir string) error {
			if _, err := os.ReadFile(filepath.Join(dir, "f")); err != nil {
				return err
			}
			return removeDirAll(dir)
		})
	}}, ""},
	{victimTest{name: "the listing is work, the removal lists again", want: "R05", victim: func(s *attack.Scene) error {
		return inTree(s, func(dir string) error {
			if _, err := os.ReadDir(dir); err != nil {
				return err
			}
			return removeDirAll(dir)
		})
	}}, ""},
	{victimTest{name: "a listing that is rewound before the removal", victim: func(s *attack.Scene) error {
		return inTree(s, func(dir string) error { return rewindAndRemove(dir, dir) })
	}}, ""},
	{victimTest{name: "a seek in a file, and the removal", want: "R05", victim: func(s *attack.Scene) error {
		return inTree(s, func(dir string) error { return rewindAndRemove(dir, filepath.Join(dir, "f")) })
	}}, ""},
	{victimTest{name: "a walk that removes", victim: func(s *attack.Scene) error {
		return inTree(s, func(dir string) error {
			var all []string
			err := filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
				all = append(all, p)
				return err
			})
			for _, p := range slices.Backward(all) {
				err = errors.Join(err, os.Remove(p))
			}
			return err
		})
	}}, ""},
}

// TestCleanups: under Faults a clean-up that looks first is held to what it says.
func TestCleanups(t *testing.T) {
	for i, tt := range cleanupTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.needs != "" && i%6 != 0 && sample.Short() {
				t.Skip("in the part of the table that a short run leaves out")
			}
			if _, err := exec.LookPath(tt.needs); tt.needs != "" && err != nil {
				t.Skipf("no %s here", tt.needs)
			}
			if tt.needs != "" { // an interpreter starts for each of some hundred schedules
				tt.opts = append(tt.opts[:len(tt.opts):len(tt.opts)], attack.Budget(5*time.Minute*attack.Slow))
			}
			tt.run(t, attack.Faults)
		})
	}
}
