package attack_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/tmpproof/tmpproof/attack"
	"golang.org/x/sys/unix"
)

// promiseTests are the oracles of Faults for a victim that reports success.
var promiseTests = []oracleTest{{
	// X05: success means what it says
	name: "an error of the write is swallowed",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(f *os.File) error { _ = writeNew(f); return nil })
	},
	opts: intoOut,
	want: "X05",
}, {
	name: "a write that was cut is taken for whole",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(f *os.File) error {
			_, err := unix.Write(int(f.Fd()), newContent)
			for err == unix.EINTR {
				_, err = unix.Write(int(f.Fd()), newContent)
			}
			return err
		})
	},
	opts: intoOut,
	want: "X05",
}, {
	name: "a write that was cut goes on",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(f *os.File) error {
			for rest := newContent; len(rest) > 0; {
				n, err := unix.Write(int(f.Fd()), rest)
				if err != nil {
					return err
				}
				rest = rest[n:]
			}
			return nil
		})
	},
	opts: intoOut,
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
		f, err := os.CreateTemp(s.Dir, "out-*")
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, os.Remove(f.Name()))
			}
		}()
		defer f.Close()
		if err := writeNew(f); err != nil {
			return err
		}
		return os.Rename(f.Name(), s.Path("out"))
	},
	opts: intoOut,
	want: "X05",
}, {
	name: "an error of the close means nothing after a sync",
	victim: func(s *attack.Scene) (err error) {
		f, err := os.CreateTemp(s.Dir, "out-*")
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, os.Remove(f.Name()))
			}
		}()
		defer f.Close()
		if err := errors.Join(writeNew(f), f.Sync()); err != nil {
			return err
		}
		return os.Rename(f.Name(), s.Path("out"))
	},
	opts: intoOut,
}, {
	name: "an error of the sync is swallowed",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(f *os.File) error { err := writeNew(f); _ = f.Sync(); return err })
	},
	opts: intoOut,
	want: "X05",
}, {
	name: "an error of the sync is returned",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(f *os.File) error { return errors.Join(writeNew(f), f.Sync()) })
	},
	opts: intoOut,
}, {
	name: "an error of the chmod is swallowed",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(f *os.File) error { _ = f.Chmod(0o640); return writeNew(f) })
	},
	opts: intoOut,
	want: "X05",
}, {
	name: "an error of the chmod is returned",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(f *os.File) error { return errors.Join(f.Chmod(0o640), writeNew(f)) })
	},
	opts: intoOut,
}, {
	name: "Ensure does not hold after success",
	victim: func(s *attack.Scene) error {
		_ = os.WriteFile(filepath.Join(s.Home, "state"), newContent, 0o600)
		_, _ = os.Stat(s.Path("out"))
		return nil
	},
	opts: []attack.Option{attack.Ensure(func(s *attack.Scene) error {
		b, err := os.ReadFile(filepath.Join(s.Home, "state"))
		if err == nil && !bytes.Equal(b, newContent) {
			err = errors.New("the state is not whole")
		}
		return err
	})},
	want: "X05",
}, {
	name: "what could not be made did not matter",
	victim: func(s *attack.Scene) error {
		_ = os.WriteFile(filepath.Join(s.Home, "cache"), newContent, 0o600)
		_, _ = os.Stat(s.Path("out"))
		return nil
	},
	opts: []attack.Option{attack.Ensure(func(s *attack.Scene) error { return nil })},
}}

// fromHome has a file at Home to read.
var fromHome = append(intoOut, attack.Setup(func(s *attack.Scene) error {
	return os.WriteFile(filepath.Join(s.Home, "in"), newContent, 0o600)
}))

// copyIn makes the target of what it reads at Home.
func copyIn(s *attack.Scene, all func(io.Reader) ([]byte, error)) error {
	in, err := os.Open(filepath.Join(s.Home, "in"))
	if err != nil {
		return err
	}
	defer in.Close()
	b, err := all(in)
	if err != nil {
		return err
	}
	return replaceOut(s, func(f *os.File) error { _, err := f.Write(b); return err })
}
