package attack_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

// conditionTest holds one condition of the oracles: without it the findings
// are others. The table in testdata/mutants.md says which row holds which.
type conditionTest struct {
	name   string
	victim attack.Victim
	opts   []attack.Option
	want   []string // "rule detail": a part of the detail, of each finding, in order
}

func orMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// notDir takes what is no directory for nothing.
func notDir(err error) error {
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENXIO) {
		return nil
	}
	return err
}

// there says that the attacker has put something at a name.
func there(s *attack.Scene, name string) bool {
	_, err := os.Lstat(s.Path(name))
	return err == nil
}

// on is a victim that does something to the entry x, which is there only when
// the attacker has put it there.
func on(f func(path string) error) attack.Victim {
	return func(s *attack.Scene) error { return orMissing(f(s.Path("x"))) }
}

// out writes what stays, as long as nobody is in the way.
func out(s *attack.Scene, text string) error { return write(s.Path("out"), excl, 0o600, text) }

func with(opts ...attack.Option) []attack.Option { return opts }

var (
	linked  = attack.Moves(attack.Symlink)
	marked  = attack.Moves(attack.File)
	target  = attack.Target("out")
	lock    = attack.Allow(rules.C06, "a lock's name is known")
	hostile = attack.Hostile("up")
	homeKey = attack.Setup(func(s *attack.Scene) error { return os.WriteFile(filepath.Join(s.Home, "key"), nil, 0o600) })
	upDir   = attack.Setup(func(s *attack.Scene) error { return os.Mkdir(s.Path("up"), 0o777) })
)

var conditionTests = []conditionTest{
	// What is said of a canary.
	{"grows", on(func(p string) error { return write(p, os.O_WRONLY|os.O_APPEND, 0, "more") }), with(linked), []string{"X01 its size went from", "X10 were written to the attacker's file"}},
	{"is written with its size kept", on(func(p string) error { return write(p, os.O_WRONLY, 0, "y") }), with(linked), []string{"X01 its content or times were changed", "X10 were written"}},
	{"gets another mode", on(func(p string) error { return os.Chmod(p, 0o711) }), with(linked), []string{"X01 its mode went from 0604 to 0711"}},
	{"gets an owner", on(func(p string) error { return os.Chown(p, os.Getuid(), os.Getgid()) }), with(linked), []string{"X01 its owner changed"}},
	{"gets times", on(func(p string) error { return os.Chtimes(p, time.Unix(7, 0), time.Unix(7, 0)) }), with(linked), []string{"X01 its content or times were changed"}},
	{"gets times, a directory", on(func(p string) error { return notDir(os.Chtimes(p+"/.", time.Unix(7, 0), time.Unix(7, 0))) }), with(linked), []string{"X01 its entries or times were changed"}},
	{"is removed", lookThenRemove, with(attack.Moves(attack.Symlink, attack.Dir)), []string{"X01 disappeared from it"}},
	{"is listed", on(func(p string) error { _, err := os.ReadDir(p); return err }), with(linked), []string{"X02 was listed"}},
	{"is replaced", func(s *attack.Scene) error {
		if !there(s, "marker") {
			return nil
		}
		tmp := filepath.Join(s.Home, "new")
		return errors.Join(os.WriteFile(tmp, nil, 0o600), os.Rename(tmp, filepath.Join(s.Home, "key")))
	}, with(marked, attack.Canary("key"), homeKey), []string{"X01 home/key: was replaced by another file"}},
	{"is removed from Home", func(s *attack.Scene) error {
		if !there(s, "marker") {
			return nil
		}
		return os.Remove(filepath.Join(s.Home, "key"))
	}, with(marked, attack.Canary("key"), homeKey), []string{"X01 home/key: was removed"}},

	// Directories of the attacker's.
	{"a directory that is adopted, and then refused", func(s *attack.Scene) error {
		if err := os.MkdirAll(s.Path("cache"), 0o700); err != nil {
			return err
		}
		fi, err := os.Lstat(s.Path("cache"))
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(s.Path("cache"), &st); err != nil || int(st.Uid) != os.Getuid() || !fi.IsDir() {
			return errors.New("not ours")
		}
		return os.Remove(s.Path("cache"))
	}, with(lock), nil},
	{"the same, looked at as what it has below it", func(s *attack.Scene) error {
		if err := os.MkdirAll(s.Path("cache"), 0o700); err != nil {
			return err
		}
		if fi, err := os.Lstat(s.Path("cache") + "/."); err != nil || !uid(fi) {
			return errors.Join(err, errors.New("not ours"))
		}
		return nil
	}, with(lock, attack.Target("cache"), attack.Moves(attack.Dir)), nil},
	{"a directory that is let be", func(s *attack.Scene) error {
		if there(s, "cache") {
			return nil
		}
		return errors.Join(os.Mkdir(s.Path("cache"), 0o700), os.Remove(s.Path("cache")))
	}, with(lock), nil},
	{"a file where a directory is made", func(s *attack.Scene) error {
		if err := os.Mkdir(s.Path("cache"), 0o700); err != nil {
			return nil
		}
		return os.Remove(s.Path("cache"))
	}, with(lock, marked), nil},

	// Targets.
	{"a target that is not there", func(s *attack.Scene) error {
		if there(s, "marker") {
			return write(s.Path("log"), excl, 0o600, "same")
		}
		return errors.Join(out(s, "same"), write(s.Path("log"), excl, 0o600, "same"))
	}, with(target, attack.Target("log"), marked, attack.Depth(1)), []string{"X05 is not there"}},
	{"a target of other content", func(s *attack.Scene) error {
		if there(s, "marker") {
			return out(s, strings.Repeat("x", 50))
		}
		return out(s, "right")
	}, with(target, marked, attack.Depth(1)), []string{"X05 50 bytes, \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"..."}},
	{"a target of another kind", func(s *attack.Scene) error {
		if there(s, "marker") {
			return os.Mkdir(s.Path("out"), 0o700)
		}
		return out(s, "")
	}, with(target, marked, attack.Depth(1)), []string{"X05 a directory"}},
	{"a target that is never the same", func(s *attack.Scene) error {
		there(s, "marker")
		return out(s, fmt.Sprint(random()))
	}, with(target, marked, attack.Depth(1)), nil},
	{"a target that is never the same, the attacker's", func(s *attack.Scene) error {
		if there(s, "out") {
			return nil
		}
		return out(s, fmt.Sprint(random()))
	}, with(target, marked), []string{"X05 is the attacker's file"}},
	{"a target that is never the same, another user's", func(s *attack.Scene) error {
		if there(s, "out") {
			return nil
		}
		return out(s, fmt.Sprint(random()))
	}, with(target, attack.Moves(attack.Hardlink)), []string{"X05 is another user's file"}},
	{"a target that is the attacker's to begin with", func(s *attack.Scene) error {
		there(s, "marker")
		return nil
	}, with(attack.Target("up"), hostile, upDir, marked, attack.Depth(1)), nil},
	{"a target under another name", func(s *attack.Scene) error {
		for _, name := range []string{"out-1", "out-2", "out-3"} {
			if err := write(s.Path(name), excl, 0o600, "x"); !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
		return errors.New("all names are taken")
	}, with(attack.Target("out-*"), marked), nil},
	{"a target in a directory of its own", func(s *attack.Scene) error {
		if err := os.Mkdir(s.Path("d"), 0o700); err != nil {
			return err
		}
		return os.WriteFile(s.Path("d", "out"), nil, 0o600)
	}, with(attack.Target("d/out"), lock, marked), nil},
	{"a file where a target's directory should be", func(s *attack.Scene) error {
		return write(s.Path("d"), excl, 0o600, "x")
	}, with(attack.Target("d/out"), lock, marked), []string{"R01 left shared/d (file"}},

	// What stays.
	{"what Setup made stays", func(s *attack.Scene) error {
		there(s, "marker")
		return nil
	}, with(attack.Setup(func(s *attack.Scene) error { return os.WriteFile(s.Path("given"), nil, 0o600) }), marked), nil},
	{"a tree that stays", func(s *attack.Scene) error {
		dir, err := os.MkdirTemp(s.Dir, "tree-")
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "f"), nil, 0o600)
	}, nil, []string{"R01 the code returned nil and left shared/tree-* (directory"}},
	{"stays each time, under attack too", func(s *attack.Scene) error {
		there(s, "marker")
		_, err := temp(s)
		return err
	}, with(marked), []string{"R01 left"}},
	{"stays, with success, under attack only", func(s *attack.Scene) error {
		tmp, err := temp(s)
		if err != nil || there(s, "marker") {
			return err
		}
		return os.Remove(tmp)
	}, with(marked), []string{"X08 the code returned nil and left"}},
	// Names outside of the scene.
	{"a change by way of /proc/self/fd", func(s *attack.Scene) error {
		f, err := os.OpenFile(s.Path("up", "f"), unix.O_PATH|unix.O_NOFOLLOW, 0)
		if err != nil {
			return orMissing(err)
		}
		defer f.Close()
		if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
			return err
		}
		return os.Chmod(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), 0o600)
	}, with(hostile, upDir, marked), nil},

	// Access that others have.
	{"others' access, in a directory of its own", func(s *attack.Scene) error {
		dir, err := os.MkdirTemp(s.Dir, "d-")
		if err != nil {
			return err
		}
		return errors.Join(write(filepath.Join(dir, "f"), excl, 0o644, "x"), os.RemoveAll(dir))
	}, nil, nil},
	{"a symbolic link has no mode", func(s *attack.Scene) error {
		p := s.Path(fmt.Sprint("l", random()))
		return errors.Join(os.Symlink("nowhere", p), os.Remove(p))
	}, nil, nil},
	{"others' access to what Setup made", func(s *attack.Scene) error {
		return os.Chmod(s.Path("given"), 0o644)
	}, with(attack.Setup(func(s *attack.Scene) error { return os.WriteFile(s.Path("given"), nil, 0o644) })), nil},
	{"others may list it only", func(s *attack.Scene) error {
		p := s.Path(fmt.Sprint("d", random()))
		return errors.Join(os.Mkdir(p, 0o711), write(filepath.Join(p, "f"), excl, 0o600, "x"), os.RemoveAll(p))
	}, nil, []string{"C03 has mode 0711"}},
	{"others may run it only", func(s *attack.Scene) error {
		p := s.Path(fmt.Sprint("f", random()))
		return errors.Join(write(p, excl, 0o611, "x"), os.Remove(p))
	}, nil, []string{"C03 has mode 0611"}},
	{"others could read it when it was empty", func(s *attack.Scene) error {
		p := s.Path(fmt.Sprint("f", random()))
		return errors.Join(write(p, excl, 0o604, ""), os.Remove(p))
	}, nil, []string{"C03 has mode 0604"}},
	{"others may change it", func(s *attack.Scene) error {
		p := s.Path(fmt.Sprint("f", random()))
		return errors.Join(write(p, excl, 0o602, "x"), os.Remove(p))
	}, nil, []string{"X09 could be changed by others"}},
	{"others may change it, and it looks", func(s *attack.Scene) error { return sharedFile(s, true, true) }, with(attack.Moves(attack.Tamper)), []string{"X04 could be read by others", "X09 could be changed by others"}},
	{"others may change it, and it does not look", func(s *attack.Scene) error { return sharedFile(s, true, false) }, with(attack.Moves(attack.Tamper), attack.Target("f*")),
		[]string{"X03 that the attacker wrote into", "X04 could be read by others", "X05 is not what an undisturbed run leaves", "X09 could be changed by others"}},
	{"others may change it, and it is not read", func(s *attack.Scene) error { return sharedFile(s, false, false) }, with(attack.Moves(attack.Tamper)), []string{"X04 could be read by others", "X09 could be changed by others"}},
	{"made exclusively among what others made", func(s *attack.Scene) error {
		p := s.Path(fmt.Sprint("f", random()))
		return errors.Join(write(p, excl, 0o600, "x"), write(p, os.O_WRONLY|os.O_CREATE, 0o600, "y"), os.Remove(p))
	}, nil, nil},
	{"found absent, then made in a private directory", func(s *attack.Scene) error {
		p := filepath.Join(s.Home, "f")
		if _, err := os.Lstat(p); err == nil {
			return fs.ErrExist
		}
		there(s, "marker")
		return os.WriteFile(p, nil, 0o600)
	}, with(marked), nil},
}

// sharedFile makes a file that all may write, and reads it again. Who does not
// look at what it reads leaves it there.
func sharedFile(s *attack.Scene, reads, looks bool) error {
	p := s.Path(fmt.Sprint("f", random()))
	if err := write(p, excl, 0o666, "x"); err != nil {
		return err
	}
	if !reads || looks {
		defer os.Remove(p)
	}
	if !reads {
		return os.Chmod(p, 0o666)
	}
	b, err := os.ReadFile(p)
	if err == nil && looks && string(b) != "x" {
		err = errors.New("somebody has changed it")
	}
	return err
}

func TestConditions(t *testing.T) {
	for _, tt := range attack.ShortSample(allConditionTests()) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := attack.Prove(t, tt.victim, append(tt.opts[:len(tt.opts):len(tt.opts)], attack.ReportOnly())...)
			require.True(t, r.Complete)
			var got []string
			for _, f := range r.Findings {
				got = append(got, f.Rule.ID()+" "+f.Detail)
			}
			if !assert.Len(t, got, len(tt.want), "%q", got) {
				return
			}
			for i, want := range tt.want {
				rule, detail, _ := strings.Cut(want, " ")
				assert.Equal(t, rule, r.Findings[i].Rule.ID())
				assert.Contains(t, r.Findings[i].Detail, detail)
			}
		})
	}
}
