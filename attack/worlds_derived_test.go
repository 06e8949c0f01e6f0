package attack_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/attack"
)

// beside makes a temporary file in dir, and works with a name made of its name.
func beside(dir func(s *attack.Scene) (string, error), f func(s *attack.Scene, name string) error) attack.Victim {
	return func(s *attack.Scene) error {
		in, err := dir(s)
		if err != nil {
			return err
		}
		tmp, err := afero.TempFile(s.FS, in, "work-*.tmp")
		if err != nil {
			return err
		}
		err = errors.Join(tmp.Close(), f(s, tmp.Name()), s.FS.Remove(tmp.Name()))
		if in != s.Dir && in != s.Home {
			err = errors.Join(err, s.FS.RemoveAll(in))
		}
		return err
	}
}

func shared(s *attack.Scene) (string, error) { return s.Dir, nil }
func hidden(s *attack.Scene) (string, error) { return afero.TempDir(s.FS, s.Dir, "d-") }

// readIf reads a file that may be missing.
func readIf(s *attack.Scene, name string) error {
	_, err := afero.ReadFile(s.FS, name)
	return absentIsFine(err)
}

// adopt makes a directory or takes the one that is there, and puts a file there.
func adopt(s *attack.Scene, dir string) error {
	if err := s.FS.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return errors.Join(put(s.FS, filepath.Join(dir, "f"), newFile, 0o600, "x"), s.FS.RemoveAll(dir))
}

// derivedTests are victims with names that consist of others.
var derivedTests = []victimTest{{
	name:   "a directory beside, with a suffix, taken if it is there",
	victim: beside(shared, func(s *attack.Scene, name string) error { return adopt(s, name+".d") }),
	opts:   []attack.Option{attack.Depth(1)},
	want:   "X01 X06",
}, {
	name: "a directory beside, with a suffix",
	victim: beside(shared, func(s *attack.Scene, name string) error {
		return errors.Join(s.FS.Mkdir(name+".d", 0o700), s.FS.Remove(name+".d"))
	}),
}, {
	name:   "reads a file with a suffix",
	victim: beside(shared, func(s *attack.Scene, name string) error { return readIf(s, name+".result") }),
	opts:   []attack.Option{attack.Depth(1)},
	want:   "X02 X03 X07",
}, {
	name: "reads a file with a dot before",
	victim: beside(shared, func(s *attack.Scene, name string) error {
		return readIf(s, filepath.Join(s.Dir, "."+filepath.Base(name)))
	}),
	opts: []attack.Option{attack.Depth(1)},
	want: "X02 X03 X07",
}, {
	name: "removes below a directory with a prefix",
	victim: beside(shared, func(s *attack.Scene, name string) error {
		return absentIsFine(s.FS.Remove(s.Path("lock."+filepath.Base(name), "pid")))
	}),
	opts: []attack.Option{attack.Depth(1)},
	want: "X01",
}, {
	name: "reads a file with another extension",
	victim: beside(shared, func(s *attack.Scene, name string) error {
		return readIf(s, strings.TrimSuffix(name, ".tmp")+".log")
	}),
	opts: []attack.Option{attack.Depth(1)},
	want: "X02 X03 X07",
}, {
	name: "appends to a file with a prefix and a suffix",
	victim: beside(shared, func(s *attack.Scene, name string) error {
		return absentIsFine(put(s.FS, s.Path("."+filepath.Base(name)+".swp"), os.O_WRONLY|os.O_APPEND, 0, "x"))
	}),
	opts: []attack.Option{attack.Depth(1)},
	want: "X01 X07 X10",
}, {
	name:   "reads a file of another random name",
	victim: beside(shared, func(s *attack.Scene, _ string) error { return readIf(s, unknown(s)+".result") }),
}, {
	name: "reads a file named after one that nobody can see",
	victim: beside(hidden, func(s *attack.Scene, name string) error {
		return readIf(s, s.Path(filepath.Base(name)+".result"))
	}),
}, {
	name: "reads a file named after one in its home",
	victim: beside(func(s *attack.Scene) (string, error) { return s.Home, nil }, func(s *attack.Scene, name string) error {
		return readIf(s, s.Path(filepath.Base(name)+".result"))
	}),
}, {
	name: "reads a file named after one that is not made yet",
	victim: func(s *attack.Scene) error {
		name := unknown(s)
		return errors.Join(readIf(s, name+".result"), put(s.FS, name, newFile, 0o600, "x"), s.FS.Remove(name))
	},
}}
