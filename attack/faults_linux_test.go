package attack_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/attack"
	"golang.org/x/sys/unix"
)

var (
	oldContent = []byte("the old content")
	newContent = []byte("the new content, which is longer")

	intoOut = []attack.Option{attack.Target("out")}
	// overOut begins with a target that is there already.
	overOut = append(intoOut, attack.Setup(func(s *attack.Scene) error {
		return os.WriteFile(s.Path("out"), oldContent, 0o600)
	}))
)

// replaceOut writes a new target beside the old one and renames it; between
// the two it does what a row of the tables is about.
func replaceOut(s *attack.Scene, work func(*os.File) error) (err error) {
	f, err := os.CreateTemp(s.Dir, "out-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(work(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), s.Path("out"))
}

func writeNew(f *os.File) error {
	_, err := f.Write(newContent)
	return err
}

// scratch makes a temporary file, works on it and removes it.
func scratch(s *attack.Scene, work func(*os.File) error) (err error) {
	f, err := os.CreateTemp(s.Dir, "work-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	return work(f)
}

// faultTests are the oracles of Faults, each with a victim that only it
// catches and the nearest safe one.
var faultTests = []oracleTest{{
	// R05: what was made is removed when a later call fails
	name: "the temporary file stays when the write fails",
	victim: func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "out-*")
		if err != nil {
			return err
		}
		if err := writeNew(f); err != nil {
			return errors.Join(err, f.Close())
		}
		if err := errors.Join(f.Close(), os.Rename(f.Name(), s.Path("out"))); err != nil {
			return errors.Join(err, os.Remove(f.Name()))
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
		dir, err := os.MkdirTemp(s.Dir, "work-*")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.Remove(dir)) }()
		p := filepath.Join(dir, "f")
		if err := write(p, excl, 0o600, "x"); err != nil {
			return err
		}
		return os.Remove(p)
	},
	want: "R05",
}, {
	name: "a directory is removed with what is in it",
	victim: func(s *attack.Scene) (err error) {
		dir, err := os.MkdirTemp(s.Dir, "work-*")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		return write(filepath.Join(dir, "f"), excl, 0o600, "x")
	},
}, {
	// R11: a removal that fails is reported
	name: "an error of the removal is swallowed",
	victim: func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "work-*")
		if err != nil {
			return err
		}
		defer os.Remove(f.Name())
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
		f, err := os.CreateTemp(s.Dir, "work-*")
		if err != nil {
			return err
		}
		held = append(held, f) // or its finalizer might close it
		defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
		if err := writeNew(f); err != nil {
			return err
		}
		return f.Close()
	},
	want: "R03",
}, {
	name: "the file is not closed at all",
	victim: func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "work-*")
		if err != nil {
			return err
		}
		held = append(held, f)
		return os.Remove(f.Name())
	},
	want: "R03",
}, {
	// X05: the target is the old one or the new one, whole
	name:   "the target is written in place",
	victim: func(s *attack.Scene) error { return os.WriteFile(s.Path("out"), newContent, 0o600) },
	opts:   overOut,
	want:   "X05",
}, {
	name:   "the target is replaced",
	victim: func(s *attack.Scene) error { return replaceOut(s, writeNew) },
	opts:   overOut,
}, {
	name: "the old target is removed first",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(f *os.File) error { return errors.Join(writeNew(f), os.Remove(s.Path("out"))) })
	},
	opts: overOut,
	want: "X05",
}, {
	name: "a new target stays half written",
	victim: func(s *attack.Scene) error {
		return write(s.Path("out"), excl, 0o600, string(newContent))
	},
	opts: intoOut,
	want: "X05",
}, {
	name: "a new target is removed when it cannot be written",
	victim: func(s *attack.Scene) error {
		err := write(s.Path("out"), excl, 0o600, string(newContent))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			err = errors.Join(err, remove(s.Path("out")))
		}
		return err
	},
	opts: intoOut,
	want: "X05", // when the removal fails as well: only a rename is whole
}, {
	name: "a directory is filled in place",
	victim: func(s *attack.Scene) error {
		if err := os.Mkdir(s.Path("app"), 0o700); err != nil {
			return err
		}
		return errors.Join(write(s.Path("app", "a"), excl, 0o600, "a"), write(s.Path("app", "b"), excl, 0o600, "b"))
	},
	opts: []attack.Option{attack.Target("app")},
	want: "X05",
}, {
	name: "a directory is filled, then renamed",
	victim: func(s *attack.Scene) (err error) {
		dir, err := os.MkdirTemp(s.Dir, "app-*")
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, os.RemoveAll(dir))
			}
		}()
		if err := errors.Join(write(filepath.Join(dir, "a"), excl, 0o600, "a"), write(filepath.Join(dir, "b"), excl, 0o600, "b")); err != nil {
			return err
		}
		return os.Rename(dir, s.Path("app"))
	},
	opts: []attack.Option{attack.Target("app")},
}, {
	// X01: nothing else is touched on the way out
	name: "a name that was not made leads the removal astray",
	victim: func(s *attack.Scene) error {
		dir, _ := os.MkdirTemp(s.Home, "work-*")
		return os.RemoveAll(filepath.Join(s.Home, strings.TrimPrefix(dir, s.Home)))
	},
	opts: precious,
	want: "X01",
}, {
	name: "a name that was not made is not removed",
	victim: func(s *attack.Scene) error {
		dir, err := os.MkdirTemp(s.Home, "work-*")
		if err != nil {
			return err
		}
		return os.RemoveAll(filepath.Join(s.Home, strings.TrimPrefix(dir, s.Home)))
	},
	opts: precious,
}, {
	// C13, C14: what is tried again, and how often
	name: "names are tried without end",
	victim: func(s *attack.Scene) error {
		return tries(s, func(_ int, err error) bool { return errors.Is(err, fs.ErrExist) })
	},
	opts: []attack.Option{attack.MaxCalls(2000)},
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
	victim: func(s *attack.Scene) error {
		return scratch(s, func(f *os.File) error {
			for writeNew(f) != nil {
			}
			return nil
		})
	},
	opts: []attack.Option{attack.MaxCalls(2000)},
	want: "X07",
}, {
	name: "it panics when a call fails",
	victim: func(s *attack.Scene) error {
		info, _ := os.Stat(s.Path())
		_ = info.Mode()
		return nil
	},
	want: "X07",
}, {
	name: "it ends the process when a call fails",
	victim: func(s *attack.Scene) error {
		if _, err := os.Stat(s.Path()); err != nil {
			os.Exit(1)
		}
		return nil
	},
	want: "X07",
}, {
	name: "it waits for what will not come",
	victim: func(s *attack.Scene) error {
		if _, err := os.Stat(s.Path()); err != nil {
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
		_, err := os.Stat(s.Path())
		return err
	},
}, {
	// R13: programs end with it
	name: "a program is left when a call fails",
	victim: func(s *attack.Scene) error {
		cmd := exec.Command("sleep", "60")
		if err := cmd.Start(); err != nil {
			return err
		}
		if _, err := os.Stat(s.Path()); err != nil {
			return err
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil
	},
	want: "R13",
}, {
	name: "a program is ended on each way out",
	victim: func(s *attack.Scene) error {
		cmd := exec.Command("sleep", "60")
		if err := cmd.Start(); err != nil {
			return err
		}
		_, err := os.Stat(s.Path())
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return err
	},
}, {
	// another way after an error is tried as well
	name: "without O_TMPFILE, the named file stays",
	victim: func(s *attack.Scene) error {
		return unnamed(s, func(f *os.File) error {
			if err := writeNew(f); err != nil {
				return errors.Join(err, f.Close())
			}
			return errors.Join(f.Close(), os.Remove(f.Name()))
		})
	},
	want: "R05",
}, {
	name: "without O_TMPFILE, the named file is removed",
	victim: func(s *attack.Scene) error {
		return unnamed(s, func(f *os.File) error {
			return errors.Join(writeNew(f), f.Close(), os.Remove(f.Name()))
		})
	},
}, {
	name: "sh: the file stays when the command fails",
	victim: func(s *attack.Scene) error {
		return exec.Command("/bin/sh", "-c", `set -e; f=$(mktemp); echo x > "$f"; rm "$f"`).Run()
	},
	want: "R05",
	slow: true,
}}

// precious has a file of importance beside what the victim works on.
var precious = []attack.Option{attack.Canary("precious"), attack.Setup(func(s *attack.Scene) error {
	return os.WriteFile(filepath.Join(s.Home, "precious"), oldContent, 0o600)
})}

var held []*os.File

func remove(name string) error {
	err := os.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// tries makes and removes a file under the first free name.
func tries(s *attack.Scene, again func(try int, err error) bool) error {
	for i := 0; ; i++ {
		f, err := os.OpenFile(s.Path(fmt.Sprintf("work-%016x", random())), excl, 0o600)
		if err == nil {
			return errors.Join(f.Close(), os.Remove(f.Name()))
		}
		if !again(i, err) {
			return err
		}
	}
}

// unnamed works on a file without a name, or on a named one where there is no
// such thing.
func unnamed(s *attack.Scene, named func(*os.File) error) error {
	fd, err := unix.Open(s.Dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	switch {
	case err == nil:
		f := os.NewFile(uintptr(fd), "unnamed")
		return errors.Join(writeNew(f), f.Close())
	case !errors.Is(err, errors.ErrUnsupported):
		return err
	}
	f, err := os.CreateTemp(s.Dir, "work-*")
	if err != nil {
		return err
	}
	return named(f)
}

// TestFaults: each victim is found to break exactly these rules.
func TestFaults(t *testing.T) {
	for _, tt := range slices.Concat(faultTests, promiseTests) {
		t.Run(tt.name, func(t *testing.T) {
			if tt.slow && testing.Short() {
				t.Skip("takes seconds: left out with -short")
			}
			tt.run(t, attack.Faults)
		})
	}
}
