package attack_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	randv2 "math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/fsfake"
)

// saveAs replaces the target by a rename, with content that varies as a row says.
func saveAs(content func() string) attack.Victim {
	return func(s *attack.Scene) error {
		return replaceOut(s, func(f afero.File) error { _, err := f.WriteString(content()); return err })
	}
}

var saved int

// correctTests are programs in which no race may find anything.
var correctTests = []struct {
	name   string
	victim attack.Victim
	opts   []attack.Option
}{
	{"a temporary file", func(s *attack.Scene) error { return scratch(s, writeNew) }, nil},
	{"a target that is replaced", saveAs(func() string { return "same" }), intoOut},
	{"an old target that is replaced", saveAs(func() string { return "same" }), overOut},
	{"a target with the process id", saveAs(func() string { return fmt.Sprint(os.Getpid()) }), intoOut},
	{"a target with the time", saveAs(func() string { return time.Now().String() }), intoOut},
	{"a target with the tenth of a second", saveAs(func() string { return fmt.Sprint(time.Now().UnixMilli() / 100) }), intoOut},
	{"a target with a counter", saveAs(func() string { saved++; return fmt.Sprint(saved) }), intoOut},
	{"a target with a random text", saveAs(rand.Text), intoOut},
	{"a target with a throw of a die", saveAs(func() string { return fmt.Sprint(randv2.IntN(6)) }), intoOut},
	{"a target that is other once in twenty times", saveAs(func() string {
		if randv2.IntN(20) == 0 {
			return "rare"
		}
		return "usual"
	}), intoOut},
	{"a target that is there half of the time", func(s *attack.Scene) error {
		if randv2.IntN(2) == 0 {
			return scratch(s, writeNew)
		}
		return replaceOut(s, writeNew)
	}, intoOut},
	{"a directory with a fixed name in it", func(s *attack.Scene) error {
		return inDir(s, func(dir string) error {
			return errors.Join(put(s.FS, filepath.Join(dir, "f"), newFile, 0o600, "x"), s.FS.RemoveAll(dir))
		})
	}, nil},
	{"a directory that is renamed to the target", func(s *attack.Scene) error {
		return inDir(s, func(dir string) error {
			if err := put(s.FS, filepath.Join(dir, "f"), newFile, 0o600, "x"); err != nil {
				return errors.Join(err, s.FS.RemoveAll(dir))
			}
			if err := s.FS.Rename(dir, s.Path("out")); err != nil {
				return errors.Join(err, s.FS.RemoveAll(dir))
			}
			return nil
		})
	}, intoOut},
	{"an exclusive target", func(s *attack.Scene) error {
		return put(s.FS, s.Path("out"), newFile, 0o600, "1")
	}, intoOut},
	{"a lock file", func(s *attack.Scene) error {
		if err := put(s.FS, s.Path("lock"), newFile, 0o600, "1"); err != nil {
			return err
		}
		return s.FS.Remove(s.Path("lock"))
	}, []attack.Option{attack.Target("lock")}},
	{"a lock directory", func(s *attack.Scene) error {
		if err := s.FS.Mkdir(s.Path("lock"), 0o700); err != nil {
			return err
		}
		return s.FS.(interface{ Rmdir(string) error }).Rmdir(s.Path("lock"))
	}, []attack.Option{attack.Target("lock")}},
	{"nothing in the shared directory", func(s *attack.Scene) error {
		return afero.WriteFile(s.FS, filepath.Join(s.Home, "f"), newContent, 0o644)
	}, nil},
	{"a random name, made exclusively", func(s *attack.Scene) error {
		name := unknown(s)
		if err := put(s.FS, name, newFile, 0o600, "x"); err != nil {
			return err
		}
		return s.FS.Remove(name)
	}, nil},
	{"files in goroutines of their own", func(s *attack.Scene) error {
		errs := make([]error, 3)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { errs[i] = scratch(s, writeNew) })
		}
		all.Wait()
		return errors.Join(errs...)
	}, nil},
	{"a file that is read back through its descriptor", func(s *attack.Scene) error {
		return scratch(s, func(f afero.File) error {
			if err := writeNew(f); err != nil {
				return err
			}
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				return err
			}
			_, err := io.ReadAll(f)
			return err
		})
	}, nil},
	{"a file without a name", func(s *attack.Scene) error {
		return unnamed(s, func(f afero.File) error { return errors.Join(writeNew(f), f.Close(), s.FS.Remove(f.Name())) })
	}, nil},
	{"a name that is tried until it is free", func(s *attack.Scene) error {
		return tries(s, func(i int, err error) bool { return errors.Is(err, fs.ErrExist) && i < 100 })
	}, nil},
	{"it sleeps", func(s *attack.Scene) error {
		return scratch(s, func(f afero.File) error { time.Sleep(20 * time.Millisecond); return writeNew(f) })
	}, nil},
	{"a log at home", func(s *attack.Scene) error {
		return put(s.FS, filepath.Join(s.Home, "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600, "x")
	}, []attack.Option{attack.Setup(func(s *attack.Scene) error {
		return afero.WriteFile(s.FS, filepath.Join(s.Home, "log"), nil, 0o600)
	})}},
}

var _ interface{ Rmdir(string) error } = (*fsfake.FS)(nil)

// TestRaceCorrect: no race is red on code that is correct, on either disk. With
// TMPPROOF_LONG=1 each is raced fifty times.
func TestRaceCorrect(t *testing.T) {
	rounds := 1
	if attack.Long {
		rounds = 50
	}
	for _, tt := range correctTests {
		t.Run(tt.name, func(t *testing.T) {
			for range rounds {
				for _, where := range [][]attack.Option{{attack.Fake()}, nil} {
					if where == nil && (!attack.RaceRuns || tt.name == "a lock directory") {
						continue
					}
					opts := append(append(where, attack.Budget(200*time.Millisecond)), tt.opts...)
					r := attack.Race(t, tt.victim, opts...)
					assert.LessOrEqual(t, r.Wins, r.Hits)
					assert.LessOrEqual(t, r.Hits, r.Attempts)
				}
			}
		})
	}
}
