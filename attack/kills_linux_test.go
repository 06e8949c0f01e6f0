package attack_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest"
	"golang.org/x/sys/unix"
)

// mayBeKilled accepts what a file with a name cannot help.
var mayBeKilled = attack.Allow(tmptest.R07, "the file must have a name")

// cancelled works on a temporary file until a signal cancels it.
func cancelled(s *attack.Scene, out func(f *os.File, err error) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, os.Interrupt)
	defer stop()
	f, err := os.CreateTemp(s.Dir, "work-*")
	if err != nil {
		return err
	}
	for range 3 {
		if err = ctx.Err(); err == nil {
			err = writeNew(f)
		}
		if err != nil {
			break
		}
	}
	return out(f, err)
}

// killTests are the oracles of Kills, each with a victim that only it catches
// and the nearest safe one.
var killTests = []oracleTest{{
	// R07: what has a name stays after SIGKILL
	name:   "a temporary file with a name",
	victim: func(s *attack.Scene) error { return scratch(s, writeNew) },
	want:   "R07",
}, {
	name:   "a temporary file with a name, which is accepted",
	victim: func(s *attack.Scene) error { return scratch(s, writeNew) },
	opts:   []attack.Option{mayBeKilled},
}, {
	name: "a file without a name",
	victim: func(s *attack.Scene) error {
		return unnamed(s, func(*os.File) error { return errors.New("there are unnamed files here") })
	},
}, {
	name: "a file that loses its name at once",
	victim: func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "work-*")
		if err != nil {
			return err
		}
		return errors.Join(os.Remove(f.Name()), writeNew(f), f.Close())
	},
}, {
	name: "a file that loses its name after the first write",
	victim: func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "work-*")
		if err != nil {
			return err
		}
		return errors.Join(writeNew(f), os.Remove(f.Name()), f.Close())
	},
	want: "R07",
}, {
	// C05: what stays is private
	name: "a temporary file that others can read",
	victim: func(s *attack.Scene) error {
		p := s.Path(fmt.Sprintf("work-%d", random()))
		return errors.Join(write(p, excl, 0o644, "secret"), os.Remove(p))
	},
	opts: []attack.Option{mayBeKilled},
	want: "C05",
}, {
	name: "a temporary file that others cannot read",
	victim: func(s *attack.Scene) error {
		p := s.Path(fmt.Sprintf("work-%d", random()))
		return errors.Join(write(p, excl, 0o600, "secret"), os.Remove(p))
	},
	opts: []attack.Option{mayBeKilled},
}, {
	name: "a file of any mode in a private directory",
	victim: func(s *attack.Scene) error {
		dir, err := os.MkdirTemp(s.Dir, "work-*")
		if err != nil {
			return err
		}
		return errors.Join(write(filepath.Join(dir, "f"), excl, 0o644, "secret"), os.RemoveAll(dir))
	},
	opts: []attack.Option{mayBeKilled},
}, {
	// X05: the target is the old one or the new one, whole
	name:   "the target is written in place",
	victim: func(s *attack.Scene) error { return os.WriteFile(s.Path("out"), newContent, 0o600) },
	opts:   overOut,
	want:   "X05",
}, {
	name:   "the target is replaced",
	victim: func(s *attack.Scene) error { return replaceOut(s, writeNew) },
	opts:   append(overOut, mayBeKilled),
}, {
	name: "the old target is moved away first",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(f *os.File) error { return errors.Join(writeNew(f), os.Rename(s.Path("out"), s.Path("out.old"))) })
	},
	opts: append(overOut, mayBeKilled, attack.Target("out.old")),
	want: "X05",
}, {
	name: "a directory is filled in place",
	victim: func(s *attack.Scene) error {
		return errors.Join(os.Mkdir(s.Path("app"), 0o700), write(s.Path("app", "a"), excl, 0o600, "a"))
	},
	opts: []attack.Option{attack.Target("app")},
	want: "X05",
}, {
	// R06: a signal that is handled is no excuse
	name: "a cancelled context leaves the file",
	victim: func(s *attack.Scene) error {
		return cancelled(s, func(f *os.File, err error) error {
			if err != nil {
				return errors.Join(err, f.Close())
			}
			return errors.Join(f.Close(), os.Remove(f.Name()))
		})
	},
	opts: []attack.Option{mayBeKilled},
	want: "R06",
}, {
	name: "a cancelled context removes the file",
	victim: func(s *attack.Scene) error {
		return cancelled(s, func(f *os.File, err error) error { return errors.Join(err, f.Close(), os.Remove(f.Name())) })
	},
	opts: []attack.Option{mayBeKilled},
}, {
	name:   "a handler ends the process and leaves the file",
	victim: func(s *attack.Scene) error { return handled(s, func(string) {}) },
	opts:   []attack.Option{mayBeKilled},
	want:   "R06",
}, {
	name:   "a handler removes the file and ends the process",
	victim: func(s *attack.Scene) error { return handled(s, func(name string) { _ = os.Remove(name) }) },
	opts:   []attack.Option{mayBeKilled},
}, {
	name: "a handler dies of the signal in the end, and leaves the file",
	victim: func(s *attack.Scene) error {
		return handled(s, func(name string) { _ = os.Chmod(name, 0o600); reraise() })
	},
	opts: []attack.Option{mayBeKilled},
	want: "R06",
}, {
	name:   "a handler removes the file and dies of the signal",
	victim: func(s *attack.Scene) error { return handled(s, func(name string) { _ = os.Remove(name); reraise() }) },
	opts:   []attack.Option{mayBeKilled},
}, {
	// X07: it does not wait for ever then
	name: "a signal has it wait for ever",
	victim: func(s *attack.Scene) error {
		return cancelled(s, func(f *os.File, _ error) error {
			if errors.Join(f.Close(), os.Remove(f.Name())) == nil {
				return nil
			}
			select {}
		})
	},
	opts: []attack.Option{mayBeKilled},
}, {
	// R06: a panic is no excuse
	name: "a panic leaves the file",
	victim: func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, s.Dir, "work-")
		if err != nil {
			return err
		}
		_, err = f.Write(newContent)
		return errors.Join(err, f.Close(), s.FS.Remove(f.Name()))
	},
	opts: []attack.Option{mayBeKilled},
	want: "R06",
}, {
	name: "a panic does not keep the file from being removed",
	victim: func(s *attack.Scene) (err error) {
		f, err := afero.TempFile(s.FS, s.Dir, "work-")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close(), s.FS.Remove(f.Name())) }()
		_, err = f.Write(newContent)
		return err
	},
	opts: []attack.Option{mayBeKilled},
}, {
	name: "a panic of a callback leaves the file",
	victim: func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "work-*")
		if err != nil {
			return err
		}
		s.Point()
		return errors.Join(f.Close(), os.Remove(f.Name()))
	},
	opts: []attack.Option{mayBeKilled},
	want: "R06",
}, {
	name: "a panic of a callback does not keep the file from being removed",
	victim: func(s *attack.Scene) error {
		return scratch(s, func(f *os.File) error { s.Point(); return nil })
	},
	opts: []attack.Option{mayBeKilled},
}, {
	name: "a panic is taken for success",
	victim: func(s *attack.Scene) error {
		defer func() { _ = recover() }()
		return replaceOut(s, func(f *os.File) error { s.Point(); return writeNew(f) })
	},
	opts: append(intoOut, mayBeKilled),
	want: "R06 X05",
}, {
	name: "a panic goes on to the caller",
	victim: func(s *attack.Scene) (err error) {
		done := false
		return replaceOut(s, func(f *os.File) error {
			defer func() {
				if !done {
					_ = os.Remove(f.Name())
				}
			}()
			s.Point()
			done = true
			return writeNew(f)
		})
	},
	opts: append(intoOut, mayBeKilled),
}, {
	// other programs
	name: "sh: a temporary file with a name",
	victim: func(s *attack.Scene) error {
		return exec.Command("/bin/sh", "-c", `f=$(mktemp) && echo x > "$f" && rm "$f"`).Run()
	},
	want: "R07",
}}

// handled works on a temporary file and has a handler for signals, which ends
// the process.
func handled(s *attack.Scene, clean func(name string)) error {
	f, err := os.CreateTemp(s.Dir, "work-*")
	if err != nil {
		return err
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGTERM, os.Interrupt)
	done := make(chan bool)
	ended := make(chan bool)
	go func() {
		defer close(ended)
		select {
		case <-c:
			clean(f.Name())
			os.Exit(1)
		case <-done:
		}
	}()
	err = errors.Join(writeNew(f), f.Close(), os.Remove(f.Name()))
	signal.Stop(c)
	close(done)
	<-ended
	return err
}

// reraise dies of SIGTERM as if there were no handler.
func reraise() {
	signal.Reset(unix.SIGTERM, os.Interrupt)
	_ = unix.Kill(os.Getpid(), unix.SIGTERM)
	time.Sleep(time.Minute) // of which the signal makes an end
}

// TestKills: each victim is found to break exactly these rules.
func TestKills(t *testing.T) {
	for _, tt := range killTests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.slow && testing.Short() {
				t.Skip("takes seconds: left out with -short")
			}
			tt.run(t, attack.Kills)
		})
	}
}

// run tries the victim by a verb.
func (tt oracleTest) run(t *testing.T, verb func(*testing.T, attack.Victim, ...attack.Option) *attack.Report) {
	r := verb(t, tt.victim, append(tt.opts, attack.ReportOnly())...)
	assert.Equal(t, tt.want, ruleIDs(r))
	require.True(t, r.Complete)
	show(t, r)
}
