package attack

import (
	"errors"
	"fmt"
	"os"
	"testing"

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
	victim := func(flag int) Victim {
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
	for _, flag := range []int{0, os.O_EXCL} {
		opts := []Option{Target("out"), Depth(1), ReportOnly()}
		want := exploreFake(t, victim(flag), opts...)
		require.True(t, want.Complete)
		assert.Equal(t, flag == 0, len(want.Findings) > 0)
		for _, every := range []int{4, 5, 7, 11} {
			for call := 1; call <= 2; call++ {
				t.Run(fmt.Sprintf("flag %#x, call %d in each %dth run", flag, call, every), func(t *testing.T) {
					got := exploreIn(func(w world) world { return &inexactWorld{driver: w.(driver), every: every, call: call} }, prove, t, victim(flag), opts...)
					assert.True(t, got.Complete, got.Problems)
					assert.Equal(t, fmt.Sprint(want.Findings), fmt.Sprint(got.Findings))
					assert.Equal(t, want.Boundaries, got.Boundaries)
					assert.Equal(t, want.Schedules, got.Schedules)
				})
			}
		}
	}
}
