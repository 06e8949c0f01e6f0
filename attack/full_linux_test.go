package attack

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReductionLosesNothing holds the explorer, which makes a move only right
// before a call that looks the moved entry up, against the full search, which
// makes every move at every boundary: the same rules at the same lines.
func TestReductionLosesNothing(t *testing.T) {
	some := Moves(Symlink, Dir, Remove)
	for _, tt := range []struct {
		name   string
		victim Victim
		opts   []Option
		names  []string // every name below Dir that the victim or the attacker can use
	}{{
		name: "looks, then removes below",
		victim: func(s *Scene) error {
			fi, err := os.Lstat(s.Path("cache"))
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || !fi.IsDir() {
				return errors.New("not a directory")
			}
			err = os.Remove(s.Path("cache", "kept"))
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
			return err
		},
		opts:  []Option{some},
		names: []string{"shared/cache", "shared/cache/kept"},
	}, {
		name: "two names, one checked",
		victim: func(s *Scene) error {
			if _, err := os.Lstat(s.Path("a")); err == nil {
				return errors.New("exists")
			}
			if err := os.Mkdir(s.Path("b"), 0o700); err != nil {
				return err
			}
			return errors.Join(os.WriteFile(s.Path("a"), nil, 0o600), os.Remove(s.Path("a")), os.Remove(s.Path("b")))
		},
		opts:  []Option{some},
		names: []string{"shared/a", "shared/b"},
	}, {
		name: "a directory, no sticky bit",
		victim: func(s *Scene) error {
			if err := os.Mkdir(s.Path("d"), 0o700); err != nil {
				return err
			}
			f, err := os.OpenFile(s.Path("d", "f"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return errors.Join(err, os.Remove(s.Path("d")))
			}
			return errors.Join(f.Close(), os.Remove(s.Path("d", "f")), os.Remove(s.Path("d")))
		},
		opts:  []Option{some, Unsticky()},
		names: []string{"shared/d", "shared/d/f"},
	}} {
		t.Run(tt.name, func(t *testing.T) {
			full := optionFunc(func(o *options) { o.everywhere = tt.names })
			reduced := Prove(t, tt.victim, append(tt.opts, ReportOnly())...)
			all := Prove(t, tt.victim, append(tt.opts, ReportOnly(), full)...)
			require.True(t, reduced.Complete && all.Complete)
			assert.LessOrEqual(t, reduced.Schedules, all.Schedules)
			assert.Equal(t, causes(all), causes(reduced))
			t.Logf("%d schedules instead of %d", reduced.Schedules, all.Schedules)
		})
	}
}

// causes are the rules of a report with their lines.
func causes(r *Report) []string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, f.Rule.ID()+" at "+f.Line)
	}
	slices.Sort(all)
	return all
}
