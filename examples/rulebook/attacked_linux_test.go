package rulebook

import (
	"crypto/rand"
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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/sample"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// attacked is a rule with a program that breaks it under attack, and its twin.
type attacked struct {
	rule          rules.Rule
	as            rules.Rule // the finding that it shows as, where it is not named itself
	name          string     // what is wrong
	broken, sound attack.Victim
	opts          []attack.Option
	faults        bool // calls fail, in place of moves
}

// attack is the verb of a row.
func (row attacked) attack(t *testing.T, victim attack.Victim) *attack.Report {
	verb := attack.Prove
	if row.faults {
		verb = attack.Faults
	}
	return verb(t, victim, append(slices.Clone(row.opts), attack.ReportOnly())...)
}

const (
	plain = os.O_WRONLY | os.O_CREATE
	excl  = plain | os.O_EXCL
)

// somewhere is a name that nobody can foretell.
func somewhere(s *attack.Scene) string { return s.Path(rand.Text()) }

// put writes a file.
func put(path string, flag int, perm fs.FileMode) error {
	f, err := os.OpenFile(path, flag, perm)
	if err != nil {
		return err
	}
	_, err = f.WriteString("secret")
	return errors.Join(err, f.Close())
}

// putAndRemove writes a file of a random name, and removes it.
func putAndRemove(flag int, perm fs.FileMode) attack.Victim {
	return func(s *attack.Scene) error {
		p := somewhere(s)
		return errors.Join(put(p, flag, perm), os.Remove(p))
	}
}

// create writes a file of a known name.
func create(flag int) attack.Victim {
	return func(s *attack.Scene) error { return put(s.Path("out"), flag, 0o600) }
}

// temp is a file of os.CreateTemp, used and removed.
func temp(use func(*os.File) error) attack.Victim {
	return func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "work-*")
		if err != nil {
			return err
		}
		_, err = f.WriteString("secret")
		err = errors.Join(err, use(f))
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
}

var safe = temp(func(*os.File) error { return nil })

// read reads a file of a known name, if there is one.
func read(flag int, check func(*os.File) error) attack.Victim {
	return func(s *attack.Scene) error {
		f, err := os.OpenFile(s.Path("conf"), flag, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		if err := check(f); err != nil {
			return err
		}
		_, err = io.ReadAll(f)
		return err
	}
}

func anything(*os.File) error { return nil }

// ours refuses a file that is not one of our own with one name.
func ours(f *os.File) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	st := fi.Sys().(*syscall.Stat_t)
	if int(st.Uid) != os.Getuid() || !fi.Mode().IsRegular() || st.Nlink != 1 {
		return errors.New("not ours")
	}
	return nil
}

const careful = os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// lock tries to make a file, as often as it may, and removes it.
func lock(tries int) attack.Victim {
	return func(s *attack.Scene) error {
		for i := 0; i != tries; i++ {
			err := put(s.Path("lock"), excl, 0o600)
			if err == nil {
				return os.Remove(s.Path("lock"))
			}
			if !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
		return errors.New("the lock is held")
	}
}

// tryAgain makes a file of a random name, and removes it. On some errors it
// tries another name.
func tryAgain(on func(error) bool) attack.Victim {
	return func(s *attack.Scene) error {
		for range 100 {
			f, err := os.OpenFile(somewhere(s), excl, 0o600)
			if err == nil {
				return errors.Join(f.Close(), os.Remove(f.Name()))
			}
			if !on(err) {
				return err
			}
		}
		return errors.New("no name is free")
	}
}

// cache writes into a directory that it makes, and that may be there.
func cache(s *attack.Scene) error {
	if err := os.MkdirAll(s.Path("cache"), 0o700); err != nil {
		return err
	}
	return put(s.Path("cache", "data"), excl, 0o600)
}

// newCache writes into a directory that it has made.
func newCache(s *attack.Scene) error {
	if err := os.Mkdir(s.Path("cache"), 0o700); err != nil {
		return err
	}
	return put(s.Path("cache", "data"), excl, 0o600)
}

// lookAndRemove removes an entry of a directory at which it has looked.
func lookAndRemove(s *attack.Scene) error {
	fi, err := os.Lstat(s.Path("cache"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !fi.IsDir() {
		return errors.New("not a directory")
	}
	return ignoreMissing(os.Remove(s.Path("cache", "kept")))
}

// removeInRoot removes it below a descriptor, wherever names lead meanwhile.
func removeInRoot(s *attack.Scene) error {
	root, err := os.OpenRoot(s.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return ignoreMissing(root.Remove("cache/kept"))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// sweep makes a directory that an earlier run left ready for its removal: what
// stands at the name, or the directory at which it has looked.
func sweep(looks bool) attack.Victim {
	return func(s *attack.Scene) error {
		if !looks {
			return ignoreMissing(os.Chmod(s.Path("app-old"), 0o700))
		}
		dir, err := os.OpenFile(s.Path("app-old"), careful|syscall.O_DIRECTORY, 0)
		if err != nil {
			return ignoreMissing(err)
		}
		defer dir.Close()
		fi, err := dir.Stat()
		if err != nil || int(fi.Sys().(*syscall.Stat_t).Uid) != os.Getuid() {
			return err
		}
		return dir.Chmod(0o700)
	}
}

func oldDir(s *attack.Scene) error { return os.Mkdir(s.Path("app-old"), 0o777) }

// upload works on what somebody has sent: a broken file. The temporary file is
// removed in a defer, or at the end alone.
func upload(deferred bool) attack.Victim {
	return func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "work-*")
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		if deferred {
			defer os.Remove(f.Name())
		}
		if b, err := os.ReadFile(s.Path("upload")); err != nil || string(b) != "good" {
			return errors.New("bad input")
		}
		if !deferred {
			return os.Remove(f.Name())
		}
		return nil
	}
}

// publish links a temporary file to its name.
func publish(deferred bool) attack.Victim {
	return func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "work-*")
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		if deferred {
			defer os.Remove(f.Name())
		}
		if err := os.Link(f.Name(), s.Path("out")); err != nil {
			return err
		}
		if !deferred {
			return os.Remove(f.Name())
		}
		return nil
	}
}

// ensured takes a file that is there for its own.
func ensured(ignore bool) attack.Victim {
	return func(s *attack.Scene) error {
		err := put(s.Path("out"), excl, 0o600)
		if ignore && errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
}

// tmpdirOr uses TMPDIR, or the shared directory under a known name where it
// cannot.
func tmpdirOr(fallback bool) attack.Victim {
	return func(s *attack.Scene) error {
		f, err := os.CreateTemp(filepath.Join(s.Home, "missing"), "work-*")
		if err != nil && fallback {
			f, err = os.Create(s.Path("out"))
		}
		if err != nil {
			return ignoreMissing(err) // the caller is told; an error in each run would prove nothing
		}
		return f.Close()
	}
}

// twice makes a file and opens it again by its name.
func twice(same bool) attack.Victim {
	return temp(func(f *os.File) error {
		if same {
			_, err := f.Seek(0, io.SeekStart)
			return errors.Join(err, drain(f))
		}
		again, err := os.Open(f.Name())
		if err != nil {
			return err
		}
		return errors.Join(drain(again), again.Close())
	})
}

func drain(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

func chmodByName(f *os.File) error { return os.Chmod(f.Name(), 0o400) }
func chmodByFile(f *os.File) error { return f.Chmod(0o400) }

// sh runs a script that must leave nothing running.
func sh(script string) attack.Victim {
	return func(s *attack.Scene) error {
		return exec.Command("/bin/sh", "-c", script+"\n"+`: >"$0"`, filepath.Join(s.Home, "done")).Run()
	}
}

func out() attack.Option                      { return attack.Target("out") }
func moves(m ...attack.Move) attack.Option    { return attack.Moves(m...) }
func with(o ...attack.Option) []attack.Option { return o }

var bad = with(attack.Hostile("upload"), attack.Setup(func(s *attack.Scene) error {
	return os.WriteFile(s.Path("upload"), []byte("bad"), 0o644)
}), moves(attack.Hardlink))

var underAttack = []attacked{
	{rule: rules.E11, as: rules.X04, name: "mode 0666, left to the umask", broken: putAndRemove(excl, 0o666), sound: putAndRemove(excl, 0o600)},
	{rule: rules.C01, name: "a random name without O_EXCL", broken: putAndRemove(plain, 0o600), sound: putAndRemove(excl, 0o600)},
	{rule: rules.C03, name: "mode 0660", broken: putAndRemove(excl, 0o660), sound: putAndRemove(excl, 0o600)},
	{rule: rules.C06, name: "a known name that need not be known", broken: func(s *attack.Scene) error {
		p := s.Path(fmt.Sprintf("work-%d", os.Getpid()))
		return errors.Join(put(p, excl, 0o600), os.Remove(p))
	}, sound: lock(1)},
	{rule: rules.C10, name: "looks, then creates", broken: func(s *attack.Scene) error {
		p := somewhere(s)
		if _, err := os.Lstat(p); err == nil {
			return errors.New("exists")
		}
		return errors.Join(put(p, plain, 0o600), os.Remove(p))
	}, sound: func(s *attack.Scene) error {
		p := somewhere(s)
		if _, err := os.Lstat(p); err == nil {
			return errors.New("exists")
		}
		return errors.Join(put(p, excl, 0o600), os.Remove(p))
	}},
	{rule: rules.C12, as: rules.X06, name: "MkdirAll", broken: cache, sound: newCache, opts: with(attack.Target("cache"))},
	{rule: rules.C13, as: rules.X07, name: "tries without end", broken: lock(-1), sound: lock(100),
		opts: with(moves(attack.File), attack.Depth(1), attack.Allow(rules.C06, "a lock's name is known"))},
	{rule: rules.C14, name: "any error is tried again", broken: tryAgain(func(error) bool { return true }),
		sound: tryAgain(func(err error) bool { return errors.Is(err, fs.ErrExist) }), faults: true},
	{rule: rules.U02, as: rules.X01, name: "chmod by name", broken: temp(chmodByName), sound: temp(chmodByFile), opts: with(attack.Unsticky())},
	{rule: rules.U03, as: rules.X03, name: "opened again by name", broken: twice(false), sound: twice(true), opts: with(attack.Unsticky())},
	{rule: rules.U07, as: rules.X07, name: "waits for the writer of a FIFO", broken: read(os.O_RDONLY, anything), sound: read(careful, ours),
		opts: with(moves(attack.FIFO))},
	{rule: rules.U08, as: rules.X04, name: "a secret that all can read", broken: temp(func(f *os.File) error { return f.Chmod(0o644) }), sound: safe},
	{rule: rules.R01, name: "not removed", broken: func(s *attack.Scene) error { return put(somewhere(s), excl, 0o600) }, sound: putAndRemove(excl, 0o600)},
	{rule: rules.R05, name: "removed when all goes well", broken: upload(false), sound: upload(true), opts: bad},
	{rule: rules.R08, as: rules.X01, name: "a sweeper that trusts a name", broken: sweep(false), sound: sweep(true),
		opts: with(attack.Hostile("app-old"), attack.Setup(oldDir))},
	{rule: rules.R10, as: rules.X01, name: "looks, then removes by name", broken: lookAndRemove, sound: removeInRoot},
	{rule: rules.R13, name: "a process that is not waited for", broken: sh("sleep 60 &"), sound: sh("sleep 0 & wait")},

	{rule: rules.X01, name: "writes through a link", broken: create(plain), sound: create(excl), opts: with(out())},
	{rule: rules.X02, name: "reads through a link", broken: read(os.O_RDONLY, anything), sound: read(careful, ours), opts: with(moves(attack.Symlink))},
	{rule: rules.X03, name: "reads the attacker's file", broken: read(careful, anything), sound: read(careful, ours), opts: with(moves(attack.File))},
	{rule: rules.X09, name: "mode 0622", broken: putAndRemove(excl, 0o622), sound: putAndRemove(excl, 0o600)},
	{rule: rules.X10, name: "a name that others may make first", broken: create(plain), sound: create(excl), opts: with(out(), moves(attack.File))},
	{rule: rules.X04, name: "mode narrowed too late", broken: func(s *attack.Scene) error {
		p := somewhere(s)
		f, err := os.OpenFile(p, excl, 0o644)
		if err != nil {
			return err
		}
		err = f.Chmod(0o600)
		_, werr := f.WriteString("secret")
		return errors.Join(err, werr, f.Close(), os.Remove(p))
	}, sound: putAndRemove(excl, 0o600)},
	{rule: rules.X05, name: "takes what is there for its own", broken: ensured(true), sound: ensured(false), opts: with(out(), moves(attack.File))},
	{rule: rules.X06, name: "adopts a directory", broken: cache, sound: newCache, opts: with(attack.Target("cache"), moves(attack.Dir))},
	{rule: rules.X07, name: "panics", broken: func(s *attack.Scene) error {
		if _, err := os.Lstat(s.Path("x")); err == nil {
			panic("unexpected")
		}
		return nil
	}, sound: func(s *attack.Scene) error {
		if _, err := os.Lstat(s.Path("x")); err == nil {
			return errors.New("unexpected")
		}
		return nil
	}},
	{rule: rules.X08, name: "left when the link cannot be made", broken: publish(false), sound: publish(true), opts: with(out())},

	{rule: rules.A01, as: rules.X01, name: "a link to a file", broken: create(plain | os.O_TRUNC), sound: create(excl), opts: with(out(), moves(attack.Symlink))},
	{rule: rules.A02, as: rules.X01, name: "a link to nothing", broken: create(plain), sound: create(excl), opts: with(out(), moves(attack.Symlink))},
	{rule: rules.A03, as: rules.X01, name: "a hard link", broken: create(plain), sound: create(excl), opts: with(out(), moves(attack.Hardlink))},
	{rule: rules.A04, as: rules.X07, name: "a FIFO", broken: create(plain), sound: create(excl), opts: with(out(), moves(attack.FIFO))},
	{rule: rules.A05, as: rules.X10, name: "a file for all", broken: create(plain), sound: create(excl), opts: with(out(), moves(attack.File))},
	{rule: rules.A06, as: rules.X06, name: "a directory for all", broken: cache, sound: newCache, opts: with(attack.Target("cache"), moves(attack.Dir))},
	{rule: rules.A07, as: rules.X01, name: "the parent becomes a link", broken: lookAndRemove, sound: removeInRoot,
		opts: with(moves(attack.Dir, attack.Symlink))},
	{rule: rules.A08, as: rules.X01, name: "swapped before the chmod", broken: temp(chmodByName), sound: temp(chmodByFile), opts: with(attack.Unsticky())},
	{rule: rules.A11, as: rules.X07, name: "all names are taken", broken: lock(-1), sound: lock(100),
		opts: with(moves(attack.File), attack.Depth(1), attack.Allow(rules.C06, "a lock's name is known"))},
	{rule: rules.A12, as: rules.X01, name: "falls back to a shared directory", broken: tmpdirOr(true), sound: tmpdirOr(false), opts: with(out())},
	{rule: rules.A13, as: rules.X04, name: "umask 0", broken: putAndRemove(excl, 0o666), sound: putAndRemove(excl, 0o600)},
	{rule: rules.A16, as: rules.X03, name: "reads what an earlier run left", broken: read(careful, anything), sound: read(careful, ours)},
}

// TestAttacked: the broken program is found to break its rule, its twin to
// break none.
func TestAttacked(t *testing.T) {
	for _, row := range sample.Third(underAttack, sample.Short()) {
		t.Run(row.rule.ID()+" "+row.name, func(t *testing.T) {
			if !sample.Long() && (row.rule == rules.C13 || row.rule == rules.A11) {
				t.Skip("tries without end, 60,000 times in each schedule: run with TMPPROOF_LONG=1")
			}
			want := row.rule.ID()
			if row.as != "" {
				want = row.as.ID()
			}
			t.Run("broken", func(t *testing.T) {
				report := row.attack(t, row.broken)
				require.True(t, report.Complete)
				assert.Contains(t, found(report), want)
			})
			t.Run("sound", func(t *testing.T) {
				report := row.attack(t, row.sound)
				require.True(t, report.Complete)
				assert.Empty(t, report.Findings, text(report))
			})
		})
	}
}

func found(report *attack.Report) []string {
	var ids []string
	for _, f := range report.Findings {
		ids = append(ids, f.Rule.ID())
	}
	return ids
}

func text(report *attack.Report) string {
	var b strings.Builder
	for _, f := range report.Findings {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}
