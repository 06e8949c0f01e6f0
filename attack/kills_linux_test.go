package attack_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"golang.org/x/sys/unix"
)

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

// signalTests are further victims of Kills, which handle signals or start
// programs.
var signalTests = []victimTest{{
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

// TestKills: each victim is found to break exactly these rules, and in the same
// words on a fake disk.
func TestKills(t *testing.T) {
	for _, tt := range attack.Sample(killTests) {
		t.Run(tt.name, func(t *testing.T) { t.Parallel(); tt.agrees(t, attack.Kills) })
	}
	for _, tt := range attack.Sample(signalTests) {
		t.Run(tt.name, func(t *testing.T) { t.Parallel(); tt.run(t, attack.Kills) })
	}
}

// run tries the victim by a verb on the system's disk.
func (tt victimTest) run(t *testing.T, by verb) *attack.Report {
	if tt.slow && !attack.Long {
		t.Skip("takes seconds: run with TMPPROOF_LONG=1")
	}
	r := by(t, tt.victim, append(tt.opts[:len(tt.opts):len(tt.opts)], attack.ReportOnly())...)
	assert.Equal(t, tt.want, rulesOf(r), texts(r))
	require.True(t, r.Complete, r.Problems)
	show(t, r)
	return r
}

// agrees tries the victim in both worlds.
func (tt victimTest) agrees(t *testing.T, by verb) {
	real := tt.run(t, by)
	fake := by(t, tt.victim, append(tt.opts[:len(tt.opts):len(tt.opts)], attack.ReportOnly(), attack.Fake())...)
	assert.Equal(t, tt.want, rulesOf(fake), "on the fake disk:\n%s", texts(fake))
	assert.Equal(t, texts(real), texts(fake))
	assert.Equal(t, real.Boundaries, fake.Boundaries)
	assert.True(t, fake.Complete, fake.Problems)
}
