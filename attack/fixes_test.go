package attack_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/fsfake"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// fixTest is a finding with its fix, a victim that has it, and the same victim
// after what the fix says was done to the letter: in each way that it names.
type fixTest struct {
	rule   rules.Rule
	name   string
	fix    string // that of the rule book if empty
	by     verb
	broken attack.Victim
	fixed  []attack.Victim
	opts   []attack.Option
	then   []attack.Option // the fix is, or asks for, an option too
	slow   bool
}

func (tt fixTest) String() string { return tt.rule.ID() + " " + tt.name }

// try finds the rule in the broken victim, with the fix, and not in the fixed
// ones, in which nothing new is found either.
func (tt fixTest) try(t *testing.T, where ...attack.Option) {
	if tt.slow && !attack.Long {
		t.Skip("takes seconds: run with TMPPROOF_LONG=1")
	}
	by := func(victim attack.Victim, more ...attack.Option) *attack.Report {
		r := tt.by(t, victim, slices.Concat(tt.opts, more, where, []attack.Option{attack.ReportOnly()})...)
		assert.True(t, r.Complete, r.Problems)
		return r
	}
	before := by(tt.broken)
	var said []string
	ids := map[string]bool{}
	for _, f := range before.Findings {
		if f.Rule == tt.rule {
			said = append(said, f.Fix)
		} else {
			ids[f.Rule.ID()] = true
		}
	}
	assert.Equal(t, []string{cmp.Or(tt.fix, tt.rule.Fix())}, slices.Compact(said), texts(before))
	for i, victim := range tt.fixed {
		after := by(victim, tt.then...)
		for _, f := range after.Findings {
			assert.True(t, ids[f.Rule.ID()], "fixed in way %d:\n%s", i+1, f)
		}
	}
}

// madeAt makes a file of a name, and removes it.
func madeAt(name func(s *attack.Scene) string, flag int, perm fs.FileMode) attack.Victim {
	return func(s *attack.Scene) error {
		p := name(s)
		return errors.Join(put(s.FS, p, flag, perm, "x"), s.FS.Remove(p))
	}
}

// madeAs makes a file of a name, which stays.
func madeAs(name func(s *attack.Scene) string, flag int, perm fs.FileMode) attack.Victim {
	return func(s *attack.Scene) error { return put(s.FS, name(s), flag, perm, "x") }
}

func outPath(s *attack.Scene) string  { return s.Path("out") }
func withPID(s *attack.Scene) string  { return s.Path(fmt.Sprintf("work-%d", os.Getpid())) }
func homePath(s *attack.Scene) string { return filepath.Join(s.Home, "out") }

func temporary(s *attack.Scene) error              { return scratch(s, writeNew) }
func replaced(s *attack.Scene) error               { return replaceOut(s, writeNew) }
func victims(all ...attack.Victim) []attack.Victim { return all }
func options(all ...attack.Option) []attack.Option { return all }
func inTempDir(perm fs.FileMode) attack.Victim {
	return func(s *attack.Scene) error {
		return inDir(s, func(dir string) error {
			return errors.Join(put(s.FS, filepath.Join(dir, "f"), newFile, perm, "x"), s.FS.RemoveAll(dir))
		})
	}
}

// looks sees whether a name is free before it makes it.
func looks(flag int) attack.Victim {
	return func(s *attack.Scene) error {
		p := unknown(s)
		if exists(s, p) {
			return fs.ErrExist
		}
		return madeAt(func(*attack.Scene) string { return p }, flag, 0o600)(s)
	}
}

// directory works in a directory of a name, and removes it or not.
func directory(make func(s *attack.Scene) (string, error), remove bool) attack.Victim {
	return func(s *attack.Scene) (err error) {
		dir, err := make(s)
		if err != nil {
			return err
		}
		if remove {
			defer func() { err = errors.Join(err, s.FS.RemoveAll(dir)) }()
		}
		return put(s.FS, filepath.Join(dir, "f"), newFile, 0o600, "x")
	}
}

func tempDir(s *attack.Scene) (string, error) { return afero.TempDir(s.FS, s.Dir, "work-*") }

// mkdir makes a directory of a name.
func mkdir(name func(s *attack.Scene) string) func(s *attack.Scene) (string, error) {
	return func(s *attack.Scene) (string, error) { return name(s), s.FS.Mkdir(name(s), 0o700) }
}

func mkdirAll(s *attack.Scene) (string, error) {
	return s.Path("out"), s.FS.MkdirAll(s.Path("out"), 0o700)
}

// removes makes a file in shared, and removes it in a defer, in the end, or never.
func removes(when string) attack.Victim {
	return func(s *attack.Scene) (err error) {
		f, err := afero.TempFile(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		if when == "defer" {
			defer func() { err = errors.Join(err, s.FS.Remove(f.Name())) }()
		}
		if err := errors.Join(writeNew(f), f.Close()); err != nil || when != "end" {
			return err
		}
		return s.FS.Remove(f.Name())
	}
}

// closes works on a file, and closes it or not.
func closes(close bool) attack.Victim {
	return func(s *attack.Scene) (err error) {
		f, err := afero.TempFile(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		hold(f)
		if close {
			defer func() { err = errors.Join(err, f.Close()) }()
		}
		return errors.Join(writeNew(f), s.FS.Remove(f.Name()))
	}
}

// conf reads a file of others, if there is one, and what check says of it.
func conf(flag int, path func(s *attack.Scene) string, check func(fi fs.FileInfo) error) attack.Victim {
	return func(s *attack.Scene) error {
		f, err := s.FS.OpenFile(path(s), flag, 0)
		if err != nil {
			return absentIsFine(err)
		}
		defer f.Close()
		fi, err := f.Stat()
		if err == nil {
			err = check(fi)
		}
		if err == nil {
			_, err = io.ReadAll(f)
		}
		return err
	}
}

func unchecked(fs.FileInfo) error { return nil }

func own(fi fs.FileInfo) error {
	if ours, links := ours(fi); !ours || links != 1 {
		return errors.New("it is not ours")
	}
	return nil
}

func regular(fi fs.FileInfo) error {
	if !fi.Mode().IsRegular() {
		return errors.New("it is no file")
	}
	return nil
}

// readsBack reads what it has written, by the name or by the descriptor.
func readsBack(s *attack.Scene, byName bool) error {
	return scratch(s, func(f afero.File) error {
		if err := writeNew(f); err != nil {
			return err
		}
		if byName {
			_, err := afero.ReadFile(s.FS, f.Name())
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := io.ReadAll(f)
		return err
	})
}

// once makes a file if it is not there, and takes that it is for success or not.
func once(name func(s *attack.Scene) string, ignore bool) attack.Victim {
	return func(s *attack.Scene) error {
		err := put(s.FS, name(s), newFile, 0o600, "x")
		if ignore && errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
}

// links publishes a file by a link, and removes the other name in a defer or in
// the end.
func links(deferred bool) attack.Victim {
	return func(s *attack.Scene) (err error) {
		name, err := work(s)
		if err != nil {
			return err
		}
		if deferred {
			defer func() { err = errors.Join(err, s.FS.Remove(name)) }()
		}
		if err := s.FS.(interface{ Link(old, new string) error }).Link(name, s.Path("out")); err != nil || deferred {
			return err
		}
		return s.FS.Remove(name)
	}
}

// fills makes a directory with two files, in place or aside.
func fills(s *attack.Scene, rename bool) (err error) {
	dir := s.Path("app")
	if rename {
		if dir, err = afero.TempDir(s.FS, s.Dir, "app-*"); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, s.FS.RemoveAll(dir))
			}
		}()
	} else if err := s.FS.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := errors.Join(put(s.FS, filepath.Join(dir, "a"), newFile, 0o600, "a"), put(s.FS, filepath.Join(dir, "b"), newFile, 0o600, "b")); err != nil || !rename {
		return err
	}
	return s.FS.Rename(dir, s.Path("app"))
}

// takeLock takes a lock file, as often as it may.
func takeLock(tries int) attack.Victim {
	return func(s *attack.Scene) error {
		for i := 0; i != tries; i++ {
			err := put(s.FS, s.Path("lock"), newFile, 0o600, "x")
			if err == nil {
				return s.FS.Remove(s.Path("lock"))
			}
			if !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
		return errors.New("the lock is held")
	}
}

// meets does something when a name is there.
func meets(what func() error) attack.Victim {
	return func(s *attack.Scene) error {
		if exists(s, s.Path("x")) {
			return what()
		}
		return nil
	}
}

// fixTests work on either disk.
var fixTests = []fixTest{
	{rule: rules.C01, name: "a random name without O_EXCL", by: attack.Prove, broken: madeAt(unknown, anyFile, 0o600), fixed: victims(temporary, madeAt(unknown, newFile, 0o600))},
	{rule: rules.C01, name: "of a target", by: attack.Prove,
		fix:    "write a file of os.CreateTemp in the same directory, and rename it to the name; a lock file needs os.O_EXCL, and an existing one is an error",
		broken: madeAs(unknown, anyFile, 0o600), opts: options(attack.Target("t*")),
		fixed: victims(func(s *attack.Scene) error {
			name, err := work(s)
			if err != nil {
				return err
			}
			if err := s.FS.Rename(name, unknown(s)); err != nil {
				return errors.Join(err, s.FS.Remove(name))
			}
			return nil
		}, madeAs(unknown, newFile, 0o600))},
	{rule: rules.C03, name: "mode 0660", by: attack.Prove, broken: madeAt(unknown, newFile, 0o660), fixed: victims(madeAt(unknown, newFile, 0o600), inTempDir(0o660))},
	{rule: rules.C05, name: "left by a kill", by: attack.Kills, broken: func(s *attack.Scene) error { return aside(s, 0o644) },
		fixed: victims(func(s *attack.Scene) error { return aside(s, 0o600) }), opts: options(mayBeKilled)},
	{rule: rules.C06, name: "not exclusive", by: attack.Prove, broken: madeAt(withPID, anyFile, 0o600), opts: options(attack.Moves(attack.Dir)),
		fixed: victims(temporary, inTempDir(0o600))},
	{rule: rules.C06, name: "of a directory", by: attack.Prove,
		fix:    "use os.MkdirTemp with a * in the pattern; a directory that serves as a lock has a fixed name, and an existing one is an error",
		broken: directory(mkdir(withPID), true),
		fixed:  victims(directory(tempDir, true), directory(mkdir(func(s *attack.Scene) string { return s.Path("lock") }), true))},
	{rule: rules.C06, name: "of a file", by: attack.Prove,
		fix:    "use os.CreateTemp with a * in the pattern; a lock file has a fixed name, and an existing one is an error",
		broken: madeAt(withPID, newFile, 0o600), fixed: victims(temporary, takeLock(1))},
	{rule: rules.C10, name: "looks, then creates", by: attack.Prove, broken: looks(anyFile), fixed: victims(madeAt(unknown, newFile, 0o600))},
	{rule: rules.C13, name: "all names are taken", by: attack.Faults, opts: options(attack.FewCalls),
		broken: func(s *attack.Scene) error {
			return tries(s, func(_ int, err error) bool { return errors.Is(err, fs.ErrExist) })
		},
		fixed: victims(func(s *attack.Scene) error {
			return tries(s, func(i int, err error) bool { return errors.Is(err, fs.ErrExist) && i < 100 })
		})},
	{rule: rules.C14, name: "after any error", by: attack.Faults,
		broken: func(s *attack.Scene) error { return tries(s, func(i int, _ error) bool { return i < 3 }) },
		fixed: victims(func(s *attack.Scene) error {
			return tries(s, func(i int, err error) bool { return i < 3 && errors.Is(err, fs.ErrExist) })
		})},
	{rule: rules.R01, name: "a file", by: attack.Prove,
		fix:    "remove the file in a defer right after its creation, or name it with Target if it is meant to stay",
		broken: removes("never"), fixed: victims(removes("defer"))},
	{rule: rules.R01, name: "a file that is meant to stay", by: attack.Prove,
		fix:    "remove the file in a defer right after its creation, or name it with Target if it is meant to stay",
		broken: removes("never"), fixed: victims(removes("never")), then: options(attack.Target("work-*"))},
	{rule: rules.R01, name: "a directory", by: attack.Prove,
		fix:    "remove the directory with os.RemoveAll in a defer right after os.MkdirTemp, or name it with Target if it is meant to stay",
		broken: directory(tempDir, false), fixed: victims(directory(tempDir, true))},
	{rule: rules.R03, name: "a descriptor", by: attack.Faults, broken: closes(false), fixed: victims(closes(true))},
	{rule: rules.R05, name: "removed in the end", by: attack.Faults, broken: removes("end"), fixed: victims(removes("defer"))},
	{rule: rules.R06, name: "removed in the end", by: attack.Kills, broken: removes("end"), fixed: victims(removes("defer")), opts: options(mayBeKilled)},
	{rule: rules.R07, name: "a file with a name", by: attack.Kills,
		fix:    "use a file without a name (O_TMPFILE), or remove the name right after the creation; for a file that needs its name, remove at the next start what an earlier run left, and say so with Allow(R07, ...)",
		broken: temporary, fixed: victims(func(s *attack.Scene) error {
			f, err := s.FS.OpenFile(s.Dir, os.O_RDWR|fsfake.O_TMPFILE, 0o600)
			if err != nil {
				return err
			}
			return errors.Join(writeNew(f), f.Close())
		}, func(s *attack.Scene) error {
			f, err := afero.TempFile(s.FS, s.Dir, "work-*")
			if err != nil {
				return err
			}
			return errors.Join(s.FS.Remove(f.Name()), writeNew(f), f.Close())
		})},
	{rule: rules.R11, name: "swallowed", by: attack.Faults,
		broken: func(s *attack.Scene) error {
			name, err := work(s)
			_ = s.FS.Remove(name)
			return err
		}, fixed: victims(removes("defer"))},
	{rule: rules.X01, name: "a known name", by: attack.Prove, broken: madeAt(withPID, anyFile, 0o600), fixed: victims(temporary)},
	{rule: rules.X01, name: "a mode by name", by: attack.Prove, opts: options(attack.Unsticky()),
		broken: func(s *attack.Scene) error {
			return scratch(s, func(f afero.File) error { return s.FS.Chmod(f.Name(), 0o400) })
		},
		fixed: victims(func(s *attack.Scene) error {
			return scratch(s, func(f afero.File) error {
				return f.(interface{ Chmod(fs.FileMode) error }).Chmod(0o400)
			})
		})},
	{rule: rules.X01, name: "a traversal", by: attack.Prove,
		fix:    "refuse names that lead out of the directory (filepath.IsLocal), or work through os.Root, which refuses them too",
		broken: func(s *attack.Scene) error { return extract(s, func(string) bool { return false }) },
		fixed:  victims(func(s *attack.Scene) error { return extract(s, notLocal) }), opts: hostileArchive, then: options(attack.Refuses())},
	{rule: rules.X02, name: "reads through a link", by: attack.Prove, opts: options(attack.Moves(attack.Symlink, attack.Hardlink)),
		broken: conf(os.O_RDONLY, outPath, unchecked), fixed: victims(conf(os.O_RDONLY|fsfake.O_NOFOLLOW|fsfake.O_NONBLOCK, outPath, own))},
	{rule: rules.X03, name: "reads back by name", by: attack.Prove, opts: options(attack.Unsticky(), attack.Moves(attack.File)),
		broken: func(s *attack.Scene) error { return readsBack(s, true) }, fixed: victims(func(s *attack.Scene) error { return readsBack(s, false) })},
	{rule: rules.X03, name: "reads where others write", by: attack.Prove, opts: options(attack.Moves(attack.File)),
		broken: conf(os.O_RDONLY, outPath, unchecked), fixed: victims(conf(os.O_RDONLY, homePath, unchecked))},
	{rule: rules.X04, name: "mode 0644", by: attack.Prove, broken: madeAt(unknown, newFile, 0o644), fixed: victims(madeAt(unknown, newFile, 0o600), inTempDir(0o644))},
	{rule: rules.X04, name: "meant for others", by: attack.Prove, opts: intoPage, then: publicPage,
		broken: func(s *attack.Scene) error { return publish(s, mode(s, 0o644), noWork) },
		fixed:  victims(func(s *attack.Scene) error { return publish(s, noWork, mode(s, 0o644)) })},
	{rule: rules.X04, name: "not whole yet", by: attack.Prove, opts: publicPage,
		fix:    "write it under a name of os.CreateTemp, give it its mode with f.Chmod when all is written, and rename it",
		broken: func(s *attack.Scene) error { return publish(s, mode(s, 0o644), noWork) },
		fixed:  victims(func(s *attack.Scene) error { return publish(s, noWork, mode(s, 0o644)) })},
	{rule: rules.X05, name: "takes what is there", by: attack.Prove, opts: append(intoOut, attack.Moves(attack.File)),
		broken: once(outPath, true), fixed: victims(once(outPath, false))},
	{rule: rules.X05, name: "where others write", by: attack.Prove, opts: append(intoOut, attack.Moves(attack.File)),
		broken: madeAs(outPath, anyFile, 0o600), fixed: victims(madeAs(homePath, anyFile, 0o600))},
	{rule: rules.X05, name: "in place, an error", by: attack.Faults, opts: overOut,
		fix:    "write a temporary file in the same directory, check every error up to that of Close, and rename it to the target (os.CreateTemp, os.Rename); fill a directory before it is renamed",
		broken: madeAs(outPath, anyFile, 0o600), fixed: victims(replaced)},
	{rule: rules.X05, name: "in place, a kill", by: attack.Kills, opts: append(overOut, mayBeKilled),
		fix:    "write a temporary file in the same directory, check every error up to that of Close, and rename it to the target (os.CreateTemp, os.Rename); fill a directory before it is renamed",
		broken: madeAs(outPath, anyFile, 0o600), fixed: victims(replaced)},
	{rule: rules.X05, name: "a directory in place", by: attack.Faults, opts: options(attack.Target("app")),
		fix:    "write a temporary file in the same directory, check every error up to that of Close, and rename it to the target (os.CreateTemp, os.Rename); fill a directory before it is renamed",
		broken: func(s *attack.Scene) error { return fills(s, false) }, fixed: victims(func(s *attack.Scene) error { return fills(s, true) })},
	{rule: rules.X06, name: "MkdirAll", by: attack.Prove, opts: intoOut, broken: directory(mkdirAll, false),
		fixed: victims(directory(mkdir(outPath), false), directory(tempDir, true))},
	{rule: rules.X06, name: "another directory in its place", by: attack.Prove, opts: options(attack.Unsticky(), attack.Moves(attack.Dir)),
		fix: "open the directory once (os.OpenRoot), see that it is the one that was made (Root.Stat, its owner), and do everything relative to it",
		broken: func(s *attack.Scene) error {
			return inDir(s, func(dir string) error {
				return put(s.FS, filepath.Join(dir, "f"), newFile, 0o600, "x")
			})
		}},
	{rule: rules.X07, name: "a FIFO", by: attack.Prove, opts: options(attack.Moves(attack.FIFO)),
		fix:    "create with O_EXCL, or open existing names with O_NONBLOCK and refuse what is no regular file",
		broken: conf(os.O_RDONLY, outPath, unchecked), fixed: victims(conf(os.O_RDONLY|fsfake.O_NONBLOCK, outPath, regular))},
	{rule: rules.X07, name: "a FIFO where a file is made", by: attack.Prove, opts: options(attack.Moves(attack.FIFO)),
		fix:    "create with O_EXCL, or open existing names with O_NONBLOCK and refuse what is no regular file",
		broken: madeAt(outPath, anyFile, 0o600), fixed: victims(madeAt(outPath, newFile, 0o600))},
	{rule: rules.X07, name: "tries without end", by: attack.Prove, opts: options(attack.FewCalls, attack.Moves(attack.File), attack.Depth(1)),
		fix:    "bound every retry, and return the last error",
		broken: takeLock(-1), fixed: victims(takeLock(100))},
	{rule: rules.X07, name: "a panic", by: attack.Prove,
		fix:    "check the error before the result is used, and return it: a panic ends the program with what it has left",
		broken: meets(func() error { panic("unexpected") }), fixed: victims(meets(func() error { return errors.New("unexpected") }))},
	{rule: rules.X07, name: "a panic after an error", by: attack.Faults,
		fix:    "check the error before the result is used, and return it: a panic ends the program with what it has left",
		broken: func(s *attack.Scene) error { fi, _ := s.FS.Stat(s.Dir); _ = fi.Mode(); return nil },
		fixed:  victims(func(s *attack.Scene) error { _, err := s.FS.Stat(s.Dir); return err })},
	{rule: rules.X07, name: "waits for ever", by: attack.Prove, opts: options(attack.Budget(20*time.Second), attack.Moves(attack.File), attack.Depth(1)), slow: true,
		fix:    "wait with a deadline (context.WithTimeout), and return its error",
		broken: meets(func() error { select {} }), fixed: victims(meets(func() error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			<-ctx.Done() // or what will not come
			return ctx.Err()
		}))},
	{rule: rules.X05, name: "a torn log is refused", by: attack.Faults, opts: rejects.opts(startsAs(func() {})),
		fix:    "let the start of the code cope with what a cut write leaves: give each record its length and a checksum, and truncate the log behind the last whole one; or write a temporary file and rename it (os.CreateTemp, os.Rename)",
		broken: rejects.writer, fixed: victims(repairs.writer), then: options(mended)},
	{rule: rules.X05, name: "a torn log is refused, and is written anew", by: attack.Faults, opts: rejects.opts(startsAs(func() {})),
		fix:    "let the start of the code cope with what a cut write leaves: give each record its length and a checksum, and truncate the log behind the last whole one; or write a temporary file and rename it (os.CreateTemp, os.Rename)",
		broken: rejects.writer, fixed: victims(rejects.rewriter)},
	{rule: rules.X05, name: "a torn log ends the start", by: attack.Faults, opts: rejects.opts(startsAs(func() { panic("torn") })),
		fix:    "let the start of the code cope with each state that a cut write and a kill can leave: bound what it reads and waits for, and return an error that says what is wrong",
		broken: rejects.writer, fixed: victims(repairs.writer), then: options(mended)},
	{rule: rules.X08, name: "left when the link cannot be made", by: attack.Prove, opts: intoOut, broken: links(false), fixed: victims(links(true))},
	{rule: rules.X09, name: "mode 0666", by: attack.Prove, broken: madeAt(unknown, newFile, 0o666),
		fixed: victims(madeAt(unknown, newFile, 0o600), madeAt(unknown, newFile, 0o644))},
	{rule: rules.X10, name: "a known name", by: attack.Prove, opts: append(intoOut, attack.Moves(attack.File)),
		broken: madeAs(outPath, anyFile, 0o600), fixed: victims(replaced)},
}

// TestFakeFixes: what a failure says to do about it does away with it.
func TestFakeFixes(t *testing.T) {
	for _, tt := range fixTests {
		t.Run(tt.String(), func(t *testing.T) { t.Parallel(); tt.try(t, attack.Fake()) })
	}
}
