package attack_test

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// TestFakeRace: each victim stands beside its nearest safe twin, which no lot may
// break. With the same lots the report is the same, word by word.
func TestFakeRace(t *testing.T) {
	for _, tt := range []struct {
		name   string
		victim attack.Victim
		opts   []attack.Option
		want   string
	}{
		{"check, then create", func(s *attack.Scene) error {
			if exists(s, s.Path("out")) {
				return fs.ErrExist
			}
			return afero.WriteFile(s.FS, s.Path("out"), []byte("defaults"), 0o600)
		}, []attack.Option{attack.Target("out")}, "X01 X05 X07 X10"},
		{"check, then create exclusively", func(s *attack.Scene) error {
			if exists(s, s.Path("out")) {
				return fs.ErrExist
			}
			return put(s.FS, s.Path("out"), newFile, 0o600, "defaults")
		}, []attack.Option{attack.Target("out")}, ""},
		{"three looks that must each see another thing", threeLooks, []attack.Option{attack.Target("out")}, "X01"},
		{"a rename over whatever is there", func(s *attack.Scene) error { return replaceOut(s, writeNew) },
			[]attack.Option{attack.Target("out")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := append(tt.opts[:len(tt.opts):len(tt.opts)], attack.Fake(), attack.ReportOnly(), attack.Schedules(2000), attack.Budget(time.Minute))
			r := attack.Race(t, tt.victim, opts...)
			assert.Equal(t, tt.want, rulesOf(found(r)), texts(found(r)))
			assert.Empty(t, r.Problems)
			assert.Equal(t, 2000, r.Attempts)
			assert.Positive(t, r.Hits)
			assert.Equal(t, tt.want != "", r.Wins > 0)
			if tt.want == "" {
				assert.InDelta(t, 3.0/2000, r.High, 0.0001, "the rule of three")
			}
			again := attack.Race(t, tt.victim, opts...)
			assert.Equal(t, texts(found(r)), texts(found(again)))
			for _, f := range r.Findings {
				same := attack.Prove(t, tt.victim, append(tt.opts[:len(tt.opts):len(tt.opts)], attack.Fake(), attack.ReportOnly(), attack.Replay(f.Schedule))...)
				assert.Contains(t, rulesOf(same), f.Rule.ID(), f.Schedule)
			}
		})
	}
}

// threeLooks is broken by three moves in turn, more than Prove tries unless it is
// told to.
func threeLooks(s *attack.Scene) error {
	for _, want := range []fs.FileMode{0, fs.ModeDir, 0} {
		fi, err := lstat(s, s.Path("lock"))
		if err != nil {
			return absentIsFine(err)
		}
		if fi.Mode().Type() != want {
			return errors.New("not what it should be")
		}
	}
	return s.FS.Chmod(s.Path("lock"), 0o600)
}

// TestFakeRaceBeyondDepth: so much more than the depth of a proof a race sees.
func TestFakeRaceBeyondDepth(t *testing.T) {
	opts := []attack.Option{attack.Fake(), attack.ReportOnly(), attack.Moves(attack.File, attack.Dir, attack.Symlink)}
	r := attack.Prove(t, threeLooks, opts...)
	require.True(t, r.Complete, r.Problems)
	assert.NotContains(t, rulesOf(r), "X01")
	raced := attack.Race(t, threeLooks, append(opts, attack.Schedules(5000), attack.Budget(time.Minute))...)
	assert.Contains(t, rulesOf(found(raced)), "X01", raced)
	attack.Race(t, threeLooks, attack.Fake(), attack.Expect(rules.X01), attack.Budget(time.Minute))
}

// found has the findings of a race as those of another verb.
func found(r *attack.RaceReport) *attack.Report { return &attack.Report{Findings: r.Findings} }
