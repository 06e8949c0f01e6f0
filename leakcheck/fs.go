package leakcheck

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/internal/leftover"
)

// CheckFs fails the test when it leaves an entry in the temporary directory of
// an afero.Fs, which is the one that afero.TempFile uses by default:
// os.TempDir(), or the one of the option Dir. It works on any file system of
// afero, one that does not exist outside of the test too; call it first. What
// is there when it is called may stay.
//
// A directory of fs that others use at the same time gives wrong verdicts:
// in parallel tests each has a file system of its own. The options Explain and
// KeepOnLeak do nothing here.
func CheckFs(t testing.TB, fsys afero.Fs, opts ...Option) {
	t.Helper()
	o := newOptions(opts)
	if o.bad != nil {
		t.Errorf("leakcheck: nothing can be checked: %v", o.bad)
		return
	}
	dir := o.dir
	if dir == "" {
		dir = os.TempDir()
	}
	before, err := namesOf(fsys, dir)
	if err != nil {
		t.Errorf("leakcheck: nothing can be checked: %v", err)
		return
	}
	t.Cleanup(func() {
		t.Helper()
		now, err := namesOf(fsys, dir)
		if err != nil {
			t.Errorf("leakcheck: R01: %v", err)
			return
		}
		r := &report{}
		for name, st := range now {
			if _, old := before[name]; old || o.ignored(name) {
				continue
			}
			l := &leak{kind: entry, name: name, what: "file", typ: st.Mode().Type(), perm: st.Mode().Perm(), size: st.Size(), test: t.Name()}
			if st.IsDir() {
				l.what, l.size = "directory with "+leftover.Count(entriesOf(fsys, path.Join(filepath.ToSlash(dir), name)), "entry", "entries"), 0
			}
			r.leaks = append(r.leaks, l)
		}
		sortLeaks(r.leaks)
		r.guess()
		switch text := r.String(); {
		case text == "":
		case o.warn:
			t.Log(text)
		default:
			t.Error(text)
		}
	})
}

// namesOf are the entries of a directory; one that does not exist has none.
func namesOf(fsys afero.Fs, dir string) (map[string]fs.FileInfo, error) {
	list, err := afero.ReadDir(fsys, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	names := map[string]fs.FileInfo{}
	for _, st := range list {
		names[st.Name()] = st
	}
	return names, nil
}

func entriesOf(fsys afero.Fs, dir string) (n int) {
	_ = afero.Walk(fsys, dir, func(string, fs.FileInfo, error) error {
		n++
		return nil
	})
	return n - 1
}
