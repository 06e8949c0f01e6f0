package hunt_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/fsfake"
	"github.com/tmpproof/tmpproof/internal/hunt"
)

// TestPrograms holds attack's verdicts on the fake disk against the second
// attacker's, with and without the sticky bit. It prints each program that they
// differ on as small as it can be made.
func TestPrograms(t *testing.T) {
	s := &fakeSearch{t: t, ground: hunt.NewFakeGround(), depth: number(t, envDepth, 1), counts: map[string]int{}, seen: map[string]int{}}
	if text := os.Getenv(envProgram); text != "" {
		p, err := hunt.Parse(text)
		require.NoError(t, err)
		for _, unsticky := range []bool{false, true} {
			s.try(p, unsticky)
		}
		return
	}
	n := number(t, envCount, 0)
	if n == 0 {
		t.Skipf("%s=n says how many programs are to be tried", envCount)
	}
	first := number(t, envFrom, 0)
	for i := first; i < first+n; i++ {
		p, err := hunt.Mended(s.ground, hunt.Generate(uint64(i), hunt.Lot{Most: number(t, envMost, 8)}))
		require.NoError(t, err)
		s.try(p, i%2 == 1)
	}
	t.Logf("%v; %d runs of the second attacker, %d schedules", s.counts, s.runs, s.schedules)
}

type fakeSearch struct {
	t               *testing.T
	ground          *hunt.FakeGround
	depth           int
	counts          map[string]int
	seen            map[string]int // what was printed
	runs, schedules int
	n               int
}

func (s *fakeSearch) try(p *hunt.Program, unsticky bool) {
	kinds, _, verdict := s.compare(p, unsticky)
	switch {
	case verdict.Fails || verdict.Idle:
		s.counts["proves nothing"]++
	case len(verdict.Broken) == 0:
		s.counts["safe"]++
	default:
		s.counts["broken"]++
	}
	for _, kind := range unexplained(kinds, p, s.depth, s.counts) {
		s.counts[kind]++
		small := hunt.Shrink(p, func(q *hunt.Program) bool {
			kinds, _, _ := s.compare(q, unsticky)
			return slices.Contains(kinds, kind)
		})
		key := fmt.Sprintf("%s, unsticky=%v: %s", kind, unsticky, small)
		if s.seen[key]++; s.seen[key] == 1 {
			_, text, _ := s.compare(small, unsticky)
			s.t.Errorf("%s\n%s  from %s\n%s", key, text, p, small.Go(true))
		}
	}
}

// compare runs both. Each proof has a test of its own, so that its goroutines
// and calls do not add up.
func (s *fakeSearch) compare(p *hunt.Program, unsticky bool) (kinds []string, text string, v *hunt.Verdict) {
	v, err := hunt.Judge(s.ground, p, unsticky, s.depth)
	require.NoError(s.t, err, p)
	s.runs += v.Runs
	if v.Fails || v.Idle {
		return nil, "", v
	}
	s.n++
	s.t.Run(fmt.Sprint(s.n), func(t *testing.T) {
		machine := func(scene *attack.Scene) *hunt.Machine {
			return &hunt.Machine{Sys: hunt.FakeSystem(scene.FS.(*fsfake.FS), scene.Dir)}
		}
		opts := append(options(p, unsticky, s.depth, machine), attack.Fake())
		r := attack.Prove(t, func(scene *attack.Scene) error { return machine(scene).Run(p) }, opts...)
		s.schedules += r.Schedules
		kinds, text = differences(v, r, func(schedule string) []string {
			rules, err := hunt.Confirm(s.ground, p, unsticky, schedule)
			require.NoError(t, err)
			return rules
		})
	})
	return kinds, text, v
}
