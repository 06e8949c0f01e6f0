package attack_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// keep makes a file under a fixed name, or where that is taken as fallback does.
func keep(fallback func(s *attack.Scene) (string, error)) attack.Victim {
	return func(s *attack.Scene) error {
		name := s.Path("app.tmp")
		err := put(s.FS, name, newFile, 0o600, "secret")
		if errors.Is(err, fs.ErrExist) {
			name, err = fallback(s)
		}
		if err != nil {
			return err
		}
		return s.FS.RemoveAll(name)
	}
}

var lockIsKnown = attack.Allow(rules.C06, "there is another one if it is taken")

// shownTests are victims of which only an attacked run shows what they do.
var shownTests = []victimTest{{
	name: "a temporary file two levels below a directory that is not there",
	victim: func(s *attack.Scene) error {
		if fi, err := lstat(s, s.Path("d")); err != nil || !fi.IsDir() {
			return absentIsFine(err)
		}
		f, err := afero.TempFile(s.FS, s.Path("d", "e"), "work-*")
		if err != nil {
			return err
		}
		return errors.Join(f.Close(), s.FS.Remove(f.Name()))
	},
	opts: []attack.Option{attack.Depth(1)},
	want: "X01 X06",
}, {
	name: "a name of chance in a private directory, which nobody has seen",
	victim: func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, s.Path("d"), "work-*")
		if err != nil {
			return err
		}
		_ = f.Close()
		_, _ = lstat(s, f.Name())
		_, err = afero.ReadFile(s.FS, f.Name())
		return errors.Join(err, absentIsFine(s.FS.Remove(f.Name())))
	},
	opts: []attack.Option{attack.Depth(1), attack.Unsticky(), dirWith()},
	want: "X01 X06",
}, {
	name: "moves what is behind a link over the link",
	victim: func(s *attack.Scene) error {
		if !exists(s, s.Path("d", "e")) {
			return nil
		}
		return s.FS.Rename(s.Path("d", "e", "x"), s.Path("d"))
	},
	opts: []attack.Option{attack.Depth(1)},
	want: "X01",
}, {
	name: "goes on for any kind, and succeeds with a directory alone",
	victim: func(s *attack.Scene) error {
		if !exists(s, s.Path("d", "x")) {
			return nil
		}
		_, _ = afero.ReadFile(s.FS, s.Path("d", "y"))
		if fi, err := lstat(s, s.Path("d", "x")); err != nil || !fi.IsDir() {
			return errors.New("no directory")
		}
		return nil
	},
	opts: []attack.Option{attack.Depth(1)},
	want: "X02 X03 X07",
}, {
	name: "makes a file two levels below a missing directory",
	victim: func(s *attack.Scene) error {
		return absentIsFine(put(s.FS, s.Path("d", "e", "x"), newFile, 0o600, "x"))
	},
	opts: []attack.Option{attack.Depth(1)},
	want: "X01 X06",
}, {
	name:   "another name by TempFile where the fixed one is taken",
	victim: keep(work),
	opts:   []attack.Option{lockIsKnown},
}, {
	name:   "the same, and the fixed name is told",
	victim: keep(work),
	want:   "C06",
}, {
	name: "another directory by TempDir where the fixed name is taken",
	victim: keep(func(s *attack.Scene) (string, error) {
		dir, err := afero.TempDir(s.FS, s.Dir, "app-")
		if err != nil {
			return "", err
		}
		return dir, put(s.FS, filepath.Join(dir, "data"), newFile, 0o600, "secret")
	}),
	opts: []attack.Option{lockIsKnown},
}, {
	name: "another fixed name, exclusively",
	victim: keep(func(s *attack.Scene) (string, error) {
		return s.Path("app-1.tmp"), put(s.FS, s.Path("app-1.tmp"), newFile, 0o600, "secret")
	}),
	opts: []attack.Option{lockIsKnown},
}, {
	name: "another fixed name, as it is",
	victim: keep(func(s *attack.Scene) (string, error) {
		return s.Path("app-1.tmp"), put(s.FS, s.Path("app-1.tmp"), anyFile, 0o600, "secret")
	}),
	opts: []attack.Option{lockIsKnown},
	want: "X01 X07 X10",
}, {
	name: "another name by chance, readable by others",
	victim: keep(func(s *attack.Scene) (string, error) {
		name, err := work(s)
		return name, errors.Join(err, s.FS.Chmod(name, 0o644))
	}),
	opts: []attack.Option{lockIsKnown},
	want: "X04",
}, {
	name: "another name by TempFile, left behind",
	victim: func(s *attack.Scene) error {
		err := put(s.FS, s.Path("app.tmp"), newFile, 0o600, "secret")
		if errors.Is(err, fs.ErrExist) {
			_, err = work(s)
			return err
		}
		return errors.Join(err, s.FS.Remove(s.Path("app.tmp")))
	},
	opts: []attack.Option{lockIsKnown},
	want: "X08",
}, {
	name: "another name by TempFile, then chmod by name, without the sticky bit",
	victim: keep(func(s *attack.Scene) (string, error) {
		name, err := work(s)
		return name, errors.Join(err, s.FS.Chmod(name, 0o400))
	}),
	opts: []attack.Option{lockIsKnown, attack.Unsticky(), attack.Depth(2)},
	want: "X01",
}, {
	name: "one name must be there, and another one is changed",
	victim: func(s *attack.Scene) error {
		if !exists(s, s.Path("d", "x")) {
			return nil
		}
		return absentIsFine(s.FS.Chmod(s.Path("d", "y"), 0o600))
	},
	opts: []attack.Option{attack.Depth(1)},
	want: "X01",
}, {
	name: "one name must be there, and another one is looked at",
	victim: func(s *attack.Scene) error {
		if exists(s, s.Path("d", "x")) {
			exists(s, s.Path("d", "y"))
		}
		return nil
	},
}, {
	name: "three names must be there, and one must be a link",
	victim: func(s *attack.Scene) error {
		for _, name := range []string{"x", "y"} {
			if !exists(s, s.Path("d", name)) {
				return nil
			}
		}
		if fi, err := lstat(s, s.Path("d", "x")); err != nil || fi.Mode()&fs.ModeSymlink == 0 {
			return nil
		}
		return absentIsFine(s.FS.Chmod(s.Path("d", "z"), 0o600))
	},
	opts: []attack.Option{attack.Depth(1)},
	want: "X01",
}, {
	name: "two names are looked at before either counts",
	victim: func(s *attack.Scene) error {
		one, two := exists(s, s.Path("d", "x")), exists(s, s.Path("d", "y"))
		if !one || !two {
			return nil
		}
		return absentIsFine(s.FS.Chmod(s.Path("d", "z"), 0o600))
	},
	opts: []attack.Option{attack.Depth(1)},
	want: "X01",
}, {
	name: "one name must be missing, and another one is changed",
	victim: func(s *attack.Scene) error {
		if exists(s, s.Path("d", "x")) {
			return nil
		}
		return absentIsFine(s.FS.Chmod(s.Path("d", "y"), 0o600))
	},
	opts: []attack.Option{attack.Depth(1)},
	want: "X01",
}, {
	name: "a directory is opened as a file where a name in it is missing",
	victim: func(s *attack.Scene) error {
		if exists(s, s.Path("d", "x")) {
			return nil
		}
		return put(s.FS, s.Path("d"), anyFile, 0o600, "text")
	},
	opts: []attack.Option{attack.Depth(1), attack.Unsticky(), dirWith("x")},
	want: "X01 X07 X10",
}, {
	name: "the same under the sticky bit",
	victim: func(s *attack.Scene) error {
		if exists(s, s.Path("d", "x")) {
			return nil
		}
		return put(s.FS, s.Path("d"), anyFile, 0o600, "text")
	},
	opts: []attack.Option{dirWith("x")},
}, {
	name: "removes a directory, then one name must be there and another one is cut",
	victim: func(s *attack.Scene) error {
		_ = s.FS.Remove(s.Path("d"))
		if !exists(s, s.Path("d", "x")) {
			return nil
		}
		return put(s.FS, s.Path("d", "y"), os.O_WRONLY|os.O_TRUNC, 0, "")
	},
	opts: []attack.Option{attack.Depth(1), dirWith()},
	want: "X01 X07",
}, {
	name: "Mkdir whose error is not looked at, then a file",
	victim: func(s *attack.Scene) error {
		_ = s.FS.Mkdir(s.Path("d"), 0o700)
		return errors.Join(put(s.FS, s.Path("d", "f"), os.O_WRONLY|os.O_CREATE, 0o600, "text"), s.FS.Remove(s.Path("d", "f")), s.FS.Remove(s.Path("d")))
	},
	opts: []attack.Option{attack.Depth(1)},
	want: "X01 X06 X07 X10",
}, {
	name: "Mkdir whose error is looked at, then a file",
	victim: func(s *attack.Scene) error {
		if err := s.FS.Mkdir(s.Path("d"), 0o700); err != nil {
			return err
		}
		return errors.Join(put(s.FS, s.Path("d", "f"), os.O_WRONLY|os.O_CREATE, 0o600, "text"), s.FS.Remove(s.Path("d", "f")), s.FS.Remove(s.Path("d")))
	},
}}

// dirWith makes a private directory with empty files.
func dirWith(names ...string) attack.Option {
	return attack.Setup(func(s *attack.Scene) error {
		err := s.FS.Mkdir(s.Path("d"), 0o700)
		for _, name := range names {
			err = errors.Join(err, afero.WriteFile(s.FS, s.Path("d", name), nil, 0o600))
		}
		return err
	})
}
