package attack_test

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/fsfake"
)

// targetTests are about what is there in the end, and about what is found by
// several looks.
var targetTests = []victimTest{{
	name:   "writes to what is there and its own",
	victim: writesIf(func(mine bool, _ int) bool { return mine }),
	opts:   []attack.Option{attack.Target("log")},
	want:   "X01 X05", // a hard link to another file of its own
}, {
	name:   "writes to what is there, its own, and of one name",
	victim: writesIf(func(mine bool, names int) bool { return mine && names == 1 }),
	opts:   []attack.Option{attack.Target("log")},
}, {
	name:   "a directory that is not filled where a lock is",
	victim: fillsDir(map[bool]string{false: "data"}),
	opts:   []attack.Option{attack.Target("out"), attack.Moves(attack.File)},
	want:   "X05",
}, {
	name:   "a directory that is filled with something else where a lock is",
	victim: fillsDir(map[bool]string{false: "data", true: "Data"}),
	opts:   []attack.Option{attack.Target("out"), attack.Moves(attack.File)},
	want:   "X05",
}, {
	name:   "a directory that is filled all the same",
	victim: fillsDir(map[bool]string{false: "data", true: "data"}),
	opts:   []attack.Option{attack.Target("out"), attack.Moves(attack.File)},
}, {
	name:   "a large target that ends otherwise where a lock is",
	victim: fillsDir(map[bool]string{false: megabytes("end"), true: megabytes("END")}),
	opts:   []attack.Option{attack.Target("out"), attack.Moves(attack.File)},
	want:   "X05",
}, {
	name:   "a large target that ends the same",
	victim: fillsDir(map[bool]string{false: megabytes("end"), true: megabytes("end")}),
	opts:   []attack.Option{attack.Target("out"), attack.Moves(attack.File)},
}, {
	name:   "a large target with a hole, filled where a lock is",
	victim: sparse(false),
	opts:   []attack.Option{attack.Target("out"), attack.Moves(attack.File)},
	want:   "X05",
}, {
	name:   "a large target with a hole, written as zeros where a lock is",
	victim: sparse(true),
	opts:   []attack.Option{attack.Target("out"), attack.Moves(attack.File)},
}, {
	name: "a directory in which strangers have a file, which they take away",
	victim: func(s *attack.Scene) error {
		_ = exists(s, s.Path("out", "theirs"))
		return put(s.FS, s.Path("out", rand.Text()), newFile, 0o600, "x")
	},
	opts: []attack.Option{attack.Target("out"), attack.Hostile("out/theirs"), attack.Moves(attack.Remove), attack.Setup(func(s *attack.Scene) error {
		// Chmod, for the umask.
		return errors.Join(s.FS.Mkdir(s.Path("out"), 0o777), s.FS.Chmod(s.Path("out"), 0o777), afero.WriteFile(s.FS, s.Path("out", "theirs"), nil, 0o666))
	})},
}, {
	name: "a directory for all, with two files of random names",
	victim: func(s *attack.Scene) error {
		err := s.FS.Mkdir(s.Path("out"), 0o777)
		for _, text := range []string{"one", "two"} {
			f, err2 := afero.TempFile(s.FS, s.Path("out"), "part-")
			if err2 != nil {
				return errors.Join(err, err2)
			}
			_, err2 = f.WriteString(text)
			err = errors.Join(err, err2, f.Close())
		}
		_ = exists(s, s.Path("out", "more")) // which is for others to put there
		return err
	},
	opts: []attack.Option{attack.Target("out"), attack.Moves(attack.File)},
	want: "C03",
}, {
	name: "two names are looked at, then a third is made, combined",
	victim: func(s *attack.Scene) error {
		one, two := exists(s, s.Path("one")), exists(s, s.Path("two"))
		if !one || !two {
			return nil
		}
		return errors.Join(put(s.FS, s.Path("out"), anyFile, 0o600, "x"), s.FS.Remove(s.Path("out")))
	},
	opts: []attack.Option{attack.Moves(attack.File), attack.Unrelated()},
	want: "C01 C06",
}, {
	name: "two names are looked at, combined",
	victim: func(s *attack.Scene) error {
		one, two := exists(s, s.Path("one")), exists(s, s.Path("two"))
		if !one || !two {
			return nil
		}
		return errors.Join(put(s.FS, filepath.Join(s.Home, "out"), anyFile, 0o600, "x"), s.FS.Remove(filepath.Join(s.Home, "out")))
	},
	opts: []attack.Option{attack.Moves(attack.File), attack.Unrelated()},
}}

// megabytes is more than what any buffer of ours holds, and ends with text.
func megabytes(text string) string { return strings.Repeat("line of a large target\n", 100_000) + text }

// writesIf opens a file that may be there already, else makes it, and writes if
// what it opened is right.
func writesIf(right func(mine bool, names int) bool) attack.Victim {
	return func(s *attack.Scene) error {
		f, err := s.FS.OpenFile(s.Path("log"), os.O_WRONLY|fsfake.O_NOFOLLOW|fsfake.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrNotExist) {
			f, err = s.FS.OpenFile(s.Path("log"), newFile, 0o600)
		}
		if err != nil {
			return err
		}
		defer f.Close()
		fi, err := f.Stat()
		if err != nil {
			return err
		}
		if !right(ours(fi)) {
			return errors.New("not ours")
		}
		_, err = f.WriteString("hello")
		return err
	}
}

// fillsDir makes a directory and a file in it, whose content depends on whether
// another name is found; none is made without content.
func fillsDir(with map[bool]string) attack.Victim {
	return func(s *attack.Scene) error {
		if err := s.FS.Mkdir(s.Path("out"), 0o700); err != nil {
			return err
		}
		data := with[exists(s, s.Path("lock"))]
		if data == "" {
			return nil
		}
		return put(s.FS, s.Path("out", "data"), newFile, 0o600, data)
	}
}

// sparse makes a large file of one byte at its end, and writes zeros, or else
// one other byte, in its middle if a lock is found.
func sparse(zeros bool) attack.Victim {
	return func(s *attack.Scene) error {
		f, err := s.FS.OpenFile(s.Path("out"), newFile, 0o600)
		if err != nil {
			return err
		}
		_, err = f.WriteAt([]byte("x"), 3<<20)
		if exists(s, s.Path("lock")) {
			middle := make([]byte, 5000)
			if !zeros {
				middle[4321] = 1
			}
			_, err2 := f.WriteAt(middle, 1<<20+7)
			err = errors.Join(err, err2)
		}
		return errors.Join(err, f.Close())
	}
}
