package attack_test

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/fsfake"
)

// atHome writes a file of chance below Home, where nothing is compared, and says
// what its close said.
func atHome(s *attack.Scene) (name string, closed, err error) {
	f, err := afero.TempFile(s.FS, s.Home, "out-*")
	if err != nil {
		return "", nil, err
	}
	if err := writeRandom(f); err != nil {
		return "", nil, errors.Join(err, f.Close())
	}
	return f.Name(), f.Close(), nil
}

// lostConditions are of data that was lost since an error was swallowed: what
// fsync or close says of a file goes with it to its next name, and no further.
// The content is chance, so that no comparison tells of it.
var lostConditions = []injectCondition{{
	name: "a rename that fails carries nothing", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		name, closed, err := atHome(s)
		if err != nil {
			return err
		}
		if s.FS.Rename(name, s.Path("out")) != nil {
			return nil // as good as it was
		}
		return closed
	},
	opts: overOut,
}, {
	name: "a rename that succeeds does", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		name, _, err := atHome(s)
		if err != nil {
			return err
		}
		return s.FS.Rename(name, s.Path("out"))
	},
	opts: overOut,
	want: []string{"X05 close fails with EIO: the code reported success, though close of shared/out had failed"},
}, {
	name: "a name for a file that had none", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		f, err := s.FS.OpenFile(s.Dir, os.O_RDWR|fsfake.O_TMPFILE, 0o600)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if err := writeRandom(f); err != nil {
			return err
		}
		_ = f.Sync()
		return f.(*fsfake.File).Link(s.Path("out"))
	},
	opts: intoOut,
	want: []string{"X05 fsync fails with EIO: the code reported success, though fsync of shared/out had failed"},
}, {
	name: "the same, and the error is returned", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		f, err := s.FS.OpenFile(s.Dir, os.O_RDWR|fsfake.O_TMPFILE, 0o600)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if err := writeRandom(f); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		return f.(*fsfake.File).Link(s.Path("out"))
	},
	opts: intoOut,
}, {
	name: "what was not written is not lost", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		f, err := s.FS.OpenFile(s.Path("out"), os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		if n, err := writeSome(f); n == 0 {
			_ = f.Close()
			return nil // as it was: no harm
		} else if err != nil {
			return errors.Join(err, f.Close())
		}
		return f.Close()
	},
	opts: overOut,
}, {
	name: "it is not moved where there is no directory", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		err := overwrite(s)
		_ = s.FS.(*fsfake.FS).Renameat2(s.Path("out"), s.Path("none", "x"), 0)
		return err
	},
	opts: overOut,
	want: []string{"X05 close fails with EIO: the code reported success, though close of shared/out had failed"},
}, {
	name: "nor over it from a name that is not there", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		err := overwrite(s)
		_ = s.FS.(*fsfake.FS).Renameat2(s.Path("none"), s.Path("out"), 0)
		return err
	},
	opts: overOut,
	want: []string{"X05 close fails with EIO: the code reported success, though close of shared/out had failed"},
}, {
	name: "nor is it lost by a rename to the name that it has", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		err := overwrite(s)
		_ = s.FS.(*fsfake.FS).Renameat2(s.Path("out"), s.Path("out"), 0)
		return err
	},
	opts: overOut,
	want: []string{"X05 close fails with EIO: the code reported success, though close of shared/out had failed"},
}, {
	name: "nor is it another file's that has its name later", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		name, _, err := atHome(s)
		if err == nil {
			err = s.FS.Remove(name)
		}
		if err == nil {
			err = put(s.FS, name, newFile, 0o600, "")
		}
		if err != nil {
			return err
		}
		return s.FS.Rename(name, s.Path("out"))
	},
	opts: overOut,
}, {
	name: "nor by a link to a name that is taken", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		name, _, err := atHome(s)
		if err != nil {
			return err
		}
		_ = s.FS.(*fsfake.FS).Link(name, s.Path("out"))
		return nil
	},
	opts: overOut,
}, {
	name: "nor does anything come from there", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		err := overwrite(s)
		_ = s.FS.(*fsfake.FS).Renameat2(filepath.Join(s.Dir, "none", "x"), s.Path("out"), 0)
		return err
	},
	opts: overOut,
	want: []string{"X05 close fails with EIO: the code reported success, though close of shared/out had failed"},
}}

func writeSome(f afero.File) (int, error) { return f.WriteAt([]byte(rand.Text()), 0) }

// overwrite changes the target in place, and swallows the error of its close.
func overwrite(s *attack.Scene) error {
	f, err := s.FS.OpenFile(s.Path("out"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = writeSome(f)
	_ = f.Close()
	return err
}
