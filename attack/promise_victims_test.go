package attack_test

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/attack"
)

// promiseTests are the oracles of Faults for a victim that reports success.
var promiseTests = []victimTest{{
	// X05: success means what it says
	name: "an error of the write is swallowed",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(f afero.File) error { _ = writeNew(f); return nil })
	},
	opts: intoOut,
	want: "X05",
}, {
	name: "an error of the read is taken for the end",
	victim: func(s *attack.Scene) error {
		return copyIn(s, func(r io.Reader) ([]byte, error) { b, _ := io.ReadAll(r); return b, nil })
	},
	opts: fromHome,
	want: "X05",
}, {
	name:   "an error of the read is returned",
	victim: func(s *attack.Scene) error { return copyIn(s, io.ReadAll) },
	opts:   fromHome,
}, {
	name: "an error of the close is swallowed",
	victim: func(s *attack.Scene) (err error) {
		f, err := afero.TempFile(s.FS, s.Dir, "out-*")
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, s.FS.Remove(f.Name()))
			}
		}()
		defer func() { _ = f.Close() }()
		if err := writeNew(f); err != nil {
			return err
		}
		return s.FS.Rename(f.Name(), s.Path("out"))
	},
	opts: intoOut,
	want: "X05",
}, {
	name: "an error of the close means nothing after a sync",
	victim: func(s *attack.Scene) (err error) {
		f, err := afero.TempFile(s.FS, s.Dir, "out-*")
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, s.FS.Remove(f.Name()))
			}
		}()
		defer func() { _ = f.Close() }()
		if err := errors.Join(writeNew(f), f.Sync()); err != nil {
			return err
		}
		return s.FS.Rename(f.Name(), s.Path("out"))
	},
	opts: intoOut,
}, {
	name: "an error of the sync is swallowed",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(f afero.File) error { err := writeNew(f); _ = f.Sync(); return err })
	},
	opts: intoOut,
	want: "X05",
}, {
	name: "an error of the sync is returned",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(f afero.File) error { return errors.Join(writeNew(f), f.Sync()) })
	},
	opts: intoOut,
}, {
	name: "an error of the chmod is swallowed",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(f afero.File) error { _ = s.FS.Chmod(f.Name(), 0o640); return writeNew(f) })
	},
	opts: intoOut,
	want: "X05",
}, {
	name: "an error of the chmod is returned",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(f afero.File) error { return errors.Join(s.FS.Chmod(f.Name(), 0o640), writeNew(f)) })
	},
	opts: intoOut,
}, {
	name: "Ensure does not hold after success",
	victim: func(s *attack.Scene) error {
		_ = afero.WriteFile(s.FS, filepath.Join(s.Home, "state"), newContent, 0o600)
		_, _ = s.FS.Stat(s.Path("out"))
		return nil
	},
	opts: []attack.Option{attack.Ensure(func(s *attack.Scene) error {
		b, err := afero.ReadFile(s.FS, filepath.Join(s.Home, "state"))
		if err == nil && !bytes.Equal(b, newContent) {
			err = errors.New("the state is not whole")
		}
		return err
	})},
	want: "X05",
}, {
	name: "what could not be made did not matter",
	victim: func(s *attack.Scene) error {
		_ = afero.WriteFile(s.FS, filepath.Join(s.Home, "cache"), newContent, 0o600)
		_, _ = s.FS.Stat(s.Path("out"))
		return nil
	},
	opts: []attack.Option{attack.Ensure(func(s *attack.Scene) error { return nil })},
}}

// fromHome has a file at Home to read.
var fromHome = append(intoOut, attack.Setup(func(s *attack.Scene) error {
	return afero.WriteFile(s.FS, filepath.Join(s.Home, "in"), newContent, 0o600)
}))

// copyIn makes the target of what it reads at Home.
func copyIn(s *attack.Scene, all func(io.Reader) ([]byte, error)) error {
	in, err := s.FS.Open(filepath.Join(s.Home, "in"))
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	b, err := all(in)
	if err != nil {
		return err
	}
	return replaceOut(s, func(f afero.File) error { _, err := f.Write(b); return err })
}
