package attack_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

var (
	dirs    = attack.Moves(attack.Dir)
	sockets = attack.Moves(attack.Socket)
	tampers = attack.Moves(attack.Tamper)
	// uploaded is a directory of the attacker's with a file and a directory.
	uploaded = attack.Setup(func(s *attack.Scene) error {
		return errors.Join(os.Mkdir(s.Path("up"), 0o777), os.WriteFile(s.Path("up", "f"), []byte("given"), 0o666), os.Mkdir(s.Path("up", "d"), 0o777))
	})
)

// keepingTime gives a file the time back that it had before f.
func keepingTime(f func(path string) error) func(path string) error {
	return func(p string) error {
		fi, err := os.Stat(p)
		if err != nil {
			return err
		}
		return errors.Join(f(p), os.Chtimes(p, fi.ModTime(), fi.ModTime()))
	}
}

// besides does it in a goroutine, so that how far it comes is chance.
func besides(f func(path string) error) func(path string) error {
	return func(p string) error { return together(func() error { return f(p) }) }
}

func appendTo(p string) error { return write(p, os.O_WRONLY|os.O_APPEND, 0, "more") }

func listNames(p string) error {
	_, err := os.ReadDir(p)
	return err
}

func readAll(p string) error {
	_, err := os.ReadFile(p)
	return err
}

// failing reports that there was something to do it to.
func failing(f func(path string) error) func(path string) error {
	return func(p string) error {
		if err := f(p); err != nil {
			return err
		}
		return errors.New("this is not ours")
	}
}

// plantTests are about what becomes of canaries and of the attacker's entries.
var plantTests = []conditionTest{
	// Canaries.
	{"grows, and keeps its time", on(keepingTime(appendTo)), with(linked, attack.Depth(1)), []string{"X01 vault/dir: its times were set", "X01 its size went from", "X10 were written to the attacker's file"}},
	{"grows, and keeps its time, in a goroutine", on(besides(keepingTime(appendTo))), with(linked), []string{"X01 vault/dir: its times were set", "X01 its content was changed", "X10 were written"}},
	{"is written with its size kept, in a goroutine", on(besides(func(p string) error { return write(p, os.O_WRONLY, 0, "y") })), with(linked), []string{"X01 vault/file: its content was changed", "X10 were written"}},
	{"loses an entry, in a goroutine", on(besides(func(p string) error { return orMissing(notDir(os.Remove(p + "/kept"))) })), with(linked), []string{`X01 vault/dir: "kept" disappeared from it`}},
	{"gets an entry", on(func(p string) error {
		f, err := os.OpenFile(p, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		return errors.Join(f.Close(), os.Remove(p))
	}), with(linked), []string{`X01 vault: "absent" appeared in it`}},
	{"gets the owner that it has", on(func(p string) error {
		var st unix.Stat_t
		if err := unix.Stat(p, &st); err != nil {
			return err
		}
		return os.Chown(p, int(st.Uid), int(st.Gid))
	}), with(linked, attack.Depth(1)), []string{"X01 its owner changed"}},
	{"gets the mode that it has", on(func(p string) error {
		fi, err := os.Stat(p)
		if err != nil {
			return err
		}
		return os.Chmod(p, fi.Mode())
	}), with(linked, attack.Depth(1)), []string{"X01 vault/file: its attributes were set, to the values that they had"}},
	{"a FIFO gets times, in a goroutine", func(s *attack.Scene) error {
		return together(func() error {
			if !there(s, "marker") {
				return nil
			}
			return os.Chtimes(filepath.Join(s.Home, "pipe"), time.Unix(7, 0), time.Unix(7, 0))
		})
	}, with(marked, attack.Canary("pipe"), attack.Setup(func(s *attack.Scene) error { return unix.Mkfifo(filepath.Join(s.Home, "pipe"), 0o600) })),
		[]string{"X01 home/pipe: its attributes were set, to the values that they had"}},
	{"is read, in a goroutine", on(besides(readAll)), with(linked), []string{"X02 vault/file was read", "X03 the attacker's content was read"}},
	{"is there no longer alone", func(s *attack.Scene) error {
		there(s, "marker")
		return os.WriteFile(filepath.Join(s.Dir, "..", "stray"), nil, 0o600)
	}, with(marked), []string{`X01 .: "stray" appeared in it`}},
	{"is read, and then looked at", func(s *attack.Scene) error {
		p := filepath.Join(s.Home, "key")
		if err := readAll(p); err != nil {
			return err
		}
		_, err := os.Lstat(p)
		there(s, "marker")
		return err
	}, with(marked, attack.Canary("key"), attack.Setup(func(s *attack.Scene) error {
		return os.WriteFile(filepath.Join(s.Home, "key"), []byte("secret"), 0o600)
	})), []string{"X02 home/key was read"}},
	{"a directory in Home is let be", func(s *attack.Scene) error {
		there(s, "marker")
		return nil
	}, with(marked, attack.Canary("keys"), attack.Setup(func(s *attack.Scene) error {
		return errors.Join(os.Mkdir(filepath.Join(s.Home, "keys"), 0o700), os.WriteFile(filepath.Join(s.Home, "keys", "key"), nil, 0o600))
	})), nil},

	// The attacker's files.
	{"is read", on(readAll), with(marked), []string{"X03 the attacker's content was read, and"}},
	{"is read, and then removed", on(func(p string) error { return errors.Join(readAll(p), os.Remove(p)) }), with(marked), []string{"X03 the attacker's content was read before unlinkat took it away"}},
	{"gets times, and is removed", on(func(p string) error {
		return errors.Join(os.Chtimes(p, time.Unix(7, 0), time.Unix(7, 0)), os.Remove(p))
	}), with(marked), nil},
	{"is read, and then replaced", func(s *attack.Scene) error {
		tmp := filepath.Join(s.Home, "tmp")
		return errors.Join(orMissing(readAll(s.Path("out"))), write(tmp, excl, 0o600, "x"), os.Rename(tmp, s.Path("out")))
	}, with(marked, target), []string{"X03 took it away"}},
	{"is read, and then refused", on(failing(readAll)), with(marked), nil},
	{"is opened, and not read", on(func(p string) error { return openAndClose(p, os.O_RDONLY) }), with(marked), nil},
	{"is cut", on(func(p string) error { return os.Truncate(p, 5) }), with(marked), nil},
	{"is lengthened", on(func(p string) error { return os.Truncate(p, 100) }), with(marked), nil},
	{"is emptied, then lengthened", on(func(p string) error { return errors.Join(os.Truncate(p, 0), os.Truncate(p, 50)) }), with(marked), nil},
	{"gets times, the attacker's", on(func(p string) error { return os.Chtimes(p, time.Unix(7, 0), time.Unix(7, 0)) }), with(marked), nil},
	{"is taken into Home", takeHome(nil), with(marked), []string{"X03 the attacker's file was put at home/x"}},
	{"is taken into Home, and then refused", takeHome(errors.New("this is not ours")), with(marked), nil},

	// The attacker's directories.
	{"is listed, the attacker's", on(listNames), with(dirs), []string{"X03 the attacker's directory was listed"}},
	{"is listed, and then refused", on(failing(listNames)), with(dirs), nil},
	{"is listed, to remove it", on(func(p string) error { return errors.Join(listNames(p), os.Remove(p)) }), with(dirs), nil},
	{"is listed under another name", on(func(p string) error { return errors.Join(os.Rename(p, p+".old"), listNames(p+".old")) }), with(dirs), []string{"X03 the attacker's directory was listed"}},
	{"is listed where nobody else can put one", func(s *attack.Scene) error {
		d, err := os.MkdirTemp(s.Dir, "d-")
		if err != nil {
			return err
		}
		if os.Rename(s.Path("x"), filepath.Join(d, "x")) == nil {
			err = listNames(filepath.Join(d, "x")) // and it stays
		} else {
			err = os.Remove(d)
		}
		return err
	}, with(dirs, attack.Allow(rules.X08, "it is kept")), []string{"X03 the attacker's directory was listed"}},
	{"is moved into another one of the attacker's", func(s *attack.Scene) error {
		there(s, "x")
		return notDir(orMissing(os.Rename(s.Path("x"), s.Path("y", "x"))))
	}, with(attack.Moves(attack.Dir, attack.File), attack.Unrelated()), nil},
	{"is listed, to remove it under another name", on(func(p string) error {
		return errors.Join(listNames(p), orMissing(os.Rename(p, p+".old")), os.RemoveAll(p+".old"))
	}), with(dirs, attack.Depth(1)), nil},
	{"is opened, and gets times", on(func(p string) error {
		return errors.Join(openAndClose(p, os.O_RDONLY), os.Chtimes(p, time.Unix(7, 0), time.Unix(7, 0)))
	}), with(dirs), nil},
	{"is opened, and gets times by its descriptor", on(func(p string) error {
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		return unix.UtimesNanoAt(int(f.Fd()), "", []unix.Timespec{{Sec: 7}, {Sec: 7}}, unix.AT_EMPTY_PATH)
	}), with(dirs), nil},

	// What is the attacker's to begin with.
	{"hostile, is written", func(s *attack.Scene) error { return appendTo(s.Path("up", "f")) }, with(hostile, uploaded, sockets), nil},
	{"hostile, is read", func(s *attack.Scene) error { return readAll(s.Path("up", "f")) }, with(hostile, uploaded, marked), nil},
	{"hostile, is read, and then removed", func(s *attack.Scene) error {
		return errors.Join(readAll(s.Path("up", "f")), os.Remove(s.Path("up", "f")))
	}, with(hostile, uploaded, marked), nil},
	{"hostile, is moved, read, and then removed", func(s *attack.Scene) error {
		p := s.Path(randomName("f"))
		return errors.Join(os.Rename(s.Path("up", "f"), p), readAll(p), os.Remove(p))
	}, with(hostile, uploaded, sockets), nil},
	{"hostile, is listed", func(s *attack.Scene) error { return listNames(s.Path("up", "d")) }, with(hostile, uploaded, dirs), nil},
	{"hostile, is moved and then read", func(s *attack.Scene) error {
		return errors.Join(os.Rename(s.Path("up"), s.Path("in")), readAll(s.Path("in", "f")))
	}, with(hostile, uploaded, marked, attack.Target("in")), nil},
	{"hostile, is found where a directory is made", func(s *attack.Scene) error {
		there(s, "marker")
		if err := os.Mkdir(s.Path("up"), 0o700); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	}, with(hostile, uploaded, marked, attack.Depth(1)), nil},
	{"hostile, is opened as if it were to be made", func(s *attack.Scene) error {
		return openAndClose(s.Path("up", "f"), os.O_WRONLY|os.O_CREATE)
	}, with(hostile, uploaded, sockets), nil},
	{"hostile, gets a file", func(s *attack.Scene) error { return write(s.Path("up", randomName("f")), excl, 0o600, "x") }, with(hostile, uploaded, sockets), nil},

	// What the attacker writes into a file of the victim's.
	{"others change it, and it is neither read nor removed", func(s *attack.Scene) error {
		p := s.Path(randomName("f"))
		return errors.Join(write(p, excl, 0o666, "x"), os.Chmod(p, 0o666))
	}, with(tampers, attack.Target("f*")), []string{"X04 could be read by others", "X05 is not what an undisturbed run leaves", "X09 could be changed by others"}},
	{"others change it, and it is read, refused and left", func(s *attack.Scene) error {
		p := s.Path(randomName("f"))
		if err := write(p, excl, 0o666, "x"); err != nil {
			return err
		}
		b, err := os.ReadFile(p)
		if err == nil && string(b) != "x" {
			err = errors.New("somebody has changed it")
		}
		return err
	}, with(tampers, attack.Target("f*")), []string{"X04 could be read by others", "X09 could be changed by others"}},
	{"others change it where all is hostile", func(s *attack.Scene) error {
		p := s.Path("up", randomName("f"))
		return errors.Join(write(p, excl, 0o666, "x"), readAll(p))
	}, with(hostile, uploaded, tampers), []string{"X04 could be read by others", "X09 could be changed by others"}},
	{"others change it when it is empty", func(s *attack.Scene) error {
		p := s.Path(randomName("f"))
		err := write(p, excl, 0o606, "")
		there(s, filepath.Base(p))
		return errors.Join(err, os.Remove(p))
	}, with(tampers), []string{"C03 has mode 0606"}},
}

// takeHome moves what is at x into the private directory.
func takeHome(then error) attack.Victim {
	return func(s *attack.Scene) error {
		err := os.Rename(s.Path("x"), filepath.Join(s.Home, "x"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return errors.Join(err, then)
	}
}

// randomName cannot be foretold.
func randomName(prefix string) string {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	var b strings.Builder
	b.WriteString(prefix)
	for n := random(); n > 0; n /= 26 {
		b.WriteByte(letters[n%26])
	}
	return b.String()
}
