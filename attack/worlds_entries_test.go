package attack_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/fsfake"
)

// each lists a directory and does something with the entries that it takes. The
// names alone are listed: with os.File.Readdir package os looks each entry up,
// and the fake disk does not.
func each(dir func(*attack.Scene) string, takes func(s *attack.Scene, path string) bool, do func(s *attack.Scene, path string) error) attack.Victim {
	return func(s *attack.Scene) error {
		d, err := s.FS.Open(dir(s))
		if err != nil {
			return absentIsFine(err)
		}
		names, err := d.Readdirnames(-1)
		errs := []error{err, d.Close()}
		slices.Sort(names)
		for _, name := range names {
			if path := filepath.Join(dir(s), name); takes(s, path) {
				errs = append(errs, do(s, path))
			}
		}
		return errors.Join(errs...)
	}
}

func theDir(s *attack.Scene) string   { return s.Dir }
func theSpool(s *attack.Scene) string { return s.Path("spool") }

func called(pattern string) func(*attack.Scene, string) bool {
	return func(_ *attack.Scene, path string) bool {
		ok, _ := filepath.Match(pattern, filepath.Base(path))
		return ok
	}
}

func anyOf(*attack.Scene, string) bool { return true }

// isA takes what is of a type, as the listing says or lstat.
func isA(typ fs.FileMode, pattern string) func(*attack.Scene, string) bool {
	return func(s *attack.Scene, path string) bool {
		fi, err := lstat(s, path)
		return called(pattern)(s, path) && err == nil && fi.Mode().Type() == typ
	}
}

func readIt(s *attack.Scene, path string) error {
	_, err := afero.ReadFile(s.FS, path)
	return err
}

// readItsOwn reads what is a file of the code's own with one link.
func readItsOwn(s *attack.Scene, path string) error {
	f, err := s.FS.OpenFile(path, os.O_RDONLY|fsfake.O_NOFOLLOW|fsfake.O_NONBLOCK, 0)
	if err != nil {
		return nil // a link, or gone
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if mine, names := ours(fi); !mine || names != 1 || !fi.Mode().IsRegular() {
		return nil
	}
	_, err = io.ReadAll(f)
	return err
}

// entriesOf lists the names in s.Path("in").
func entriesOf(s *attack.Scene) ([]string, error) {
	d, err := s.FS.Open(s.Path("in"))
	if err != nil {
		return nil, absentIsFine(err)
	}
	names, err := d.Readdirnames(-1)
	slices.Sort(names)
	return names, errors.Join(err, d.Close())
}

// afterAnother lists a directory twice at the same line, refuses what is there the
// first time, and does something with it the second time.
func afterAnother(do func(s *attack.Scene, path string) error) attack.Victim {
	return func(s *attack.Scene) (err error) {
		for again := range 2 {
			names, lerr := entriesOf(s)
			if lerr != nil || again == 0 && len(names) > 0 {
				return errors.Join(lerr, errors.New("it is not empty"))
			}
			for _, name := range names {
				err = errors.Join(err, do(s, s.Path("in", name)))
			}
		}
		return err
	}
}

func lookAtIt(s *attack.Scene, path string) error { return second(lstat(s, path)) }

func chmodIt(s *attack.Scene, path string) error  { return s.FS.Chmod(path, 0o600) }
func removeIt(s *attack.Scene, path string) error { return s.FS.Remove(path) }

// mailSpool makes a directory that all may write to, as a mail spool is.
func mailSpool(s *attack.Scene) error {
	return errors.Join(s.FS.Mkdir(s.Path("spool"), 0o777), s.FS.Chmod(s.Path("spool"), 0o777|os.ModeSticky))
}

// entriesTests are victims that list a directory in which others may make names.
var entriesTests = []victimTest{{
	name:   "chmods what is there the second time",
	victim: afterAnother(chmodIt),
	want:   "X01 X02 X03 X07",
}, {
	name:   "looks at what is there the second time",
	victim: afterAnother(lookAtIt),
	want:   "X02 X03 X07",
}, {
	name:   "chmods each entry of Dir",
	victim: each(theDir, anyOf, chmodIt),
	want:   "X01",
}, {
	name:   "removes each entry of Dir",
	victim: each(theDir, isA(0, "*"), removeIt),
}, {
	name:   "chmods what ends in .tmp",
	victim: each(theDir, called("*.tmp"), chmodIt),
	want:   "X01",
}, {
	name:   "removes what ends in .tmp",
	victim: each(theDir, isA(0, "*.tmp"), removeIt),
}, {
	name:   "reads what ends in .json",
	victim: each(theDir, called("*.json"), readIt),
	want:   "X02 X03 X07",
}, {
	name:   "reads what ends in .json and is its own",
	victim: each(theDir, called("*.json"), readItsOwn),
}, {
	name:   "reads files that end in .json, by lstat",
	victim: each(theDir, isA(0, "*.json"), readIt),
	opts:   []attack.Option{attack.Depth(1)},
	want:   "X02 X03",
}, {
	name: "reads what is named as its own work is",
	victim: func(s *attack.Scene) error {
		tmp, err := work(s)
		if err != nil {
			return err
		}
		return errors.Join(s.FS.Remove(tmp), each(theDir, called("work-*"), readIt)(s))
	},
	want: "X02 X03 X07",
}, {
	name: "removes what is named as its own work is",
	victim: func(s *attack.Scene) error {
		tmp, err := work(s)
		if err != nil {
			return err
		}
		return errors.Join(s.FS.Remove(tmp), each(theDir, isA(0, "work-*"), removeIt)(s))
	},
}, {
	name: "truncates a job's state in each directory",
	victim: each(theDir, isA(fs.ModeDir, "*"), func(s *attack.Scene, path string) error {
		f, err := s.FS.OpenFile(filepath.Join(path, "state"), os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			return absentIsFine(err)
		}
		return f.Close()
	}),
	opts: []attack.Option{attack.Depth(1)},
	want: "X01 X07",
}, {
	name: "looks for a job's state in each directory",
	victim: each(theDir, isA(fs.ModeDir, "*"), func(s *attack.Scene, path string) error {
		_, err := lstat(s, filepath.Join(path, "state"))
		return absentIsFine(err)
	}),
}, {
	name:   "chmods what is in a spool that all may write to",
	victim: each(theSpool, called("*.eml"), chmodIt),
	opts:   []attack.Option{attack.Setup(mailSpool)},
	want:   "X01",
}, {
	name:   "reads its own in a spool that all may write to",
	victim: each(theSpool, called("*.eml"), readItsOwn),
	opts:   []attack.Option{attack.Setup(mailSpool)},
}, {
	name: "adopts a directory, and chmods what ends in .db",
	victim: func(s *attack.Scene) error {
		if fi, err := lstat(s, theSpool(s)); err == nil && !fi.IsDir() {
			return errors.New("no directory")
		}
		err := each(theSpool, called("*.db"), chmodIt)(s)
		return errors.Join(err, errors.New("not yet"))
	},
	opts: []attack.Option{attack.Refuses(), attack.Moves(attack.Symlink, attack.Hardlink, attack.File, attack.Dir)},
	want: "X01",
}, {
	name: "adopts a directory, and reads its own of what ends in .db",
	victim: func(s *attack.Scene) error {
		err := each(theSpool, called("*.db"), readItsOwn)(s)
		return errors.Join(err, errors.New("not yet"))
	},
	opts: []attack.Option{attack.Refuses(), attack.Moves(attack.Symlink, attack.Hardlink, attack.File, attack.Dir)},
}, {
	name: "removes what ends in .tmp of a directory, wherever a link leads",
	victim: func(s *attack.Scene) error {
		err := each(theSpool, called("*.tmp"), removeIt)(s)
		return errors.Join(err, errors.New("not yet"))
	},
	opts: []attack.Option{attack.Refuses(), attack.Moves(attack.Symlink, attack.Hardlink, attack.File, attack.Dir)},
	want: "X01",
}, {
	name: "makes a file beside the others, and syncs the directory",
	victim: func(s *attack.Scene) error {
		tmp, err := work(s)
		if err != nil {
			return err
		}
		d, err := s.FS.Open(s.Dir)
		if err != nil {
			return err
		}
		return errors.Join(d.Sync(), d.Close(), s.FS.Remove(tmp))
	},
}}
