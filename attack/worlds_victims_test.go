package attack_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/fsfake"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

var worldTests = slices.Concat(readingTests, targetTests, belowTests, shownTests, allowedTests, derivedTests, entriesTests, []victimTest{{
	name: "check, then create",
	victim: func(s *attack.Scene) error {
		if exists(s, s.Path("out")) {
			return errors.New("exists")
		}
		return afero.WriteFile(s.FS, s.Path("out"), []byte("defaults"), 0o600)
	},
	opts: []attack.Option{attack.Target("out")},
	want: "X01 X05 X07 X10",
}, {
	name: "check, then create exclusively",
	victim: func(s *attack.Scene) error {
		if exists(s, s.Path("out")) {
			return errors.New("exists")
		}
		return put(s.FS, s.Path("out"), newFile, 0o600, "defaults")
	},
	opts: []attack.Option{attack.Target("out")},
}, {
	name: "a random name, then a plain create",
	victim: func(s *attack.Scene) error {
		p := unknown(s)
		if exists(s, p) {
			return errors.New("exists")
		}
		return errors.Join(put(s.FS, p, anyFile, 0o600, "x"), s.FS.Remove(p))
	},
	want: "C01 C10",
}, {
	name:   "a random name, then a plain create for everybody",
	victim: forEverybody(os.O_WRONLY | os.O_CREATE),
	want:   "C01 X04 X09",
}, {
	name:   "the same, which is allowed",
	victim: forEverybody(os.O_WRONLY | os.O_CREATE),
	opts:   mayOpen,
	want:   "C01",
}, {
	name:   "a random name, then an exclusive create for everybody",
	victim: forEverybody(newFile),
	want:   "X04 X09",
}, {
	name:   "the same exclusively, which is allowed",
	victim: forEverybody(newFile),
	opts:   mayOpen,
}, {
	name: "a random name, then an exclusive create",
	victim: func(s *attack.Scene) error {
		p := unknown(s)
		return errors.Join(put(s.FS, p, newFile, 0o600, "x"), s.FS.Remove(p))
	},
}, {
	name: "TempFile and rename",
	victim: func(s *attack.Scene) error {
		tmp, err := work(s)
		if err == nil {
			err = s.FS.Rename(tmp, s.Path("out"))
		}
		if err != nil && tmp != "" {
			err = errors.Join(err, s.FS.Remove(tmp))
		}
		return err
	},
	opts: []attack.Option{attack.Target("out")},
}, {
	name: "TempFile and rename, no sticky bit",
	victim: func(s *attack.Scene) error {
		tmp, err := work(s)
		if err == nil {
			err = s.FS.Rename(tmp, s.Path("out"))
		}
		if err != nil && tmp != "" {
			err = errors.Join(err, s.FS.Remove(tmp))
		}
		return err
	},
	opts: []attack.Option{attack.Target("out"), attack.Unsticky()},
	want: "X05",
}, {
	name: "TempFile in the usual place",
	victim: func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, "", "x-*")
		if err != nil {
			return err
		}
		_, err = f.WriteString("x")
		return errors.Join(err, f.Close(), s.FS.Remove(f.Name()))
	},
}, {
	name: "TempFile in the usual place, left",
	victim: func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, "", "x-*")
		if err != nil {
			return err
		}
		return f.Close()
	},
	want: "R01",
}, {
	name: "pid in the name",
	victim: func(s *attack.Scene) error {
		return afero.WriteFile(s.FS, s.Path(fmt.Sprintf("%d.tmp", os.Getpid())), []byte("x"), 0o600)
	},
	opts: []attack.Option{attack.Target("*.tmp")},
	want: "X01 X05 X07 X10",
}, {
	name: "a lock file",
	victim: func(s *attack.Scene) error {
		if err := put(s.FS, s.Path("app.lock"), newFile, 0o600, ""); err != nil {
			return err
		}
		return s.FS.Remove(s.Path("app.lock"))
	},
}, {
	name: "a lock file, and nobody is told that it is held",
	victim: func(s *attack.Scene) error {
		p := s.Path("app.lock")
		err := put(s.FS, p, newFile, 0o600, "")
		if errors.Is(err, fs.ErrExist) {
			return nil // another one is at work
		}
		if err != nil {
			return err
		}
		return s.FS.Remove(p)
	},
	want: "C06",
}, {
	name: "a counter in the name",
	victim: func(s *attack.Scene) error {
		p := s.Path(fmt.Sprintf("job-%d", counter.Add(1)))
		if err := put(s.FS, p, newFile, 0o600, ""); err != nil {
			return err
		}
		return s.FS.Remove(p)
	},
	want: "C06",
}, {
	name: "chmod by name, no sticky bit",
	victim: func(s *attack.Scene) error {
		tmp, err := work(s)
		if err != nil {
			return err
		}
		return errors.Join(s.FS.Chmod(tmp, 0o400), s.FS.Remove(tmp))
	},
	opts: []attack.Option{attack.Unsticky()},
	want: "X01",
}, {
	name: "chmod by name under the sticky bit",
	victim: func(s *attack.Scene) error {
		tmp, err := work(s)
		if err != nil {
			return err
		}
		return errors.Join(s.FS.Chmod(tmp, 0o400), s.FS.Remove(tmp))
	},
}, {
	name: "chown by name, no sticky bit",
	victim: func(s *attack.Scene) error {
		tmp, err := work(s)
		if err != nil {
			return err
		}
		return errors.Join(s.FS.Chown(tmp, os.Getuid(), os.Getgid()), s.FS.Remove(tmp))
	},
	opts: []attack.Option{attack.Unsticky()},
	want: "X01",
}, {
	name: "reads what is there",
	victim: func(s *attack.Scene) error {
		_, err := afero.ReadFile(s.FS, s.Path("conf"))
		return absentIsFine(err)
	},
	want: "X02 X03 X07",
}, {
	name: "writes into a FIFO that is there, and nothing else",
	victim: func(s *attack.Scene) error {
		if fi, err := lstat(s, s.Path("ctl")); err != nil || fi.Mode()&fs.ModeNamedPipe == 0 {
			return absentIsFine(err)
		}
		return put(s.FS, s.Path("ctl"), os.O_WRONLY, 0, "secret")
	},
	opts: []attack.Option{attack.Depth(1), attack.Moves(attack.FIFO)},
	want: "X07 X10",
}, {
	name: "writes into a FIFO that is there and its own",
	victim: func(s *attack.Scene) error {
		if fi, err := lstat(s, s.Path("ctl")); err != nil || fi.Mode()&fs.ModeNamedPipe == 0 || !uid(fi) {
			return absentIsFine(err)
		}
		return put(s.FS, s.Path("ctl"), os.O_WRONLY, 0, "secret")
	},
	opts: []attack.Option{attack.Depth(1), attack.Moves(attack.FIFO)},
}, {
	name: "reads what is there and its own",
	victim: func(s *attack.Scene) error {
		f, err := s.FS.OpenFile(s.Path("conf"), os.O_RDONLY|fsfake.O_NOFOLLOW|fsfake.O_NONBLOCK, 0)
		if err != nil {
			return absentIsFine(err)
		}
		defer f.Close()
		fi, err := f.Stat()
		if err != nil {
			return err
		}
		if mine, names := ours(fi); !mine || names != 1 {
			return errors.New("not ours")
		}
		_, err = io.ReadAll(f)
		return err
	},
}, {
	name: "lists what is there",
	victim: func(s *attack.Scene) error {
		_, err := afero.ReadDir(s.FS, s.Path("conf.d"))
		return absentIsFine(err)
	},
	want: "X02 X03 X07",
}, {
	name: "MkdirAll adopts",
	victim: func(s *attack.Scene) error {
		if err := s.FS.MkdirAll(s.Path("cache"), 0o700); err != nil {
			return err
		}
		return afero.WriteFile(s.FS, s.Path("cache", "data"), []byte("secret"), 0o600)
	},
	opts: []attack.Option{attack.Target("cache")},
	want: "X01 X05 X06 X07 X10",
}, {
	name: "TempDir does not",
	victim: func(s *attack.Scene) error {
		dir, err := afero.TempDir(s.FS, s.Dir, "cache-")
		if err != nil {
			return err
		}
		return errors.Join(afero.WriteFile(s.FS, filepath.Join(dir, "data"), []byte("secret"), 0o600), s.FS.RemoveAll(dir))
	},
}, {
	name: "TempDir does, without the sticky bit",
	victim: func(s *attack.Scene) error {
		dir, err := afero.TempDir(s.FS, s.Dir, "cache-")
		if err != nil {
			return err
		}
		return errors.Join(afero.WriteFile(s.FS, filepath.Join(dir, "data"), []byte("secret"), 0o600), s.FS.RemoveAll(dir))
	},
	opts: []attack.Option{attack.Unsticky(), attack.Depth(1)},
	want: "X01 X06 X07 X10",
}, {
	name: "RemoveAll of a tree that others may rename",
	victim: func(s *attack.Scene) error {
		dir, err := afero.TempDir(s.FS, s.Dir, "cache-")
		if err != nil {
			return err
		}
		err = s.FS.MkdirAll(filepath.Join(dir, "a", "b"), 0o700)
		return errors.Join(err, s.FS.RemoveAll(dir))
	},
	opts: []attack.Option{attack.Moves(attack.Symlink), attack.Unsticky(), attack.Depth(1)},
	want: "X01 X06",
}, {
	name: "readable by others",
	victim: func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		_, err = f.WriteString("secret")
		return errors.Join(err, s.FS.Chmod(f.Name(), 0o644), f.Close(), s.FS.Remove(f.Name()))
	},
	want: "X04",
}, {
	name: "writable by others, then read again",
	victim: func(s *attack.Scene) error {
		p := unknown(s)
		if err := put(s.FS, p, newFile, 0o602, "x"); err != nil {
			return err
		}
		_, err := afero.ReadFile(s.FS, p)
		return errors.Join(err, s.FS.Remove(p))
	},
	want: "X03 X09",
}, {
	name: "a directory that others can list, empty",
	victim: func(s *attack.Scene) error {
		p := unknown(s)
		return errors.Join(s.FS.Mkdir(p, 0o755), s.FS.Remove(p))
	},
	want: "C03",
}, {
	name: "a file that others can read, in a private directory",
	victim: func(s *attack.Scene) error {
		dir, err := afero.TempDir(s.FS, s.Dir, "d-")
		if err != nil {
			return err
		}
		return errors.Join(afero.WriteFile(s.FS, filepath.Join(dir, "f"), []byte("x"), 0o666), s.FS.RemoveAll(dir))
	},
}, {
	name: "group-writable, other group",
	victim: func(s *attack.Scene) error {
		p := unknown(s)
		return errors.Join(put(s.FS, p, newFile, 0o660, "x"), s.FS.Remove(p))
	},
	want: "C03",
}, {
	name: "group-writable, same group",
	victim: func(s *attack.Scene) error {
		p := unknown(s)
		return errors.Join(put(s.FS, p, newFile, 0o660, "x"), s.FS.Remove(p))
	},
	opts: []attack.Option{attack.SameGroup()},
	want: "X04 X09",
}, {
	name: "a group's directory, same group",
	victim: func(s *attack.Scene) error {
		p := unknown(s)
		if err := s.FS.Mkdir(p, 0o770); err != nil {
			return err
		}
		_, err := afero.ReadFile(s.FS, filepath.Join(p, "conf"))
		return errors.Join(absentIsFine(err), s.FS.RemoveAll(p))
	},
	opts: []attack.Option{attack.SameGroup(), attack.Depth(1)},
	want: "C03 X02 X03 X07",
}, {
	name: "leaves its file",
	victim: func(s *attack.Scene) error {
		_, err := work(s)
		return err
	},
	want: "R01",
}, {
	name: "leaves its file when it cannot rename it",
	victim: func(s *attack.Scene) error {
		tmp, err := work(s)
		if err != nil {
			return err
		}
		return s.FS.Rename(tmp, s.Path("out"))
	},
	opts: []attack.Option{attack.Target("out")},
	want: "X08",
}, {
	name: "leaves its file when its input is bad",
	victim: func(s *attack.Scene) error {
		tmp, err := work(s)
		if err != nil {
			return err
		}
		if b, err := afero.ReadFile(s.FS, s.Path("upload")); err != nil || string(b) != "good" {
			return errors.New("bad input")
		}
		return s.FS.Remove(tmp)
	},
	opts: []attack.Option{attack.Moves(attack.Hardlink), attack.Hostile("upload"), attack.Setup(func(s *attack.Scene) error {
		return afero.WriteFile(s.FS, s.Path("upload"), []byte("bad"), 0o644)
	})},
	want: "R05",
}, {
	name: "tries the same name again without end",
	victim: func(s *attack.Scene) error {
		for {
			err := put(s.FS, s.Path("app.lock"), newFile, 0o600, "")
			if err == nil {
				return s.FS.Remove(s.Path("app.lock"))
			}
			if !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
	},
	opts: []attack.Option{attack.Moves(attack.File), attack.Depth(1), attack.FewCalls},
	want: "X07",
}, {
	name: "tries the same name a few times",
	victim: func(s *attack.Scene) error {
		for range 100 {
			err := put(s.FS, s.Path("app.lock"), newFile, 0o600, "")
			if err == nil {
				return s.FS.Remove(s.Path("app.lock"))
			}
			if !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
		return errors.New("app.lock is held")
	},
	opts: []attack.Option{attack.Moves(attack.File), attack.Depth(1), attack.Allow(rules.C06, "a lock's name is known")},
}, {
	name:   "looks, then removes below: needs two moves",
	victim: lookAndRemove,
	want:   "X01",
}, {
	name:   "the same at depth one",
	victim: lookAndRemove,
	opts:   []attack.Option{attack.Depth(1)},
}, {
	name: "extracts a hostile tree through its links",
	victim: func(s *attack.Scene) error {
		return afero.WriteFile(s.FS, s.Path("up", "sub", "f"), []byte("x"), 0o600)
	},
	opts: []attack.Option{attack.Hostile("up"), attack.Setup(upload), attack.Canary("keys")},
	want: "X01 X06 X07 X10",
}, {
	name: "extracts into its home",
	victim: func(s *attack.Scene) error {
		if _, err := lstat(s, s.Path("up", "sub")); err != nil {
			return err
		}
		return put(s.FS, filepath.Join(s.Home, "f"), newFile, 0o600, "x")
	},
	opts: []attack.Option{attack.Hostile("up"), attack.Setup(upload), attack.Canary("keys")},
}, {
	name: "does not keep its promise",
	victim: func(s *attack.Scene) error {
		err := put(s.FS, s.Path("out"), newFile, 0o600, "x")
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	},
	opts: []attack.Option{attack.Target("out"), attack.Ensure(func(s *attack.Scene) error {
		b, err := afero.ReadFile(s.FS, s.Path("out"))
		if err == nil && string(b) != "x" {
			err = fmt.Errorf("out has %q", b)
		}
		return err
	}), attack.Moves(attack.File)},
	want: "X05",
}, {
	name: "panics under attack",
	victim: func(s *attack.Scene) error {
		if _, err := lstat(s, s.Path("x")); err == nil {
			panic("unexpected")
		}
		return nil
	},
	want: "X07",
}, {
	name: "moves a file from home to the shared directory",
	victim: func(s *attack.Scene) error {
		p := filepath.Join(s.Home, "new")
		if err := put(s.FS, p, newFile, 0o600, "x"); err != nil {
			return err
		}
		return s.FS.Rename(p, s.Path("out"))
	},
	opts: []attack.Option{attack.Target("out")},
}, {
	name: "takes a file from the shared directory home",
	victim: func(s *attack.Scene) error {
		return absentIsFine(s.FS.Rename(s.Path("out"), filepath.Join(s.Home, "new")))
	},
	want: "X03",
}, {
	name:   "goroutines in the shared directory",
	victim: func(s *attack.Scene) error { return parts(s, s.Dir, anyFile) },
	want:   "X01 X07 X10",
}, {
	name: "goroutines in a directory of their own",
	victim: func(s *attack.Scene) error {
		dir, err := afero.TempDir(s.FS, s.Dir, "parts-")
		if err != nil {
			return err
		}
		return errors.Join(parts(s, dir, anyFile), s.FS.RemoveAll(dir))
	},
}, {
	name: "odd names",
	victim: func(s *attack.Scene) error {
		p := s.Path("a 'quoted'\n; name: 100% \xff")
		return put(s.FS, p, newFile, 0o600, "x")
	},
	want: "R01",
}})
