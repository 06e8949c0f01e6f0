package attack_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

func write(path string, flag int, perm fs.FileMode, data string) error {
	f, err := os.OpenFile(path, flag, perm)
	if err != nil {
		return err
	}
	_, err = f.WriteString(data)
	return errors.Join(err, f.Close())
}

const excl = os.O_WRONLY | os.O_CREATE | os.O_EXCL

// temp makes a file as os.CreateTemp does, with content.
func temp(s *attack.Scene) (string, error) {
	f, err := os.CreateTemp(s.Dir, "work-*")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString("secret")
	return f.Name(), errors.Join(err, f.Close())
}

var oracleTests = []victimTest{{
	name: "check, then create",
	victim: func(s *attack.Scene) error {
		if _, err := os.Stat(s.Path("out")); err == nil {
			return errors.New("exists")
		}
		return os.WriteFile(s.Path("out"), []byte("defaults"), 0o600)
	},
	opts: []attack.Option{attack.Target("out")},
	want: "X01 X05 X07 X10",
}, {
	name: "check, then create exclusively",
	victim: func(s *attack.Scene) error {
		if _, err := os.Stat(s.Path("out")); err == nil {
			return errors.New("exists")
		}
		return write(s.Path("out"), excl, 0o600, "defaults")
	},
	opts: []attack.Option{attack.Target("out")},
}, {
	name: "a random name, then a plain create",
	victim: func(s *attack.Scene) error {
		p := s.Path(fmt.Sprintf("t%d", random()))
		if _, err := os.Lstat(p); err == nil {
			return errors.New("exists")
		}
		return errors.Join(write(p, os.O_WRONLY|os.O_CREATE, 0o600, "x"), os.Remove(p))
	},
	want: "C01 C10",
}, {
	name: "a random name, then an exclusive create",
	victim: func(s *attack.Scene) error {
		p := s.Path(fmt.Sprintf("t%d", random()))
		return errors.Join(write(p, excl, 0o600, "x"), os.Remove(p))
	},
}, {
	name: "CreateTemp and rename",
	victim: func(s *attack.Scene) error {
		tmp, err := temp(s)
		if err == nil {
			err = os.Rename(tmp, s.Path("out"))
		}
		if err != nil && tmp != "" {
			err = errors.Join(err, os.Remove(tmp))
		}
		return err
	},
	opts: []attack.Option{attack.Target("out")},
}, {
	name: "pid in the name",
	victim: func(s *attack.Scene) error {
		return os.WriteFile(s.Path(fmt.Sprintf("%d.tmp", os.Getpid())), []byte("x"), 0o600)
	},
	opts: []attack.Option{attack.Target("*.tmp")},
	want: "X01 X05 X07 X10",
}, {
	name: "a lock file",
	victim: func(s *attack.Scene) error {
		p := s.Path("app.lock")
		if err := write(p, excl, 0o600, ""); err != nil {
			return err
		}
		return os.Remove(p)
	},
}, {
	name: "a lock file, and nobody is told that it is held",
	victim: func(s *attack.Scene) error {
		p := s.Path("app.lock")
		err := write(p, excl, 0o600, "")
		if errors.Is(err, fs.ErrExist) {
			return nil // another one is at work
		}
		if err != nil {
			return err
		}
		return os.Remove(p)
	},
	want: "C06",
}, {
	name: "chmod by name, no sticky bit",
	victim: func(s *attack.Scene) error {
		tmp, err := temp(s)
		if err != nil {
			return err
		}
		return errors.Join(os.Chmod(tmp, 0o400), os.Remove(tmp))
	},
	opts: []attack.Option{attack.Unsticky()},
	want: "X01",
}, {
	name: "chmod by name under the sticky bit",
	victim: func(s *attack.Scene) error {
		tmp, err := temp(s)
		if err != nil {
			return err
		}
		return errors.Join(os.Chmod(tmp, 0o400), os.Remove(tmp))
	},
}, {
	name: "chmod by descriptor, no sticky bit",
	victim: func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "work-*")
		if err != nil {
			return err
		}
		return errors.Join(f.Chmod(0o400), f.Close(), os.Remove(f.Name()))
	},
	opts: []attack.Option{attack.Unsticky()},
}, {
	name: "reads what is there",
	victim: func(s *attack.Scene) error {
		_, err := os.ReadFile(s.Path("conf"))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	},
	want: "X02 X03 X07",
}, {
	name: "reads what is there and its own",
	victim: func(s *attack.Scene) error {
		f, err := os.OpenFile(s.Path("conf"), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		fi, err := f.Stat()
		if err != nil {
			return err
		}
		st := fi.Sys().(*syscall.Stat_t)
		if int(st.Uid) != os.Getuid() || !fi.Mode().IsRegular() || st.Nlink != 1 {
			return errors.New("not ours")
		}
		_, err = io.ReadAll(f)
		return err
	},
}, {
	name: "MkdirAll adopts",
	victim: func(s *attack.Scene) error {
		if err := os.MkdirAll(s.Path("cache"), 0o700); err != nil {
			return err
		}
		return os.WriteFile(s.Path("cache", "data"), []byte("secret"), 0o600)
	},
	opts: []attack.Option{attack.Target("cache")},
	want: "X01 X05 X06 X07 X10",
}, {
	name: "MkdirTemp does not",
	victim: func(s *attack.Scene) error {
		dir, err := os.MkdirTemp(s.Dir, "cache-*")
		if err != nil {
			return err
		}
		return errors.Join(os.WriteFile(filepath.Join(dir, "data"), []byte("secret"), 0o600), os.RemoveAll(dir))
	},
}, {
	name: "readable by others",
	victim: func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "work-*")
		if err != nil {
			return err
		}
		_, err = f.WriteString("secret")
		return errors.Join(err, f.Chmod(0o644), f.Close(), os.Remove(f.Name()))
	},
	want: "X04",
}, {
	name: "readable by others, then not",
	victim: func(s *attack.Scene) error {
		p := s.Path(fmt.Sprintf("t%d", random()))
		f, err := os.OpenFile(p, excl, 0o644)
		if err != nil {
			return err
		}
		err = f.Chmod(0o600)
		_, werr := f.WriteString("secret")
		return errors.Join(err, werr, f.Close(), os.Remove(p))
	},
	want: "X04",
}, {
	name: "a directory that others can list, empty",
	victim: func(s *attack.Scene) error {
		p := s.Path(fmt.Sprintf("t%d", random()))
		return errors.Join(os.Mkdir(p, 0o755), os.Remove(p))
	},
	want: "C03",
}, {
	name: "a file that others can read, in a private directory",
	victim: func(s *attack.Scene) error {
		dir, err := os.MkdirTemp(s.Dir, "d-*")
		if err != nil {
			return err
		}
		return errors.Join(os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o666), os.RemoveAll(dir))
	},
}, {
	name: "group-writable, other group",
	victim: func(s *attack.Scene) error {
		p := s.Path(fmt.Sprintf("t%d", random()))
		return errors.Join(write(p, excl, 0o660, "x"), os.Remove(p))
	},
	want: "C03",
}, {
	name: "group-writable, same group",
	victim: func(s *attack.Scene) error {
		p := s.Path(fmt.Sprintf("t%d", random()))
		return errors.Join(write(p, excl, 0o660, "x"), os.Remove(p))
	},
	opts: []attack.Option{attack.SameGroup()},
	want: "X04 X09",
}, {
	name: "leaves its file",
	victim: func(s *attack.Scene) error {
		_, err := temp(s)
		return err
	},
	want: "R01",
}, {
	name: "leaves its file when it cannot link it",
	victim: func(s *attack.Scene) error {
		tmp, err := temp(s)
		if err != nil {
			return err
		}
		if err := os.Link(tmp, s.Path("out")); err != nil {
			return err
		}
		return os.Remove(tmp)
	},
	opts: []attack.Option{attack.Target("out")},
	want: "X08",
}, {
	name: "removes its file when it cannot link it",
	victim: func(s *attack.Scene) error {
		tmp, err := temp(s)
		if err != nil {
			return err
		}
		return errors.Join(os.Link(tmp, s.Path("out")), os.Remove(tmp))
	},
	opts: []attack.Option{attack.Target("out")},
}, {
	name: "leaves its file when its input is bad",
	victim: func(s *attack.Scene) error {
		tmp, err := temp(s)
		if err != nil {
			return err
		}
		if b, err := os.ReadFile(s.Path("upload")); err != nil || string(b) != "good" {
			return errors.New("bad input")
		}
		return os.Remove(tmp)
	},
	opts: []attack.Option{attack.Moves(attack.Hardlink), attack.Hostile("upload"), attack.Setup(badUpload)},
	want: "R05",
}, {
	name: "removes its file when its input is bad",
	victim: func(s *attack.Scene) error {
		tmp, err := temp(s)
		if err != nil {
			return err
		}
		defer os.Remove(tmp)
		if b, err := os.ReadFile(s.Path("upload")); err != nil || string(b) != "good" {
			return errors.New("bad input")
		}
		return nil
	},
	opts: []attack.Option{attack.Moves(attack.Hardlink), attack.Hostile("upload"), attack.Setup(badUpload)},
}, {
	name: "tries the same name again without end",
	victim: func(s *attack.Scene) error {
		for {
			err := write(s.Path("app.lock"), excl, 0o600, "")
			if err == nil {
				return os.Remove(s.Path("app.lock"))
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
			err := write(s.Path("app.lock"), excl, 0o600, "")
			if err == nil {
				return os.Remove(s.Path("app.lock"))
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
	victim: lookThenRemove,
	want:   "X01",
}, {
	name:   "the same at depth one",
	victim: lookThenRemove,
	opts:   []attack.Option{attack.Depth(1)},
}, {
	name: "looks, then removes through os.Root",
	victim: func(s *attack.Scene) error {
		root, err := os.OpenRoot(s.Dir)
		if err != nil {
			return err
		}
		defer root.Close()
		err = root.Remove("cache/kept")
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	},
}, {
	name: "extracts a hostile tree through its links",
	victim: func(s *attack.Scene) error {
		return os.WriteFile(s.Path("up", "sub", "f"), []byte("x"), 0o600)
	},
	opts: []attack.Option{attack.Hostile("up"), attack.Setup(func(s *attack.Scene) error {
		return errors.Join(os.Mkdir(s.Path("up"), 0o777), os.Mkdir(filepath.Join(s.Home, "keys"), 0o700),
			os.Symlink(filepath.Join(s.Home, "keys"), s.Path("up", "sub")))
	}), attack.Canary("keys")},
	want: "X01 X06 X07 X10",
}, {
	name: "extracts a hostile tree inside a root",
	victim: func(s *attack.Scene) error {
		root, err := os.OpenRoot(s.Home)
		if err != nil {
			return err
		}
		defer root.Close()
		if _, err := os.Lstat(s.Path("up", "sub")); err != nil {
			return err
		}
		f, err := root.OpenFile("f", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		return f.Close()
	},
	opts: []attack.Option{attack.Hostile("up"), attack.Setup(func(s *attack.Scene) error {
		return errors.Join(os.Mkdir(s.Path("up"), 0o777), os.Mkdir(filepath.Join(s.Home, "keys"), 0o700),
			os.Symlink(filepath.Join(s.Home, "keys"), s.Path("up", "sub")))
	}), attack.Canary("keys")},
}, {
	name: "does not keep its promise",
	victim: func(s *attack.Scene) error {
		err := write(s.Path("out"), excl, 0o600, "x")
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	},
	opts: []attack.Option{attack.Target("out"), attack.Ensure(func(s *attack.Scene) error {
		b, err := os.ReadFile(s.Path("out"))
		if err == nil && string(b) != "x" {
			err = fmt.Errorf("out has %q", b)
		}
		return err
	}), attack.Moves(attack.File)},
	want: "X05",
}, {
	name: "a process that outlives it",
	victim: func(s *attack.Scene) error {
		return exec.Command("sh", "-c", "sleep 60 & : > "+s.Dir+"/../home/x").Run()
	},
	want: "R13",
}, {
	name: "a process that does not",
	victim: func(s *attack.Scene) error {
		return exec.Command("sh", "-c", "sleep 0 & wait; : > "+s.Dir+"/../home/x").Run()
	},
}, {
	name: "panics under attack",
	victim: func(s *attack.Scene) error {
		if _, err := os.Lstat(s.Path("x")); err == nil {
			panic("unexpected")
		}
		return nil
	},
	want: "X07",
}}

// lookThenRemove is broken by no single move: the first passes the look, the
// second leads the removal elsewhere.
func lookThenRemove(s *attack.Scene) error {
	fi, err := os.Lstat(s.Path("cache"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !fi.IsDir() {
		return errors.New("not a directory")
	}
	err = os.Remove(s.Path("cache", "kept"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

func badUpload(s *attack.Scene) error {
	return os.WriteFile(s.Path("upload"), []byte("bad"), 0o644)
}

func random() uint64 {
	var b [8]byte
	if _, err := unix.Getrandom(b[:], 0); err != nil {
		panic(err)
	}
	n := uint64(0)
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

func ruleIDs(r *attack.Report) string {
	var ids []string
	for _, f := range r.Findings {
		ids = append(ids, f.Rule.ID())
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), " ")
}

// envShow makes the tests print the findings that they expect, so that the
// texts of two machines can be compared.
const envShow = "TMPPROOF_TEST_SHOW"

func show(t *testing.T, r *attack.Report) {
	t.Helper()
	if t.Failed() || os.Getenv(envShow) != "" {
		for _, f := range r.Findings {
			t.Log(f)
		}
	}
}

func TestOracles(t *testing.T) {
	for _, tt := range attack.RaceSample(oracleTests) {
		t.Run(tt.name, func(t *testing.T) {
			if tt.slow && !attack.Long {
				t.Skip("takes seconds: run with TMPPROOF_LONG=1")
			}
			t.Parallel()
			tt.run(t, attack.Prove)
		})
	}
}
