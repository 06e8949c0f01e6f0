package attack

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inexactWorld shows a call twice now and then, as a kernel before 5.19 does
// where a signal comes between the answer and the victim's waking up.
type inexactWorld struct {
	driver
	every, call int // in which runs, and which call
	runs        int
}

func (w *inexactWorld) exact() bool { return false }

func (w *inexactWorld) run(a *attacker, h hooks) (*outcome, error) {
	n, at := 0, h.at
	w.runs++
	h.at = func(b *boundary) error {
		if n++; n == w.call && w.runs%w.every == 0 {
			if err := at(b); err != nil {
				return err
			}
			b.answer = answer{} // it has found nobody
			if b.refresh != nil {
				b.refresh()
			}
		}
		return at(b)
	}
	return w.driver.run(a, h)
}

// TestInexact: a call that is shown twice changes neither the findings nor an
// interleaving, whichever run it comes in.
func TestInexact(t *testing.T) {
	created := func(flag int) Victim {
		return func(s *Scene) error {
			if _, err := s.FS.Stat(s.Path("out")); err == nil {
				return os.ErrExist
			}
			f, err := s.FS.OpenFile(s.Path("out"), os.O_WRONLY|os.O_CREATE|flag, 0o600)
			if err != nil {
				return err
			}
			_, err = f.WriteString("x")
			return errors.Join(err, f.Close())
		}
	}
	replaced := func(swallowed error) Victim {
		return func(s *Scene) error {
			f, err := afero.TempFile(s.FS, s.Dir, "new-*")
			if err != nil {
				return err
			}
			_, err = f.WriteString("x")
			if errors.Is(err, swallowed) {
				err = nil
			}
			if err = errors.Join(err, f.Close()); err == nil {
				err = s.FS.Rename(f.Name(), s.Path("out"))
			}
			if err != nil {
				err = errors.Join(err, s.FS.Remove(f.Name()))
			}
			return err
		}
	}
	for _, tt := range []struct {
		name   string
		how    verb
		victim Victim
		opts   []Option
		broken bool
	}{
		{"check, then create", prove, created(0), []Option{Depth(1)}, true},
		{"check, then create exclusively", prove, created(os.O_EXCL), []Option{Depth(1)}, false},
		{"a full disk is nothing to tell", faults, replaced(syscall.ENOSPC), nil, true},
		{"all errors are told", faults, replaced(syscall.EXDEV), nil, false},
		{"killed while it writes in place", kills, created(0), nil, true},
	} {
		opts := append(tt.opts, Target("out"), ReportOnly())
		want := exploreFakeBy(tt.how, t, tt.victim, opts...)
		require.True(t, want.Complete)
		assert.Equal(t, tt.broken, len(want.Findings) > 0, want.Findings)
		for _, every := range []int{4, 5, 7, 11} {
			for call := 1; call <= 4; call++ {
				t.Run(fmt.Sprintf("%s: call %d in each %dth run", tt.name, call, every), func(t *testing.T) {
					got := exploreIn(func(w world) world { return &inexactWorld{driver: w.(driver), every: every, call: call} }, tt.how, t, tt.victim, opts...)
					assert.True(t, got.Complete, got.Problems)
					assert.Equal(t, fmt.Sprint(want.Findings), fmt.Sprint(got.Findings))
					assert.Equal(t, want.Boundaries, got.Boundaries)
					assert.Equal(t, want.Schedules, got.Schedules)
				})
			}
		}
	}
}
