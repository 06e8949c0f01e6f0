package tmptest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// NoFollow asserts that open, which is given the path of a file, refuses a
// symbolic link (C02, CWE-61): with a link to a file in a private directory it
// has to return an error, and the file has to stay as it was (X01). The same
// with a link to nothing, where no file may appear. An open that fails for a
// plain file as well proves nothing, and fails the assertion.
func NoFollow(t TestingT, open func(path string) error, msgAndArgs ...any) bool {
	help(t)
	dir, err := scratch()
	if err != nil {
		return noSuch(t, "NoFollow", err, msgAndArgs)
	}
	found, err := tryLinks(dir, open)
	if err = errors.Join(err, clearDir(dir)); err != nil {
		return noSuch(t, "NoFollow", err, msgAndArgs)
	}
	return verdict(t, "NoFollow", "link", found, msgAndArgs)
}

func tryLinks(dir string, open func(path string) error) ([]Violation, error) {
	target, absent := filepath.Join(dir, "target"), filepath.Join(dir, "absent")
	link, dangling := filepath.Join(dir, "link"), filepath.Join(dir, "dangling")
	plain := filepath.Join(dir, "plain")
	content := []byte("content")
	err := errors.Join(
		os.WriteFile(plain, content, 0o600), os.WriteFile(target, content, 0o600),
		os.Symlink(target, link), os.Symlink(absent, dangling),
	)
	if err != nil {
		return nil, err
	}
	was, err := os.Lstat(target)
	if err != nil {
		return nil, err
	}
	if err := open(plain); err != nil {
		return nil, fmt.Errorf("a plain file cannot be opened either: %w", err)
	}
	var found []Violation
	if open(link) == nil {
		found = append(found, Violation{Rule: rules.C02, Path: "link", Detail: "was followed to an existing file"})
	}
	c := canary{info: was, data: content}
	if changed := c.changed(target); changed != "" {
		found = append(found, Violation{Rule: rules.X01, Path: "target", Detail: changed})
	}
	if open(dangling) == nil {
		found = append(found, Violation{Rule: rules.C02, Path: "dangling", Detail: "was followed to no file"})
	}
	if _, err := os.Lstat(absent); err == nil {
		found = append(found, Violation{Rule: rules.X01, Path: "absent", Detail: "was made through a dangling link"})
	}
	return found, nil
}

// scratch makes a private directory for a trial.
func scratch() (string, error) {
	root, err := filepath.EvalSymlinks(os.TempDir())
	if err != nil {
		return "", err
	}
	return os.MkdirTemp(root, "trial-*")
}

// clearDir removes the directory of a trial.
func clearDir(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, v := range removeTree(root, dir, nil) {
		errs = append(errs, errors.New(v.String()))
	}
	return errors.Join(append(errs, root.Close())...)
}

// RemovesAll asserts that remove, which is given the path of a directory,
// removes trees as it should: what a symbolic link in the tree leads to stays
// as it is (R09, CWE-59), with mode and times; the tree is gone when remove
// returned nil, and what cannot be removed is an error (R11), tried with a
// name that is too long for any file system. That directories without write
// permission are removed (R12) is tried too, where the user is not root, who
// needs no permission; a remove that returns an error for them is logged.
func RemovesAll(t TestingT, remove func(dir string) error, msgAndArgs ...any) bool {
	help(t)
	dir, err := scratch()
	if err != nil {
		return noSuch(t, "RemovesAll", err, msgAndArgs)
	}
	found, err := tryRemove(dir, remove)
	if err = errors.Join(err, clearDir(dir)); err != nil {
		return noSuch(t, "RemovesAll", err, msgAndArgs)
	}
	return verdict(t, "RemovesAll", "tree", found, msgAndArgs)
}

func tryRemove(dir string, remove func(string) error) ([]Violation, error) {
	canaries, err := plantCanaries(dir)
	if err != nil {
		return nil, err
	}
	at := func(rel string) string { return filepath.Join(dir, filepath.FromSlash(rel)) }
	err = errors.Join(
		os.MkdirAll(at("tree/sub/deep"), 0o700),
		os.WriteFile(at("tree/sub/file"), nil, 0o400),
		os.Symlink("../../canary", at("tree/sub/link")),
		os.Symlink(at("canary.txt"), at("tree/link")),
		os.Symlink(at("absent"), at("tree/dangling")),
	)
	if err != nil {
		return nil, err
	}
	var found []Violation
	add := func(r rules.Rule, path, format string, args ...any) {
		v := Violation{Rule: r, Path: path, Detail: fmt.Sprintf(format, args...)}
		v.advice = r == rules.R12 // another verdict for root would be none
		found = append(found, v)
	}
	got := remove(at("tree"))
	if _, err := os.Lstat(at("tree")); err == nil {
		if got == nil {
			add(rules.R11, "tree", "is still there, and remove returned nil")
		} else {
			return nil, fmt.Errorf("an ordinary tree cannot be removed: %w", got)
		}
	}
	if os.Geteuid() > 0 {
		tryReadOnly(at("readonly"), remove, add)
	}
	for _, c := range canaries {
		if changed := c.changed(at(c.rel)); changed != "" {
			add(rules.R09, c.rel, "was behind a symbolic link and %s", changed)
		}
	}
	if remove(at(strings.Repeat("n", 4096))) == nil {
		add(rules.R11, "nnn...", "cannot be removed, a name of 4096 bytes, and remove returned nil")
	}
	return found, nil
}

// tryReadOnly is R12.
func tryReadOnly(dir string, remove func(string) error, add func(r rules.Rule, path, format string, args ...any)) {
	sub := filepath.Join(dir, "sub")
	err := errors.Join(os.MkdirAll(sub, 0o700), os.WriteFile(filepath.Join(sub, "file"), nil, 0o400), os.Chmod(sub, 0o500))
	if err != nil {
		add(rules.R12, "readonly", "not checked: %s", err)
		return
	}
	got := remove(dir)
	switch _, err := os.Lstat(dir); {
	case errors.Is(err, fs.ErrNotExist):
	case got == nil:
		add(rules.R11, "readonly", "is still there, a directory of mode 0500 in it, and remove returned nil")
	default:
		add(rules.R12, "readonly", "was not removed: %s", reason(got))
	}
}
