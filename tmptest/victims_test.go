//go:build linux

package tmptest_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

func probe(tb testing.TB, dir string, open func(string, int, fs.FileMode) (*os.File, error), chmod func(*os.File, fs.FileMode) error) {
	detail, err := tmptest.ProbeWith(dir, open, chmod)
	noError(tb, err)
	if detail != "" {
		tb.Errorf("\n  %s", tmptest.Violation{Rule: rules.E09, Detail: detail})
	}
	tmptest.Empty(tb, dir, "the probe is removed")
}

func auditProcess(tb testing.TB, opts ...tmptest.Option) {
	audit(tb, tmptest.Dir(tb), append(opts, tmptest.Process())...)
}

// notE12 leaves the four variables aside.
var notE12 = tmptest.Allow(rules.E12, "another rule is tried")

// settings makes a directory as /proc/sys/fs is, and says what E16 finds.
func settings(value string) func(tb testing.TB) {
	return withDir(func(tb testing.TB, dir string) {
		for _, name := range []string{"symlinks", "hardlinks", "regular", "fifos"} {
			noError(tb, os.WriteFile(filepath.Join(dir, "protected_"+name), []byte(value), 0o600))
		}
		for _, v := range tmptest.ProtectionIn(dir) {
			tb.Logf("\n  %s", v)
		}
	})
}

// removal removes a directory that was listed, and in which f runs then.
func removal(f func(tb testing.TB, dir string)) func(testing.TB) {
	return func(tb testing.TB) {
		dir := filepath.Join(tb.TempDir(), "d")
		noError(tb, os.Mkdir(dir, 0o700))
		write(tb, dir+"/f", 0o600)
		found, err := tmptest.RemoveAfterListing(dir, func() { f(tb, dir) })
		noError(tb, err)
		for _, v := range found {
			tb.Logf("\n  %s", v)
		}
		_, err = os.Lstat(dir)
		require.ErrorIs(tb, err, fs.ErrNotExist)
	}
}

func allVariables(tb testing.TB) {
	dir := tb.TempDir()
	for _, name := range []string{"TMPDIR", "TMP", "TEMP", "GOTMPDIR"} {
		tb.Setenv(name, dir)
	}
}

// linkTo is the last of a chain of n links to a private directory.
func linkTo(tb testing.TB, n int) string {
	dir := tb.TempDir()
	target := filepath.Join(dir, "target")
	noError(tb, os.Mkdir(target, 0o700))
	for i := range n {
		link := filepath.Join(dir, fmt.Sprint("link", i))
		noError(tb, os.Symlink(target, link))
		target = link
	}
	return target
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// leaveOpen closes the file when the observed test is over.
func leaveOpen(tb testing.TB, path string, flag int) {
	f, err := os.OpenFile(path, flag, 0o600)
	noError(tb, err)
	tb.(*recorder).TB.Cleanup(func() { noError(tb, f.Close()) })
}

func socket(tb testing.TB, path string, mode fs.FileMode) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	noError(tb, err)
	defer unix.Close(fd)
	noError(tb, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	noError(tb, os.Chmod(path, mode))
}

// sleeper starts a program in dir that ends when the observed test is over.
func sleeper(tb testing.TB, dir string) {
	cmd := exec.Command("/bin/cat")
	cmd.Dir = dir
	stdin, err := cmd.StdinPipe()
	noError(tb, err)
	noError(tb, cmd.Start())
	tb.(*recorder).TB.Cleanup(func() {
		noError(tb, errors.Join(stdin.Close(), cmd.Wait()))
	})
}

// orphan starts a program in dir whose parent has ended, and which ends when
// the observed test is over.
func orphan(tb testing.TB, dir string) {
	r, w, err := os.Pipe()
	noError(tb, err)
	cmd := exec.Command("/bin/sh", "-c", "cat <&3 >/dev/null 2>&1 &")
	cmd.Dir, cmd.ExtraFiles = dir, []*os.File{r}
	noError(tb, cmd.Run())
	noError(tb, r.Close())
	tb.(*recorder).TB.Cleanup(func() { noError(tb, w.Close()) })
}
