package attack_test

import (
	"errors"
	"io"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
)

// errno counts of the tables, by which the rows count: Mkdir, a stat of a name, a
// listing, an open for reading, and what follows them for good.
const (
	ofMkdir = 10
	ofStat  = 3
	ofList  = 1
	ofOpen  = 6 // and EINTR is not for good; the close of a directory does not fail
)

// TestFakeInjectSchedules counts what is tried, by hand from the tables of errors:
// each error alone and for good, and another way once, since it is the same after
// each error.
func TestFakeInjectSchedules(t *testing.T) {
	other := func(more func(s *attack.Scene) error) attack.Victim {
		return func(s *attack.Scene) error {
			err := s.FS.Mkdir(s.Path("out"), 0o700)
			if err == nil {
				return nil
			}
			return more(s)
		}
	}
	stat := func(s *attack.Scene) error { _, err := s.FS.Stat(s.Dir); return err }
	list := func(n int) attack.Victim {
		return func(s *attack.Scene) error {
			d, err := s.FS.Open(s.Dir)
			if err != nil {
				return err
			}
			_, err = d.Readdirnames(n)
			if err := d.Close(); err != nil {
				return err
			}
			return err
		}
	}
	oneFile := attack.Setup(func(s *attack.Scene) error { return afero.WriteFile(s.FS, s.Path("out"), nil, 0o600) })
	for _, tt := range []struct {
		name   string
		by     verb
		victim attack.Victim
		opts   []attack.Option
		want   int
	}{
		{"another way", attack.Faults, other(stat), nil, 2*ofMkdir + 2*ofStat},
		{"and on it another", attack.Faults, other(func(s *attack.Scene) error {
			if stat(s) == nil {
				return nil
			}
			_, err := s.FS.Stat(s.Home)
			return err
		}), nil, 2*ofMkdir + 2*ofStat},
		{"a way on a disk that is gone", attack.Faults, other(func(s *attack.Scene) error {
			if stat(s) != nil {
				_, _ = s.FS.Stat(s.Home)
			}
			return nil
		}), nil, 2*ofMkdir + 2*ofStat},
		{"a way that ends in an error", attack.Faults, other(func(s *attack.Scene) error {
			return errors.Join(errors.New("no"), stat(s))
		}), nil, 2 * ofMkdir},
		{"a listing, and its end", attack.Faults, list(-1), []attack.Option{oneFile}, 2*ofOpen - 1 + 2*2*ofList},
		{"an empty one", attack.Faults, list(-1), nil, 2*ofOpen - 1 + 2*2*ofList},
		{"more than there is", attack.Faults, list(2), []attack.Option{oneFile}, 2*ofOpen - 1 + 2*2*ofList},
		{"as much as there is", attack.Faults, list(1), []attack.Option{oneFile}, 2*ofOpen - 1 + 2*ofList},
		{"more than there is in an empty one", attack.Faults, func(s *attack.Scene) error {
			err := list(1)(s)
			if err == io.EOF {
				err = nil
			}
			return err
		}, nil, 2*ofOpen - 1 + 2*2*ofList},
		{"one by one", attack.Faults, func(s *attack.Scene) error {
			d, err := s.FS.Open(s.Dir)
			if err != nil {
				return err
			}
			for err == nil {
				_, err = d.Readdirnames(1)
			}
			if err == io.EOF {
				err = nil
			}
			return errors.Join(err, d.Close())
		}, []attack.Option{oneFile}, 2*ofOpen - 1 + 2*2*ofList},
		{"SIGKILL; a panic and a Goexit", attack.Kills, other(stat), nil, 1 + 2},
		{"a panic that is caught, and another way", attack.Kills, func(s *attack.Scene) (err error) {
			defer func() {
				if recover() != nil {
					err = stat(s)
				}
			}()
			s.Point()
			return s.FS.Mkdir(s.Path("out"), 0o700)
		}, nil, 1 + 2*2},
		{"Setup is left alone", attack.Kills, other(stat), []attack.Option{attack.Setup(func(s *attack.Scene) error {
			s.Point()
			return afero.WriteFile(s.FS, s.Path("in"), nil, 0o600)
		})}, 1 + 2}, // with as many boundaries
	} {
		r := tt.by(t, tt.victim, append(tt.opts[:len(tt.opts):len(tt.opts)], attack.Target("out"), attack.Fake(), attack.ReportOnly())...)
		assert.True(t, r.Complete, "%s: %v", tt.name, r.Problems)
		assert.Equal(t, tt.want, r.Schedules, "%s\n%s", tt.name, r)
		if tt.want == 1+2 {
			assert.Equal(t, 2, r.Boundaries, "%s: mkdirat, and the point before it", tt.name)
		}
	}
}
