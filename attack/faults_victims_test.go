package attack_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/fsfake"
)

var (
	oldContent = []byte("the old content")
	newContent = []byte("the new content, which is longer")

	intoOut = []attack.Option{attack.Target("out")}
	// overOut begins with a target that is there already.
	overOut = append(intoOut, attack.Setup(func(s *attack.Scene) error {
		return afero.WriteFile(s.FS, s.Path("out"), oldContent, 0o600)
	}))
)

// replaceOut writes a new target beside the old one and renames it; between
// the two it does what a row of the tables is about.
func replaceOut(s *attack.Scene, work func(afero.File) error) (err error) {
	f, err := afero.TempFile(s.FS, s.Dir, "out-*")
	if err != nil {
		return err
	}
	whole := false
	defer func() {
		if !whole { // after a panic, too
			err = errors.Join(err, s.FS.Remove(f.Name()))
		}
	}()
	if err := errors.Join(work(f), f.Close()); err != nil {
		return err
	}
	err = s.FS.Rename(f.Name(), s.Path("out"))
	whole = err == nil
	return err
}

func writeNew(f afero.File) error {
	_, err := f.Write(newContent)
	return err
}

// scratch makes a temporary file, works on it and removes it.
func scratch(s *attack.Scene, work func(afero.File) error) (err error) {
	f, err := afero.TempFile(s.FS, s.Dir, "work-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), s.FS.Remove(f.Name())) }()
	return work(f)
}

// precious has a file of importance beside what the victim works on.
var precious = []attack.Option{attack.Canary("precious/f"), attack.Setup(func(s *attack.Scene) error {
	return errors.Join(s.FS.Mkdir(filepath.Join(s.Home, "precious"), 0o700),
		afero.WriteFile(s.FS, filepath.Join(s.Home, "precious", "f"), oldContent, 0o600))
})}

// held are files that a victim does not close. Rows run side by side.
var held struct {
	sync.Mutex
	files []afero.File
}

func hold(f afero.File) {
	held.Lock()
	defer held.Unlock()
	held.files = append(held.files, f)
}

// tries makes and removes a file under the first free name.
func tries(s *attack.Scene, again func(try int, err error) bool) error {
	for i := 0; ; i++ {
		f, err := s.FS.OpenFile(unknown(s), newFile, 0o600)
		if err == nil {
			return errors.Join(f.Close(), s.FS.Remove(f.Name()))
		}
		if !again(i, err) {
			return err
		}
	}
}

// unnamed works on a file without a name, or on a named one where there is no
// such thing.
func unnamed(s *attack.Scene, named func(afero.File) error) error {
	f, err := s.FS.OpenFile(s.Dir, os.O_RDWR|fsfake.O_TMPFILE, 0o600)
	switch {
	case err == nil:
		return errors.Join(writeNew(f), f.Close())
	case !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.ENOTSUP): // which wasip1 keeps apart
		return err
	}
	if f, err = afero.TempFile(s.FS, s.Dir, "work-*"); err != nil {
		return err
	}
	return named(f)
}

// faultTests are the oracles of Faults, each with a victim that only it
// catches and the nearest safe one.
var faultTests = []victimTest{{
	// R05: what was made is removed when a later call fails
	name: "the temporary file stays when the write fails",
	victim: func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, s.Dir, "out-*")
		if err != nil {
			return err
		}
		if err := writeNew(f); err != nil {
			return errors.Join(err, f.Close())
		}
		if err := errors.Join(f.Close(), s.FS.Rename(f.Name(), s.Path("out"))); err != nil {
			return errors.Join(err, s.FS.Remove(f.Name()))
		}
		return nil
	},
	opts: intoOut,
	want: "R05",
}, {
	name:   "the temporary file is removed on each way out",
	victim: func(s *attack.Scene) error { return replaceOut(s, writeNew) },
	opts:   intoOut,
}, {
	name: "a directory is removed as if it were empty",
	victim: func(s *attack.Scene) (err error) {
		dir, err := afero.TempDir(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.FS.Remove(dir)) }()
		p := filepath.Join(dir, "f")
		if err := put(s.FS, p, newFile, 0o600, "x"); err != nil {
			return err
		}
		return s.FS.Remove(p)
	},
	want: "R05",
}, {
	name: "a directory is removed with what is in it",
	victim: func(s *attack.Scene) (err error) {
		dir, err := afero.TempDir(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.FS.RemoveAll(dir)) }()
		return put(s.FS, filepath.Join(dir, "f"), newFile, 0o600, "x")
	},
}, {
	// R11: a removal that fails is reported
	name: "an error of the removal is swallowed",
	victim: func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		defer func() { _ = s.FS.Remove(f.Name()) }()
		return errors.Join(writeNew(f), f.Close())
	},
	want: "R11",
}, {
	name:   "an error of the removal is returned",
	victim: func(s *attack.Scene) error { return scratch(s, writeNew) },
}, {
	// R03: descriptors are closed when a later call fails
	name: "the file is not closed when the write fails",
	victim: func(s *attack.Scene) (err error) {
		f, err := afero.TempFile(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		hold(f) // or its finalizer might close it
		defer func() { err = errors.Join(err, s.FS.Remove(f.Name())) }()
		if err := writeNew(f); err != nil {
			return err
		}
		return f.Close()
	},
	want: "R03",
}, {
	name: "the file is not closed at all",
	victim: func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		hold(f)
		return s.FS.Remove(f.Name())
	},
	want: "R03",
}, {
	// X05: the target is the old one or the new one, whole
	name:   "the target is written in place",
	victim: func(s *attack.Scene) error { return afero.WriteFile(s.FS, s.Path("out"), newContent, 0o600) },
	opts:   overOut,
	want:   "X05",
}, {
	name:   "the target is replaced",
	victim: func(s *attack.Scene) error { return replaceOut(s, writeNew) },
	opts:   overOut,
}, {
	name: "the old target is removed first",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(f afero.File) error { return errors.Join(writeNew(f), s.FS.Remove(s.Path("out"))) })
	},
	opts: overOut,
	want: "X05",
}, {
	name: "a new target stays half written",
	victim: func(s *attack.Scene) error {
		return put(s.FS, s.Path("out"), newFile, 0o600, string(newContent))
	},
	opts: intoOut,
	want: "X05",
}, {
	name: "a new target is removed when it cannot be written",
	victim: func(s *attack.Scene) error {
		err := put(s.FS, s.Path("out"), newFile, 0o600, string(newContent))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			err = errors.Join(err, absentIsFine(s.FS.Remove(s.Path("out"))))
		}
		return err
	},
	opts: intoOut,
	want: "X05", // when the removal fails as well: only a rename is whole
}, {
	name: "a directory is filled in place",
	victim: func(s *attack.Scene) error {
		if err := s.FS.Mkdir(s.Path("app"), 0o700); err != nil {
			return err
		}
		return errors.Join(put(s.FS, s.Path("app", "a"), newFile, 0o600, "a"), put(s.FS, s.Path("app", "b"), newFile, 0o600, "b"))
	},
	opts: []attack.Option{attack.Target("app")},
	want: "X05",
}, {
	name: "a directory is filled, then renamed",
	victim: func(s *attack.Scene) (err error) {
		dir, err := afero.TempDir(s.FS, s.Dir, "app-*")
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, s.FS.RemoveAll(dir))
			}
		}()
		if err := errors.Join(put(s.FS, filepath.Join(dir, "a"), newFile, 0o600, "a"), put(s.FS, filepath.Join(dir, "b"), newFile, 0o600, "b")); err != nil {
			return err
		}
		return s.FS.Rename(dir, s.Path("app"))
	},
	opts: []attack.Option{attack.Target("app")},
}, {
	// a target that is there only while the code works
	name: "a lock file is removed on each way out",
	victim: func(s *attack.Scene) (err error) {
		if err := put(s.FS, s.Path("lock"), newFile, 0o600, "1"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.FS.Remove(s.Path("lock"))) }()
		_, err = s.FS.Stat(s.Dir)
		return err
	},
	opts: []attack.Option{attack.Target("lock")},
}, {
	name: "a lock file stays, and nobody is told",
	victim: func(s *attack.Scene) (err error) {
		if err := put(s.FS, s.Path("lock"), newFile, 0o600, "1"); err != nil {
			return err
		}
		defer func() { _ = s.FS.Remove(s.Path("lock")) }()
		_, err = s.FS.Stat(s.Dir)
		return err
	},
	opts: []attack.Option{attack.Target("lock")},
	want: "R11",
}, {
	// X01: nothing else is touched on the way out
	name: "a name that was not made leads the removal astray",
	victim: func(s *attack.Scene) error {
		dir, _ := afero.TempDir(s.FS, filepath.Join(s.Home, "precious"), "work-*")
		return s.FS.RemoveAll(filepath.Join(s.Home, "precious", filepath.Base(dir)))
	},
	opts: precious,
	want: "X01",
}, {
	name: "a name that was not made is not removed",
	victim: func(s *attack.Scene) error {
		dir, err := afero.TempDir(s.FS, filepath.Join(s.Home, "precious"), "work-*")
		if err != nil {
			return err
		}
		return s.FS.RemoveAll(filepath.Join(s.Home, "precious", filepath.Base(dir)))
	},
	opts: precious,
}, {
	// C13, C14: what is tried again, and how often
	name: "names are tried without end",
	victim: func(s *attack.Scene) error {
		return tries(s, func(_ int, err error) bool { return errors.Is(err, fs.ErrExist) })
	},
	opts: []attack.Option{attack.FewCalls},
	want: "C13",
}, {
	name: "names are tried a hundred times",
	victim: func(s *attack.Scene) error {
		return tries(s, func(i int, err error) bool { return errors.Is(err, fs.ErrExist) && i < 100 })
	},
}, {
	name:   "a name is tried again after any error",
	victim: func(s *attack.Scene) error { return tries(s, func(i int, err error) bool { return i < 3 }) },
	want:   "C14",
}, {
	// X07: the code comes back
	name: "an operation is tried without end",
	victim: func(s *attack.Scene) (err error) {
		f, err := s.FS.OpenFile(unknown(s), newFile, 0o600)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(f.Close(), s.FS.Remove(f.Name())) }()
		for writeNew(f) != nil {
		}
		return nil
	},
	opts: []attack.Option{attack.FewCalls},
	want: "X07",
}, {
	name: "it panics when a call fails",
	victim: func(s *attack.Scene) error {
		info, _ := s.FS.Stat(s.Path())
		_ = info.Mode()
		return nil
	},
	want: "X07",
}, {
	name: "it waits for what will not come",
	victim: func(s *attack.Scene) error {
		if _, err := s.FS.Stat(s.Path()); err != nil {
			select {}
		}
		return nil
	},
	opts: []attack.Option{attack.Budget(20 * time.Second)}, // a tenth of which is waited
	want: "X07",
	slow: true,
}, {
	name: "it returns when a call fails",
	victim: func(s *attack.Scene) error {
		_, err := s.FS.Stat(s.Path())
		return err
	},
}, {
	// another way after an error is tried as well
	name: "without O_TMPFILE, the named file stays",
	victim: func(s *attack.Scene) error {
		return unnamed(s, func(f afero.File) error {
			if err := writeNew(f); err != nil {
				return errors.Join(err, f.Close())
			}
			return errors.Join(f.Close(), s.FS.Remove(f.Name()))
		})
	},
	want: "R05",
}, {
	name: "without O_TMPFILE, the named file is removed",
	victim: func(s *attack.Scene) error {
		return unnamed(s, func(f afero.File) error {
			return errors.Join(writeNew(f), f.Close(), s.FS.Remove(f.Name()))
		})
	},
}}
