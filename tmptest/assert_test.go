//go:build unix

package tmptest_test

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/require"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// assertion is one assertion on one subject, in both of its forms.
type assertion struct {
	name    string
	subject func(tb testing.TB) string // makes what is looked at
	assert  func(t tmptest.TestingT, subject string, msg ...any) bool
	require func(t require.TestingT, subject string, msg ...any)
	want    string // the rule that is broken; none: it holds; otherwise text
}

// in makes a path in a private directory.
func in(prepare func(tb testing.TB, path string)) func(testing.TB) string {
	return func(tb testing.TB) string {
		path := filepath.Join(tmptest.Dir(tb, unjudged...), "subject")
		prepare(tb, path)
		return path
	}
}

// unjudged: what the assertion is to judge is not for Dir.
var unjudged = []tmptest.Option{
	tmptest.Allow(rules.C04, "for the assertion"), tmptest.Allow(rules.C05, "for the assertion"),
	tmptest.Allow(rules.U05, "for the assertion"), tmptest.Allow(rules.C15, "for the assertion"),
}

func fileOf(mode fs.FileMode) func(testing.TB) string {
	return in(func(tb testing.TB, path string) { write(tb, path, mode) })
}

func dirOf(mode fs.FileMode) func(testing.TB) string {
	return in(func(tb testing.TB, path string) {
		noError(tb, os.Mkdir(path, 0o700))
		noError(tb, os.Chmod(path, mode))
	})
}

func missing(tb testing.TB) string { return in(func(testing.TB, string) {})(tb) }

func link(tb testing.TB) string {
	return in(func(tb testing.TB, path string) { noError(tb, os.Symlink("target", path)) })(tb)
}

func hardLinked(tb testing.TB) string {
	return in(func(tb testing.TB, path string) { write(tb, path, 0o600); noError(tb, os.Link(path, path+"2")) })(tb)
}

func noSubject(testing.TB) string { return "" }

func mode(want fs.FileMode) (func(tmptest.TestingT, string, ...any) bool, func(require.TestingT, string, ...any)) {
	return func(t tmptest.TestingT, path string, msg ...any) bool { return tmptest.Mode(t, path, want, msg...) },
		func(t require.TestingT, path string, msg ...any) { require.Mode(t, path, want, msg...) }
}

func sameFile(other string) (func(tmptest.TestingT, string, ...any) bool, func(require.TestingT, string, ...any)) {
	infos := func(path string) (a, b fs.FileInfo) {
		a, _ = os.Stat(path)
		b, _ = os.Stat(filepath.Join(filepath.Dir(path), other))
		return a, b
	}
	return func(t tmptest.TestingT, path string, msg ...any) bool {
			a, b := infos(path)
			return tmptest.SameFile(t, a, b, msg...)
		}, func(t require.TestingT, path string, msg ...any) {
			a, b := infos(path)
			require.SameFile(t, a, b, msg...)
		}
}

func closeOnExec(flag int) (func(tmptest.TestingT, string, ...any) bool, func(require.TestingT, string, ...any)) {
	open := func(path string) *os.File {
		fd, err := syscall.Open(path, syscall.O_RDONLY|flag, 0)
		if err != nil {
			panic(err)
		}
		return os.NewFile(uintptr(fd), path)
	}
	return func(t tmptest.TestingT, path string, msg ...any) bool {
			f := open(path)
			defer f.Close()
			return tmptest.CloseOnExec(t, f, msg...)
		}, func(t require.TestingT, path string, msg ...any) {
			f := open(path)
			defer f.Close()
			require.CloseOnExec(t, f, msg...)
		}
}

func openFlags(flag int) func(string) error {
	return func(path string) error {
		f, err := os.OpenFile(path, flag, 0)
		if err != nil {
			return err
		}
		return f.Close()
	}
}

// withOpen holds the subject open while f runs.
func withOpen(path string, f func()) {
	file, err := os.Open(path)
	if err == nil {
		defer file.Close()
	}
	f()
}

func row(name string, subject func(testing.TB) string, a func(tmptest.TestingT, string, ...any) bool, r func(require.TestingT, string, ...any), want string) assertion {
	return assertion{name, subject, a, r, want}
}

func assertions() []assertion {
	mode600, requireMode600 := mode(0o600)
	modeDir, requireModeDir := mode(0o700 | fs.ModeDir)
	same, requireSame := sameFile("subject2")
	other, requireOther := sameFile("none")
	cloexec, requireCloexec := closeOnExec(syscall.O_CLOEXEC)
	inherited, requireInherited := closeOnExec(0)
	open := func(t tmptest.TestingT, path string, msg ...any) (ok bool) {
		withOpen(path, func() { ok = tmptest.NoOpenFiles(t, filepath.Dir(path), msg...) })
		return ok
	}
	requireOpen := func(t require.TestingT, path string, msg ...any) {
		withOpen(path, func() { require.NoOpenFiles(t, filepath.Dir(path), msg...) })
	}
	all := []assertion{
		row("Private file", fileOf(0o600), tmptest.Private, require.Private, ""),
		row("Private read-only file", fileOf(0o400), tmptest.Private, require.Private, ""),
		row("Private directory", dirOf(0o700), tmptest.Private, require.Private, ""),
		row("Private group-readable", fileOf(0o640), tmptest.Private, require.Private, "C05"),
		row("Private directory searched by others", dirOf(0o701), tmptest.Private, require.Private, "C05"),
		row("Private set-id", fileOf(0o600|fs.ModeSetgid), tmptest.Private, require.Private, "C04"),
		row("Private with two names", hardLinked, tmptest.Private, require.Private, "C15"),
		row("Private link", link, tmptest.Private, require.Private, "E05"),
		row("Private missing", missing, tmptest.Private, require.Private, "no such file"),
		row("SecureDir", dirOf(0o755), tmptest.SecureDir, require.SecureDir, ""),
		row("SecureDir shared", dirOf(0o777|fs.ModeSticky), tmptest.SecureDir, require.SecureDir, "C18"),
		row("SecureDir file", fileOf(0o600), tmptest.SecureDir, require.SecureDir, "E01"),
		row("SecureDir missing", missing, tmptest.SecureDir, require.SecureDir, "E01"),
		row("InSecureDir", fileOf(0o644), tmptest.InSecureDir, require.InSecureDir, ""),
		row("InSecureDir missing", missing, tmptest.InSecureDir, require.InSecureDir, "no such file"),
		row("LocalFS", dirOf(0o700), tmptest.LocalFS, require.LocalFS, ""),
		row("LocalFS missing", missing, tmptest.LocalFS, require.LocalFS, "no such file"),
		row("Empty", dirOf(0o700), tmptest.Empty, require.Empty, ""),
		row("Empty of a full one", in(func(tb testing.TB, path string) {
			noError(tb, os.Mkdir(path, 0o700))
			write(tb, path+"/f", 0o600)
		}), tmptest.Empty, require.Empty, "R01"),
		row("Empty missing", missing, tmptest.Empty, require.Empty, "no such file"),
		row("Mode", fileOf(0o600), mode600, requireMode600, ""),
		row("Mode of a directory", dirOf(0o700), modeDir, requireModeDir, ""),
		row("Mode too wide", fileOf(0o604), mode600, requireMode600, "C05"),
		row("Mode too narrow", fileOf(0o400), mode600, requireMode600, "C04"),
		row("Mode with a set-id bit", fileOf(0o600|fs.ModeSetuid), mode600, requireMode600, "C04"),
		row("Mode of another type", fileOf(0o700), modeDir, requireModeDir, "C04"),
		row("Mode missing", missing, mode600, requireMode600, "no such file"),
		row("NotSymlink", fileOf(0o600), tmptest.NotSymlink, require.NotSymlink, ""),
		row("NotSymlink of a link", link, tmptest.NotSymlink, require.NotSymlink, "E05"),
		row("NotSymlink missing", missing, tmptest.NotSymlink, require.NotSymlink, "no such file"),
		row("SameFile", hardLinked, same, requireSame, ""),
		row("SameFile of none", hardLinked, other, requireOther, "U01"),
		row("CloseOnExec", fileOf(0o600), cloexec, requireCloexec, ""),
		row("CloseOnExec inherited", fileOf(0o600), inherited, requireInherited, "C16"),
		row("Unguessable", noSubject, func(t tmptest.TestingT, _ string, msg ...any) bool {
			return tmptest.Unguessable(t, text, msg...)
		}, func(t require.TestingT, _ string, msg ...any) { require.Unguessable(t, text, msg...) }, ""),
		row("Unpredictable of a constant", noSubject, func(t tmptest.TestingT, _ string, msg ...any) bool {
			return tmptest.Unpredictable(t, constant, msg...)
		}, func(t require.TestingT, _ string, msg ...any) { require.Unpredictable(t, constant, msg...) }, "C06"),
		row("NoFollow", noSubject, func(t tmptest.TestingT, _ string, msg ...any) bool {
			return tmptest.NoFollow(t, openFlags(syscall.O_NOFOLLOW), msg...)
		}, func(t require.TestingT, _ string, msg ...any) {
			require.NoFollow(t, openFlags(syscall.O_NOFOLLOW), msg...)
		}, ""),
		row("NoFollow, creating", noSubject, func(t tmptest.TestingT, _ string, msg ...any) bool {
			return tmptest.NoFollow(t, openFlags(os.O_CREATE), msg...)
		}, func(t require.TestingT, _ string, msg ...any) { require.NoFollow(t, openFlags(os.O_CREATE), msg...) }, "X01"),
		row("NoFollow that opens nothing", noSubject, func(t tmptest.TestingT, _ string, msg ...any) bool {
			return tmptest.NoFollow(t, func(string) error { return errors.ErrUnsupported }, msg...)
		}, func(t require.TestingT, _ string, msg ...any) {
			require.NoFollow(t, func(string) error { return errors.ErrUnsupported }, msg...)
		}, "a plain file cannot be opened either"),
		row("RemovesAll", noSubject, func(t tmptest.TestingT, _ string, msg ...any) bool {
			return tmptest.RemovesAll(t, os.RemoveAll, msg...)
		}, func(t require.TestingT, _ string, msg ...any) { require.RemovesAll(t, os.RemoveAll, msg...) }, ""),
		row("RemovesAll that does nothing", noSubject, func(t tmptest.TestingT, _ string, msg ...any) bool {
			return tmptest.RemovesAll(t, func(string) error { return nil }, msg...)
		}, func(t require.TestingT, _ string, msg ...any) {
			require.RemovesAll(t, func(string) error { return nil }, msg...)
		}, "R11"),
		row("NoOpenFiles", dirOf(0o700), tmptest.NoOpenFiles, require.NoOpenFiles, ""),
	}
	if os.Geteuid() == 0 {
		all = append(all, row("Private of another user", in(func(tb testing.TB, path string) {
			write(tb, path, 0o600)
			noError(tb, os.Chown(path, 12345, -1))
		}), tmptest.Private, require.Private, "C15"))
	}
	if tmptest.ListsDescriptors {
		all = append(all, row("NoOpenFiles with one", fileOf(0o600), open, requireOpen, "R03"))
	}
	return all
}

func text() (string, error)     { return rand.Text(), nil }
func constant() (string, error) { return "constant", nil }

// TestAssertions: each assertion holds or names the broken rule, gives the
// message of the caller, and its twin stops the test when it fails.
func TestAssertions(t *testing.T) {
	for _, tt := range assertions() {
		t.Run(tt.name, func(t *testing.T) {
			subject := tt.subject(t)
			f := &failures{T: t}
			ok := tt.assert(f, subject, "for %s", "the reader")
			assert.Equal(t, tt.want == "", ok)
			r := &failures{T: t}
			tt.require(r, subject, "for %s", "the reader")
			if tt.want == "" {
				assert.Empty(t, f.texts)
				assert.Empty(t, r.texts)
				return
			}
			assert.Equal(t, []string{"FailNow"}, r.texts[1:])
			for _, text := range []string{f.texts[0], r.texts[0]} {
				assert.Contains(t, text, "for the reader")
				if len(tt.want) == 3 {
					assert.Contains(t, rulesIn([]string{text}), tt.want, text)
					assert.Contains(t, text, "fix: ")
				} else {
					assert.Contains(t, text, tt.want)
				}
			}
		})
	}
	t.Run("without a message, and for any TestingT", func(t *testing.T) {
		var e errorer
		assert.False(t, tmptest.Empty(&e, "/"))
		assert.Len(t, e, 1)
		assert.False(t, strings.Contains(e[0], "again:"), "there is no test to run again")
	})
}
