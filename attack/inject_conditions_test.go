package attack_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/fsfake"
)

// random content differs from run to run.
func writeRandom(f afero.File) error {
	_, err := f.WriteString(rand.Text())
	return err
}

// inDir works in a directory of its own, and removes it in the way that a row is
// about.
func inDir(s *attack.Scene, work func(dir string) error) error {
	dir, err := afero.TempDir(s.FS, s.Dir, "d-*")
	if err != nil {
		return err
	}
	return work(dir)
}

// writesInTwo replaces a target by a large one, whose end is written by a write
// of its own; what that says is heeded, or not.
func writesInTwo(heed bool) attack.Victim {
	return func(s *attack.Scene) error {
		return replaceOut(s, func(f afero.File) error {
			if _, err := f.WriteString(megabytes("")); err != nil {
				return err
			}
			if _, err := f.WriteString("end"); err != nil && heed {
				return err
			}
			return nil
		})
	}
}

// injectCondition holds one condition of the judgement of Faults and Kills:
// without it the findings are others. testdata/mutants_inject.md says which row
// holds which.
type injectCondition struct {
	name   string
	by     verb
	victim attack.Victim
	opts   []attack.Option
	want   []string // of each finding, in order, a part of "rule detail, by schedule"; "?" for a weakness
}

var injectConditions = []injectCondition{{
	name: "a file without a name is tried again", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		for i := 0; ; i++ {
			f, err := s.FS.OpenFile(s.Dir, 2|fsfake.O_TMPFILE, 0o600)
			if err == nil {
				return f.Close()
			}
			if i == 2 {
				return err
			}
		}
	},
	want: []string{"?C14 openat fails with ENOTSUP: the code tried once more"},
}, {
	name: "the end of a large target that was not written", by: attack.Faults,
	victim: writesInTwo(false),
	opts:   overOut,
	want:   []string{"X05"},
}, {
	name: "the end of a large target, and an error", by: attack.Faults,
	victim: writesInTwo(true),
	opts:   overOut,
}, {
	name: "content that is chance is compared by its shape", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		f, err := s.FS.OpenFile(s.Path("out"), anyFile, 0o600)
		if err != nil {
			return err
		}
		return errors.Join(writeRandom(f), f.Close())
	},
	opts: overOut,
	want: []string{"X05 write fails with ENOSPC: the code returned an error: write shared/out: " + syscall.ENOSPC.Error() + ", and the target out is neither what was there before nor what an undisturbed run leaves: 0 bytes, \"\": it is empty"},
}, {
	name: "nor is it after success, and no mode of what is not made else", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		if err := replaceOut(s, writeRandom); err != nil {
			return err
		}
		if _, err := s.FS.Stat(s.Path("none")); err != nil && !errors.Is(err, afero.ErrFileNotFound) {
			return absentIsFine(put(s.FS, s.Path("bak"), newFile, 0o600, ""))
		}
		return nil
	},
	opts: []attack.Option{attack.Target("out", "bak")},
}, {
	name: "an old target that is to go", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		if err := replaceOut(s, writeNew); err != nil {
			return err
		}
		if err := s.FS.Remove(s.Path("old")); err != nil {
			return err
		}
		_, err := s.FS.Stat(s.Dir)
		return err
	},
	opts: []attack.Option{attack.Target("out", "old"), attack.Setup(func(s *attack.Scene) error {
		return afero.WriteFile(s.FS, s.Path("old"), oldContent, 0o600)
	})},
}, {
	name: "an empty file for an empty directory", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		if s.FS.Mkdir(s.Path("out"), 0o700) == nil {
			return nil
		}
		return s.FS.(*fsfake.FS).Mknod(s.Path("out"), 0o700, 0)
	},
	opts: intoOut,
	want: []string{"X05 mkdirat fails with ENOSPC: the target out is not what an undisturbed run leaves: 0 bytes"},
}, {
	name: "what Setup made stays", by: attack.Faults,
	victim: func(s *attack.Scene) error { return scratch(s, writeNew) },
	opts: []attack.Option{attack.Setup(func(s *attack.Scene) error {
		return afero.WriteFile(s.FS, s.Path("others"), nil, 0o600)
	})},
}, {
	name: "a directory on the way to a target", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		if err := s.FS.Mkdir(s.Path("app"), 0o700); err != nil {
			return err
		}
		return s.FS.Mkdir(s.Path("app", "out"), 0o700)
	},
	opts: []attack.Option{attack.Target("app/out")},
}, {
	name: "what the undisturbed run leaves is told once", by: attack.Faults,
	victim: func(s *attack.Scene) error { _, err := work(s); return err },
	want:   []string{"?R01 the code returned nil and left"},
}, {
	name: "a directory that stays is told, and not what is in it", by: attack.Kills,
	victim: func(s *attack.Scene) error {
		return inDir(s, func(dir string) (err error) {
			defer func() { err = errors.Join(err, s.FS.RemoveAll(dir)) }()
			return put(s.FS, filepath.Join(dir, "f"), newFile, 0o600, "")
		})
	},
	want: []string{"?R07 SIGKILL came before openat"},
}, {
	name: "what is left open without a name hides no file of that name", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		if _, err := s.FS.OpenFile(s.Path("work"), newFile, 0o600); err != nil {
			return err
		}
		_ = s.FS.Remove(s.Path("work"))
		return nil
	},
	want: []string{"R03 ", "R11 unlinkat fails with EACCES: the code returned nil, and left shared/work"},
}, {
	name: "what is left hides no descriptor", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		f, err := s.FS.OpenFile(s.Path("work"), newFile, 0o600)
		if err != nil {
			return err
		}
		if _, err := f.WriteString("x"); err != nil {
			return err
		}
		return f.Close()
	},
	want: []string{"R03 write fails with ENOSPC: the code returned an error: ", "?R01 "},
}, {
	name: "a file that is never closed is told once", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		hold(f)
		return s.FS.Remove(f.Name())
	},
	want: []string{"R03 the code returned nil, and left a descriptor"},
}, {
	name: "a link's mode says nothing", by: attack.Kills,
	victim: func(s *attack.Scene) error {
		p := unknown(s)
		return errors.Join(s.FS.(afero.Linker).SymlinkIfPossible("/none", p), s.FS.Remove(p))
	},
	want: []string{"?R07 SIGKILL came before unlinkat"},
}, {
	name: "a file that is moved home at once", by: attack.Kills,
	victim: func(s *attack.Scene) (err error) {
		f, err := afero.TempFile(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, absentIsFine(s.FS.Remove(f.Name())), f.Close()) }()
		return s.FS.Rename(f.Name(), filepath.Join(s.Home, "f"))
	},
	want: []string{"?R07 SIGKILL came before newfstatat"},
}, {
	name: "a directory that is removed at once", by: attack.Kills,
	victim: func(s *attack.Scene) error { return inDir(s, s.FS.Remove) },
	want:   []string{"?R07 SIGKILL came before unlinkat"},
}, {
	name: "a file that loses its name at once, after another was written", by: attack.Kills,
	victim: func(s *attack.Scene) error {
		if err := afero.WriteFile(s.FS, filepath.Join(s.Home, "f"), newContent, 0o600); err != nil {
			return err
		}
		f, err := afero.TempFile(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		return errors.Join(s.FS.Remove(f.Name()), f.Close())
	},
}, {
	name: "a directory that cannot be removed", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		fsys := s.FS.(*fsfake.FS)
		return inDir(s, fsys.Rmdir)
	},
}, {
	name: "what it holds is removed, and the directory stays", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		return inDir(s, func(dir string) (err error) {
			f := filepath.Join(dir, "f")
			if err := put(s.FS, f, newFile, 0o600, ""); err != nil {
				return errors.Join(err, s.FS.RemoveAll(dir))
			}
			if err := s.FS.Remove(f); err != nil {
				return errors.Join(err, s.FS.RemoveAll(dir))
			}
			if _, err := s.FS.Stat(s.Dir); err != nil {
				return err
			}
			return s.FS.Remove(dir)
		})
	},
	want: []string{"R05 newfstatat fails with EACCES: the code returned an error: "},
}, {
	name: "a look at the directory right before its removal", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		return inDir(s, func(dir string) error {
			if _, err := lstat(s, dir); err != nil {
				return err
			}
			return s.FS.Remove(dir)
		})
	},
}, {
	name: "a look, something else, and the removal", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		return inDir(s, func(dir string) error {
			if _, err := lstat(s, dir); err != nil {
				return err
			}
			if err := put(s.FS, filepath.Join(s.Home, "f"), newFile, 0o600, ""); err != nil {
				return errors.Join(err, s.FS.Remove(dir))
			}
			return s.FS.Remove(dir)
		})
	},
	want: []string{"R05 newfstatat fails with EACCES: the code returned an error: "},
}, {
	name: "a look at the open file, and the removal", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		if _, err := f.Stat(); err != nil {
			return errors.Join(err, f.Close())
		}
		return errors.Join(f.Close(), s.FS.Remove(f.Name()))
	},
	want: []string{"R05 fstat fails with EIO: the code returned an error: "},
}, {
	name: "the removal of another of that name before is no try", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		name := s.Path("work")
		for i := range 2 {
			if err := put(s.FS, name, newFile, 0o600, "x"); err != nil {
				return errors.Join(err, absentIsFine(s.FS.Remove(name)))
			}
			if i == 1 && s.FS.Chmod(name, 0o600) != nil {
				return nil
			}
			if err := s.FS.Remove(name); err != nil {
				return err
			}
		}
		return nil
	},
	want: []string{"R05 fchmodat fails with EPERM: the code returned nil, and left "},
}, {
	name: "a look whose error is swallowed", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		return inDir(s, func(dir string) error {
			if !exists(s, dir) {
				return nil
			}
			return s.FS.Remove(dir)
		})
	},
	want: []string{"R11 newfstatat fails with EACCES: the code returned nil, and left "},
}, {
	name: "what it holds cannot be removed", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		return inDir(s, func(dir string) (err error) {
			f := filepath.Join(dir, "f")
			if err := s.FS.(afero.Linker).SymlinkIfPossible("/none", f); err != nil {
				return errors.Join(err, s.FS.Remove(dir))
			}
			if err := s.FS.(*fsfake.FS).Unlink(f); err != nil {
				return err
			}
			return s.FS.Remove(dir)
		})
	},
}, {
	name: "a link is as good as a rename for data that is lost", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, s.Dir, "out-*")
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		err = writeNew(f)
		if err == nil {
			err = s.FS.(*fsfake.FS).Link(f.Name(), s.Path("out"))
		}
		return errors.Join(err, s.FS.Remove(f.Name()))
	},
	opts: intoOut,
	want: []string{"X05 close fails with EIO: the code reported success, though close of shared/out had failed"},
}, {
	name: "an error of the close means nothing after reading", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		f, err := s.FS.Open(s.Path("out"))
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		_, err = f.Read(make([]byte, 100))
		return err
	},
	opts: overOut,
}, {
	name: "a name of chance on another way", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		if s.FS.Mkdir(s.Path("out"), 0o700) == nil {
			return nil
		}
		return s.FS.Mkdir(s.Path("r"+rand.Text()), 0o700)
	},
	opts: intoOut,
	want: []string{"R05 mkdirat fails with ENOSPC: the code returned nil, and left shared/* (directory", "X05 mkdirat fails with ENOSPC: the target out is not there"},
}, {
	name: "a name of chance on another way that is as good", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		dir := s.Path("lock")
		if s.FS.Mkdir(dir, 0o700) != nil {
			dir = s.Path("r" + rand.Text())
			if err := s.FS.Mkdir(dir, 0o700); err != nil {
				return err
			}
		}
		return s.FS.(*fsfake.FS).Rmdir(dir)
	},
}, {
	name: "a name of chance that is looked for on another way", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		if s.FS.Mkdir(filepath.Join(s.Home, "d"), 0o700) == nil {
			return nil
		}
		_, err := s.FS.Stat(s.Path("r" + rand.Text()))
		return absentIsFine(err)
	},
}, {
	name: "a name is tried again after any error, on another way", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		if s.FS.Mkdir(filepath.Join(s.Home, "d"), 0o700) == nil {
			return nil
		}
		return tries(s, func(i int, _ error) bool { return i < 3 })
	},
	want: []string{"?C14 mkdirat fails with ENOSPC, then openat fails with ENOSPC: the code tried once more"},
}, {
	name: "three more for one that could not be made", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		failed := false
		for i := 0; ; i++ {
			f, err := s.FS.OpenFile(unknown(s), newFile, 0o600)
			if err == nil {
				err = errors.Join(f.Close(), s.FS.Remove(f.Name()))
			} else if failed {
				return err
			} else {
				failed = true
				continue
			}
			if err != nil || !failed || i == 3 {
				return err
			}
		}
	},
	want: []string{"?C14 openat fails with ENOSPC: the code tried 3 times more, and returned nil"},
}, {
	name: "a panic where a name of its own is used", by: attack.Kills,
	victim: func(s *attack.Scene) error {
		p := unknown(s)
		f, err := s.FS.OpenFile(p, newFile, 0o600)
		if err != nil {
			return err
		}
		return errors.Join(s.FS.Chmod(p, 0o400), s.FS.Remove(p), f.Close())
	},
	opts: []attack.Option{mayBeKilled},
	want: []string{"by panic@Chmod:shared/*:inject_conditions_test.go"},
}, {
	name: "a panic where a name at home is used", by: attack.Kills,
	victim: func(s *attack.Scene) error {
		p := unknown(s)
		f, err := s.FS.OpenFile(p, newFile, 0o600)
		if err != nil {
			return err
		}
		return errors.Join(s.FS.Chmod(s.Home, 0o700), s.FS.Remove(p), f.Close())
	},
	opts: []attack.Option{mayBeKilled},
	want: []string{"by panic@Chmod:home:inject_conditions_test.go"},
}, {
	name: "it waits at a FIFO when a call fails", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		if _, err := s.FS.Stat(s.Dir); err == nil {
			return nil
		}
		f, err := s.FS.Open(s.Path("p"))
		if err != nil {
			return err
		}
		return f.Close()
	},
	opts: []attack.Option{attack.Setup(func(s *attack.Scene) error { return s.FS.(*fsfake.FS).Mkfifo(s.Path("p"), 0o600) })},
	want: []string{"X07 newfstatat fails with EACCES: the code did not come back: it waits at the FIFO"},
}, {
	name: "only the removal after the failure fails", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		dir := s.Path("d")
		if err := s.FS.Mkdir(dir, 0o700); err != nil {
			return err
		}
		_, err := s.FS.Stat(s.Dir)
		rm := s.FS.(*fsfake.FS).Rmdir(dir)
		if err != nil {
			return nil // which is not the removal's
		}
		return rm
	},
	want: []string{"R11 newfstatat fails with EACCES, and so do all later calls: the code returned nil, and left shared/d"},
}, {
	name: "a directory for a file whose content is chance", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		f, err := s.FS.OpenFile(s.Path("out"), newFile, 0o600)
		if err != nil {
			return s.FS.Mkdir(s.Path("out"), 0o600)
		}
		return errors.Join(writeRandom(f), f.Close())
	},
	opts: intoOut,
	want: []string{"X05 write fails with ENOSPC: the code returned an error: write shared/out: " + syscall.ENOSPC.Error() + ", and the target out is neither what was there before nor what an undisturbed run leaves: 0 bytes, \"\": it is empty",
		"X05 openat fails with ENOSPC: the target out is not what an undisturbed run leaves: a directory"},
}, {
	name: "a file with the mode of the directory beside it", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		if err := s.FS.Mkdir(s.Path("x1"), 0o700); err != nil {
			return err
		}
		if err := put(s.FS, s.Path("x2"), newFile, 0o700, ""); err != nil {
			return err
		}
		_ = s.FS.Chmod(s.Path("x2"), 0o600)
		return nil
	},
	opts: []attack.Option{attack.Target("x*")},
	want: []string{"X05 fchmodat fails with EPERM: the target x2 has mode 0700, and after an undisturbed run 0600"},
}, {
	name: "a second name of a file of importance", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		p := unknown(s)
		if err := s.FS.(*fsfake.FS).Link(filepath.Join(s.Home, "precious", "f"), p); err != nil {
			return err
		}
		if _, err := s.FS.Stat(s.Dir); err != nil {
			return err
		}
		return s.FS.Remove(p)
	},
	opts: precious,
	want: []string{"R05 newfstatat fails with EACCES: the code returned an error: "},
}, {
	name: "what is written to halves stays", by: attack.Faults,
	victim: func(s *attack.Scene) (err error) {
		f, err := afero.TempFile(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		n, err := f.Write(newContent)
		if err = errors.Join(err, f.Close()); n > 0 && n < len(newContent) {
			return err
		}
		return errors.Join(err, s.FS.Remove(f.Name()))
	},
	want: []string{"R05 write writes the first half only, and so do all later calls: the code returned an error"},
}, {
	name: "a file that gets a mode before it loses its name", by: attack.Kills,
	victim: func(s *attack.Scene) (err error) {
		p := unknown(s)
		f, err := s.FS.OpenFile(p, newFile, 0o600)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.FS.Remove(p), f.Close()) }()
		return s.FS.Chmod(p, 0o400)
	},
	want: []string{"?R07 SIGKILL came before fchmodat"},
}, {
	name: "another file loses its name first", by: attack.Kills,
	victim: func(s *attack.Scene) (err error) {
		p := unknown(s)
		f, err := s.FS.OpenFile(p, newFile, 0o600)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.FS.Remove(p), f.Close()) }()
		return s.FS.Remove(filepath.Join(s.Home, "other"))
	},
	opts: []attack.Option{attack.Setup(func(s *attack.Scene) error {
		return afero.WriteFile(s.FS, filepath.Join(s.Home, "other"), nil, 0o600)
	})},
	want: []string{"?R07 SIGKILL came before unlinkat"},
}, {
	name: "Setup leaves a file open", by: attack.Faults,
	victim: func(s *attack.Scene) error { return scratch(s, writeNew) },
	opts: []attack.Option{attack.Setup(func(s *attack.Scene) error {
		f, err := s.FS.OpenFile(s.Path("others"), newFile, 0o600)
		hold(f)
		return err
	})},
}, {
	name: "a directory outside of the scene is listed", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		_, err := afero.ReadDir(s.FS, "/")
		return errors.Join(err, scratch(s, writeNew))
	},
}, {
	name: "a listing that ends in an error", by: attack.Faults,
	victim: func(s *attack.Scene) error {
		d, err := s.FS.Open(s.Dir)
		if err != nil {
			return err
		}
		names, err := d.Readdirnames(-1)
		if err != nil && len(names) > 0 {
			panic("some names, and an error")
		}
		return errors.Join(err, d.Close())
	},
	opts: []attack.Option{attack.Setup(func(s *attack.Scene) error {
		return afero.WriteFile(s.FS, s.Path("others"), nil, 0o600)
	})},
	want: []string{"X07 getdents64 fails with EIO: the code panicked: some names, and an error"},
}}

// TestFakeInjectConditions: each victim is found to break exactly these rules, on
// a fake disk.
func TestFakeInjectConditions(t *testing.T) {
	for _, tt := range slices.Concat(injectConditions, lostConditions) {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.by(t, tt.victim, append(tt.opts[:len(tt.opts):len(tt.opts)], attack.Fake(), attack.ReportOnly())...)
			require.True(t, r.Complete, r.Problems)
			require.Len(t, r.Findings, len(tt.want), texts(r))
			for i, want := range tt.want {
				weak := ""
				if !r.Findings[i].Exploit {
					weak = "?"
				}
				got := fmt.Sprintf("%s%s %s, by %s", weak, r.Findings[i].Rule.ID(), r.Findings[i].Detail, r.Findings[i].Schedule)
				assert.Contains(t, got, want)
				assert.NotEmpty(t, r.Findings[i].Line)
			}
		})
	}
}
