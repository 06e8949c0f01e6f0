package attack_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

// allConditionTests leaves out what mounts where that needs root.
func allConditionTests() []conditionTest {
	all := slices.Concat(conditionTests, plantTests, callTests)
	if rerun.IsChild() || missing()["mount"] == "" { // a child has been asked for a row that there is
		all = append(all, mountTests...)
	}
	return all
}

// callTests are about what is said at the name that a call is about.
var callTests = []conditionTest{
	// What is made in the attacker's directory.
	{"is moved into the attacker's directory", func(s *attack.Scene) error {
		if !there(s, "x") {
			return nil
		}
		tmp, err := temp(s)
		if err != nil {
			return err
		}
		return os.Rename(tmp, s.Path("x", "f"))
	}, with(dirs), []string{"X06 shared/x/f was made in it", "X08 left shared/work-* (file, mode 0600) behind"}},
	{"is made once, and opened again", func(s *attack.Scene) error {
		if !there(s, "x") {
			return nil
		}
		if err := write(s.Path("x", "f"), excl, 0o600, "1"); err != nil {
			return err
		}
		return openAndClose(s.Path("x", "f"), os.O_WRONLY|os.O_CREATE)
	}, with(dirs, attack.Depth(1)), []string{"X06 shared/x/f was made in it"}},
	{"is not made after all", func(s *attack.Scene) error {
		if !there(s, "x") {
			return nil
		}
		return orMissing(os.Link(s.Path("nothing"), s.Path("x", "f")))
	}, with(dirs), nil},
	{"is the attacker's as well", func(s *attack.Scene) error {
		return orMissing(os.Rename(s.Path("y"), s.Path("x", "f")))
	}, with(attack.Moves(attack.Dir, attack.File)), nil},
	{"is made in a directory beside the scene", func(s *attack.Scene) error {
		if !there(s, "x") {
			return nil
		}
		return write(s.Path("x", "f"), excl, 0o644, "x")
	}, with(linked), []string{"X01 vault/dir", "X06 was made in it"}},

	// Modes.
	{"others could read it when it was empty and had another name", func(s *attack.Scene) error {
		a, b := s.Path(randomName("a")), s.Path(randomName("b"))
		f, err := os.OpenFile(a, excl, 0o604)
		if err != nil {
			return err
		}
		err = os.Rename(a, b)
		_, werr := f.WriteString("secret")
		return errors.Join(err, werr, f.Close(), os.Remove(b))
	}, nil, []string{"X04 could be read by others"}},
	{"others can read it, under two names", func(s *attack.Scene) error {
		a, z := s.Path(fmt.Sprint("a-", random())), s.Path(fmt.Sprint("z-", random()))
		return errors.Join(write(z, excl, 0o604, "secret"), os.Rename(z, a), os.Remove(a))
	}, nil, []string{"X04 shared/z"}},
	{"others could read what had the name before", func(s *attack.Scene) error {
		p := s.Path(randomName("f"))
		return errors.Join(write(p, excl, 0o604, ""), os.Remove(p), write(p, excl, 0o600, "secret"), os.Remove(p))
	}, nil, []string{"C03 has mode 0604"}},

	// Names.
	{"found absent twice, then created", func(s *attack.Scene) error {
		p := s.Path(randomName("f"))
		if err := openAndClose(p, os.O_RDONLY); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		there(s, filepath.Base(p))
		return errors.Join(write(p, os.O_WRONLY|os.O_CREATE, 0o600, "x"), os.Remove(p))
	}, nil, []string{"C01 without O_EXCL", "C10 was found absent by openat"}},
	{"found there, removed, then created", func(s *attack.Scene) error {
		p := s.Path(randomName("f"))
		err := write(p, excl, 0o600, "x")
		there(s, filepath.Base(p))
		return errors.Join(err, os.Remove(p), write(p, os.O_WRONLY|os.O_CREATE, 0o600, "x"), os.Remove(p))
	}, with(sockets), []string{"C01 without O_EXCL"}},
	{"opened as if it were to be made, no sticky bit", func(s *attack.Scene) error {
		p := s.Path(randomName("f"))
		return errors.Join(write(p, excl, 0o600, "x"), write(p, os.O_WRONLY|os.O_CREATE, 0o600, "y"), os.Remove(p))
	}, with(attack.Unsticky(), sockets), []string{"C01 without O_EXCL"}},
	{"a known name in a private directory", func(s *attack.Scene) error {
		dir, err := os.MkdirTemp(s.Dir, "d-")
		if err != nil {
			return err
		}
		return errors.Join(os.Mkdir(filepath.Join(dir, "sub"), 0o700), os.RemoveAll(dir))
	}, nil, nil},
	{"a known name that is there", func(s *attack.Scene) error {
		if err := os.Mkdir(s.Path("up"), 0o700); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	}, with(upDir), nil},
	{"a known name that has been seen", func(s *attack.Scene) error {
		p := s.Path(fmt.Sprintf("app-%d", os.Getpid()))
		err := write(p, excl, 0o600, "")
		err = errors.Join(err, os.Remove(p))
		return errors.Join(err, openAndClose(p, excl), os.Remove(p))
	}, with(sockets), []string{"C06 can be foretold"}},

	// Directories.
	{"a directory under another name", func(s *attack.Scene) error {
		for _, name := range []string{"out-1", "out-2", "out-3"} {
			if err := os.Mkdir(s.Path(name), 0o700); err == nil {
				return os.Remove(s.Path(name))
			} else if !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
		return errors.New("all names are taken")
	}, with(dirs, lock), nil},
	{"two directories, and whatever has the first one's name", func(s *attack.Scene) error {
		if err := os.Mkdir(s.Path("out-1"), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return errors.Join(os.Mkdir(s.Path("out-2"), 0o700), os.Remove(s.Path("out-2")))
	}, with(dirs, lock, attack.Target("out-1"), attack.Allow(rules.X05, "this is about the use of it")), []string{"X06 shared/out-1 was taken for the one"}},
	{"two names, and whatever has the second", func(s *attack.Scene) error {
		for _, name := range []string{"out-1", "out-2"} {
			if err := os.Mkdir(s.Path(name), 0o700); err == nil {
				return os.Remove(s.Path(name))
			} else if !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
		return nil
	}, with(dirs, lock), []string{"X06 shared/out-1 was taken for the one"}},
	{"whatever has the name of a directory, and then another look", func(s *attack.Scene) error {
		if err := os.Mkdir(s.Path("cache"), 0o700); err == nil {
			return os.Remove(s.Path("cache"))
		}
		there(s, "cache.old")
		return nil
	}, with(dirs, lock), []string{"X06 shared/cache was taken for the one"}},
	{"a directory elsewhere when the name is taken", func(s *attack.Scene) error {
		if err := os.Mkdir(s.Path("out-1"), 0o700); err == nil {
			return os.Remove(s.Path("out-1"))
		}
		dir, err := os.MkdirTemp(s.Home, "d-")
		if err != nil {
			return err
		}
		return os.Remove(dir)
	}, with(dirs, lock), nil},
	{"whatever has the name of a directory, and a note of it", func(s *attack.Scene) error {
		err := os.Mkdir(s.Path("out-1"), 0o700)
		if errors.Is(err, fs.ErrExist) { // a file is made, and no other directory
			return os.WriteFile(filepath.Join(s.Home, "note"), nil, 0o600)
		}
		return errors.Join(err, os.Remove(s.Path("out-1")))
	}, with(dirs, lock), []string{"X06 shared/out-1 was taken for the one"}},
	{"a directory of its own that it has removed, and a look below the name", func(s *attack.Scene) error {
		return ownThen(s, func(dir string) error {
			_, err := os.Lstat(filepath.Join(dir, "below"))
			return orMissing(err)
		})
	}, with(dirs), nil},
	{"the same, and whatever is in it", func(s *attack.Scene) error {
		return ownThen(s, func(dir string) error {
			_, err := os.ReadDir(dir)
			return orMissing(err)
		})
	}, with(dirs), []string{"X03 the attacker's directory was listed"}},
	{"the same, and a file made in it", func(s *attack.Scene) error {
		return ownThen(s, func(dir string) error {
			return orMissing(write(filepath.Join(dir, "below"), excl, 0o600, "x"))
		})
	}, with(dirs), []string{"X06 below was made in it"}},
	{"a directory of its own that it has removed, and makes again", func(s *attack.Scene) error {
		return ownThen(s, func(dir string) error {
			if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			return nil
		})
	}, with(dirs, attack.Allow(rules.R01, "this is about whose it is"), attack.Allow(rules.C06, "likewise")), []string{"X06 was taken for the one"}},
	{"a directory of its own that it could not remove, and then whatever has the name", func(s *attack.Scene) error {
		dir, err := os.MkdirTemp(s.Dir, "own-")
		if err != nil {
			return err
		}
		if err := errors.Join(write(filepath.Join(dir, "f"), excl, 0o600, ""), os.Chmod(dir, 0o700)); err != nil {
			return err
		}
		_ = os.Remove(dir) // not empty
		_, _ = os.Lstat(filepath.Join(dir, "below"))
		return nil
	}, with(dirs, attack.Unsticky(), attack.Allow(rules.R01, "this is about whose it is")), []string{"X06 was taken for the one", "X06 f was made in it"}},
	{"whatever has the name of a directory, under attack only", func(s *attack.Scene) error {
		if !there(s, "marker") {
			return nil
		}
		return os.MkdirAll(s.Path("cache"), 0o700)
	}, with(attack.Moves(attack.File, attack.Dir), lock, attack.Target("cache*")), []string{"X06 shared/cache was taken for the one"}},
}

// ownThen makes a directory, removes it, and goes on with its name.
func ownThen(s *attack.Scene, then func(dir string) error) error {
	dir, err := os.MkdirTemp(s.Dir, "own-")
	if err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil {
		return err
	}
	return then(dir)
}

// mountOn mounts something on p, which only one thread sees.
func mountOn(p string, flags uintptr) error {
	return inPrivateThread(func() error { return unix.Mount("none", p, "tmpfs", flags, "") })
}

var mountTests = []conditionTest{
	{"is mounted over", on(func(p string) error { return mountOn(p, 0) }), with(linked), []string{"X01 vault/dir: a file system was mounted over it"}},
	{"is no mount, and becomes a private one", on(func(p string) error {
		if err := mountOn(p, unix.MS_PRIVATE); !errors.Is(err, unix.EINVAL) {
			return err
		}
		return nil
	}), with(linked), nil},
	{"a directory of its own is mounted over", func(s *attack.Scene) error {
		dir, err := os.MkdirTemp(s.Dir, "d-")
		if err != nil {
			return err
		}
		return errors.Join(mountOn(dir, 0), os.Remove(dir))
	}, with(linked), nil},
}
