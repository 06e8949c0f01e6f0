package fsfaketest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/spf13/afero"
)

// Contract is one rule.
type Contract struct {
	// Source is where the rule comes from: a manual page, the documentation of
	// package os, an issue of afero.
	Source string
	// Check tries the rule in an empty directory and returns what is wrong. An
	// error that is errors.ErrUnsupported says that the file system has no way
	// to do what the rule is about.
	Check func(fsys afero.Fs, dir string) error
}

// Run runs every contract as a subtest on a file system of its own, with an
// empty directory that the user may write. A contract on something that the
// file system does not have is skipped.
func Run(t *testing.T, open func(t *testing.T) (fsys afero.Fs, dir string)) {
	t.Helper()
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			c := All[name]
			fsys, dir := open(t)
			err := c.Check(fsys, dir)
			switch {
			case errors.Is(err, errors.ErrUnsupported):
				t.Skip(err)
			case err != nil:
				t.Errorf("%s breaks %s (%s): %v", fsys.Name(), name, c.Source, err)
			}
		})
	}
}

// Names gives the names of all contracts, sorted.
func Names() []string {
	names := make([]string, 0, len(All))
	for name := range All {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// linker is what a file system with hard links has.
type linker interface {
	Link(oldname, newname string) error
}

// broken ends a contract's function.
type broken struct{ err error }

// checker is what a contract's function works with: its methods end the
// contract when something is not as it should be.
type checker struct {
	afero.Fs
	dir string
}

// rule makes a Contract of a function that uses a checker.
func rule(source string, f func(c *checker)) Contract {
	return Contract{Source: source, Check: func(fsys afero.Fs, dir string) error {
		done := make(chan error, 1)
		go func() {
			defer func() {
				switch r := recover().(type) {
				case nil:
					done <- nil
				case broken:
					done <- r.err
				default:
					done <- fmt.Errorf("panic: %v\n%s", r, debug.Stack())
				}
			}()
			f(&checker{fsys, dir})
		}()
		select {
		case err := <-done:
			return err
		case <-time.After(deadline):
			return fmt.Errorf("did not come back within %v", deadline)
		}
	}}
}

// deadline is for a contract, which takes microseconds unless the file system
// is caught in a deadlock.
const deadline = 20 * time.Second

func (c *checker) fail(format string, args ...any) { panic(broken{fmt.Errorf(format, args...)}) }

// p gives a path in the directory.
func (c *checker) p(name string) string { return c.dir + "/" + name }

// ok wants no error.
func (c *checker) ok(err error) {
	if err != nil {
		c.fail("unexpected error: %w", err)
	}
}

// is wants an error of one kind.
func (c *checker) is(err, want error) {
	switch {
	case err == nil:
		c.fail("no error, want %q", want)
	case !errors.Is(err, want):
		c.fail("error %q (%T), want %q", err, err, want)
	}
}

// eq wants a value.
func eq[T comparable](c *checker, what string, got, want T) {
	if got != want {
		c.fail("%s is %v, want %v", what, got, want)
	}
}

// put makes a file.
func (c *checker) put(name, data string) {
	c.ok(afero.WriteFile(c.Fs, c.p(name), []byte(data), 0o644))
}

// has wants a file with this content.
func (c *checker) has(name, want string) {
	b, err := afero.ReadFile(c.Fs, c.p(name))
	c.ok(err)
	eq(c, "content of "+name, string(b), want)
}

// gone wants that there is no such name.
func (c *checker) gone(name string) {
	_, err := c.lstat(name)
	c.is(err, fs.ErrNotExist)
}

func (c *checker) lstat(name string) (os.FileInfo, error) {
	if l, ok := c.Fs.(afero.Lstater); ok {
		fi, _, err := l.LstatIfPossible(c.p(name))
		return fi, err
	}
	return c.Stat(c.p(name))
}

// mkdir makes a directory.
func (c *checker) mkdir(name string) { c.ok(c.Mkdir(c.p(name), 0o755)) }

// symlinker gives the methods for symbolic links, if the file system has them.
func (c *checker) symlinker() afero.Symlinker {
	s, ok := c.Fs.(afero.Symlinker)
	if !ok {
		panic(broken{fmt.Errorf("symbolic links: %w", errors.ErrUnsupported)})
	}
	return s
}

func (c *checker) symlink(target, name string) {
	c.ok(c.symlinker().SymlinkIfPossible(target, c.p(name)))
}

func (c *checker) linker() linker {
	l, ok := c.Fs.(linker)
	if !ok {
		panic(broken{fmt.Errorf("hard links: %w", errors.ErrUnsupported)})
	}
	return l
}

// open opens a file; the caller closes it.
func (c *checker) open(name string, flag int) afero.File {
	f, err := c.OpenFile(c.p(name), flag, 0o644)
	c.ok(err)
	return f
}

// names lists a directory, sorted.
func (c *checker) names(name string) []string {
	f, err := c.Open(c.p(name))
	c.ok(err)
	defer f.Close()
	l, err := f.Readdirnames(-1)
	c.ok(err)
	slices.Sort(l)
	return l
}
