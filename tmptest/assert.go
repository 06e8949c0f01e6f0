package tmptest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// TestingT is the part of testing.TB that assertions need, as in testify.
type TestingT interface {
	Errorf(format string, args ...any)
}

// help marks the caller as a helper where t knows of such.
func help(t TestingT) {
	if h, ok := t.(interface{ Helper() }); ok {
		h.Helper()
	}
}

// logf logs where t can.
func logf(t TestingT, format string, args ...any) {
	help(t)
	if l, ok := t.(interface{ Logf(string, ...any) }); ok {
		l.Logf(format, args...)
	}
}

// verdict fails with what is broken, whatever the level of the rule, since it
// was asked for; it logs advice and what could not be checked.
func verdict(t TestingT, name, what string, found []Violation, msgAndArgs []any) bool {
	help(t)
	failures := tidy(found, nil)
	advice := slices.DeleteFunc(slices.Clone(failures), func(v Violation) bool { return !v.advice })
	failures = slices.DeleteFunc(failures, func(v Violation) bool { return v.advice })
	if len(advice) > 0 {
		logf(t, "tmptest.%s: advice on %q%s", name, what, text(advice, ""))
	}
	if len(failures) == 0 {
		return true
	}
	again := ""
	if n, ok := t.(interface{ Name() string }); ok {
		again = "\n  again: " + callSite(12).again(n.Name())
	}
	return assert.Fail(t, fmt.Sprintf("tmptest.%s: %s: broken by %q%s%s", name, ids(failures), what, text(failures, ""), again), msgAndArgs...)
}

// noSuch fails because there is nothing to look at.
func noSuch(t TestingT, name string, err error, msgAndArgs []any) bool {
	help(t)
	return assert.Fail(t, fmt.Sprintf("tmptest.%s: %v", name, err), msgAndArgs...)
}

// Private asserts that a file or directory is for its owner only: it is no
// symbolic link (E05), belongs to the effective user and, unless it is a
// directory, has no other name (C15), and gives group and others nothing (C05,
// CWE-732); a file has no set-id bit (C04). On Windows only the link is
// checked, and the log names the rest.
func Private(t TestingT, path string, msgAndArgs ...any) bool {
	help(t)
	info, err := os.Lstat(path)
	if err != nil {
		return noSuch(t, "Private", err, msgAndArgs)
	}
	return verdict(t, "Private", path, judgePrivate(path, info), msgAndArgs)
}

func judgePrivate(path string, info fs.FileInfo) []Violation {
	if info.Mode()&fs.ModeSymlink != 0 {
		return []Violation{{Rule: rules.E05, Path: path, Detail: "is a symbolic link"}}
	}
	if !hasOwners {
		return platformSkips(path, rules.C04, rules.C05, rules.C15)
	}
	var found []Violation
	mode, st := info.Mode(), statOf(info)
	if accessBits(mode) != 0 {
		found = append(found, Violation{Rule: rules.C05, Path: path, Detail: "has mode " + modeText(mode)})
	}
	if mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 && !mode.IsDir() {
		found = append(found, Violation{Rule: rules.C04, Path: path, Detail: "has mode " + modeText(mode)})
	}
	if st.uid != os.Geteuid() {
		found = append(found, Violation{Rule: rules.C15, Path: path, Detail: fmt.Sprintf("belongs to user %d, not to %d", st.uid, os.Geteuid())})
	}
	if !mode.IsDir() && st.nlink > 1 {
		found = append(found, Violation{Rule: rules.C15, Path: path, Detail: fmt.Sprintf("has %d names", st.nlink)})
	}
	return found
}

// platformSkips are the rules that this system leaves unchecked, of those
// named.
func platformSkips(path string, named ...rules.Rule) []Violation {
	return slices.DeleteFunc(uncheckedHere(path), func(v Violation) bool {
		return !slices.Contains(named, v.Rule)
	})
}

// SecureDir asserts that a directory is secure as CERT FIO15-C defines it, and
// so fit to create files in: from the root to the leaf each component belongs
// to the effective user or to root (E03), cannot be written by others unless
// it is sticky (E04), and is reached through trusted links only (E05); the
// directory itself cannot be written by others at all (C18), so that /tmp is
// not secure. On Windows only its existence is checked, and the log names the
// rest.
func SecureDir(t TestingT, path string, msgAndArgs ...any) bool {
	help(t)
	abs, err := filepath.Abs(path)
	if err != nil {
		return noSuch(t, "SecureDir", err, msgAndArgs)
	}
	return verdict(t, "SecureDir", path, judgeSecureDir(abs), msgAndArgs)
}

func judgeSecureDir(abs string) []Violation {
	resolved, found := walkChain(abs, false)
	if resolved == "" {
		return found
	}
	info, err := os.Lstat(resolved)
	switch {
	case err != nil:
		return append(found, Violation{Rule: rules.E01, Path: abs, Detail: reason(err).Error()})
	case hasOwners && info.Mode().Perm()&sharedBits != 0:
		found = append(found, Violation{Rule: rules.C18, Path: resolved, Detail: "has mode " + modeText(info.Mode()) + ": others can make files in it"})
	}
	return append(found, platformSkips(resolved, rules.E03, rules.E04, rules.E05, rules.C18)...)
}

// InSecureDir asserts that the directory which holds path is secure, as
// isInSecureDir of CERT FIO00-J and [SecureDir] do: a directory that the whole
// system shares, such as /tmp, breaks C11, another that others can write C18,
// and its path E03, E04 or E05.
func InSecureDir(t TestingT, path string, msgAndArgs ...any) bool {
	help(t)
	abs, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Lstat(abs)
	}
	if err != nil {
		return noSuch(t, "InSecureDir", err, msgAndArgs)
	}
	found := judgeSecureDir(filepath.Dir(abs))
	for i, v := range found {
		if info, err := os.Lstat(v.Path); v.Rule == rules.C18 && err == nil && info.Mode()&fs.ModeSticky != 0 {
			found[i].Rule = rules.C11
		}
	}
	return verdict(t, "InSecureDir", path, found, msgAndArgs)
}

// LocalFS asserts that path is on a local file system (E08): not on NFS, SMB,
// 9p, AFS, Ceph, Lustre, GPFS and the like by its statfs type on Linux, with
// MNT_LOCAL on macOS, not on a network drive on Windows. FUSE can be either
// and is logged. The error of a missing path fails it.
func LocalFS(t TestingT, path string, msgAndArgs ...any) bool {
	help(t)
	abs, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(abs)
	}
	if err != nil {
		return noSuch(t, "LocalFS", err, msgAndArgs)
	}
	found := platformSkips(abs, rules.E08)
	if info, err := statfs(abs); err == nil {
		found = append(found, checkLocal(abs, info)...)
	} else if len(found) == 0 {
		return noSuch(t, "LocalFS", err, msgAndArgs)
	}
	return verdict(t, "LocalFS", path, found, msgAndArgs)
}

// Empty asserts that a directory holds nothing (R01, CWE-459). The message
// lists what it holds, the first ten entries in order.
func Empty(t TestingT, dir string, msgAndArgs ...any) bool {
	help(t)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return noSuch(t, "Empty", err, msgAndArgs)
	}
	var found []Violation
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return noSuch(t, "Empty", err, msgAndArgs)
		}
		found = append(found, Violation{Rule: rules.R01, Path: filepath.Join(dir, e.Name()), Detail: describe(info)})
	}
	return verdict(t, "Empty", dir, found, msgAndArgs)
}

// Mode asserts the permissions of path, with the set-id and sticky bits, and
// the type if want has one. A symbolic link is not followed. More permissions
// for group or others than wanted break C05, other differences C04.
func Mode(t TestingT, path string, want fs.FileMode, msgAndArgs ...any) bool {
	help(t)
	info, err := os.Lstat(path)
	if err != nil {
		return noSuch(t, "Mode", err, msgAndArgs)
	}
	const bits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	got := info.Mode()
	if got&bits == want&bits && (want.Type() == 0 || got.Type() == want.Type()) {
		return true
	}
	r := rules.C04
	if got&0o077&^want != 0 {
		r = rules.C05
	}
	found := []Violation{{Rule: r, Path: path, Detail: fmt.Sprintf("has mode %s (%s), not %s", modeText(got), got, modeText(want))}}
	return verdict(t, "Mode", path, found, msgAndArgs)
}

// NotSymlink asserts that path exists and is no symbolic link (E05, CWE-61).
// Only the last component is looked at; see [SecureDir] for those before it.
func NotSymlink(t TestingT, path string, msgAndArgs ...any) bool {
	help(t)
	info, err := os.Lstat(path)
	if err != nil {
		return noSuch(t, "NotSymlink", err, msgAndArgs)
	}
	var found []Violation
	if info.Mode()&fs.ModeSymlink != 0 {
		target, _ := os.Readlink(path) // for the message only
		found = []Violation{{Rule: rules.E05, Path: path, Detail: fmt.Sprintf("is a symbolic link to %q", target)}}
	}
	return verdict(t, "NotSymlink", path, found, msgAndArgs)
}

// SameFile asserts that two infos, such as that of an open file and that of
// its name from os.Lstat, are of one object: same device and inode (U01,
// CERT FIO45-C). An inode number can be used again once its file is removed
// and closed, so keep one of the two open.
func SameFile(t TestingT, expected, actual fs.FileInfo, msgAndArgs ...any) bool {
	help(t)
	if os.SameFile(expected, actual) {
		return true
	}
	name := "<nil>"
	if actual != nil {
		name = actual.Name()
	}
	found := []Violation{{Rule: rules.U01, Path: name, Detail: "is another object"}}
	return verdict(t, "SameFile", name, found, msgAndArgs)
}

// NoOpenFiles asserts that this process has no descriptor on path or below it,
// those of removed files and of files without a name counted (R03), and none
// that a program it executes would inherit (C16). What [Dir] and [Shared] keep
// open for themselves does not count. Linux only; elsewhere the log says so.
func NoOpenFiles(t TestingT, path string, msgAndArgs ...any) bool {
	help(t)
	abs, err := filepath.Abs(path)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return noSuch(t, "NoOpenFiles", err, msgAndArgs)
	}
	found := append(checkOpen(abs, 0), platformSkips(abs, rules.R03, rules.C16)...)
	return verdict(t, "NoOpenFiles", path, found, msgAndArgs)
}
