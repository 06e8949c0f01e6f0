package attack

import (
	"errors"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
)

// threeCalls is the victim that the speed of schedules is measured with: three
// boundaries, as O_EXCL create, write and rename.
func threeCalls(s *Scene) error {
	f, err := afero.TempFile(s.FS, s.Dir, "out-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString("the code's own data\n")
	if err = errors.Join(err, f.Close()); err == nil {
		err = s.FS.Rename(f.Name(), s.Path("out"))
	}
	if err != nil {
		return errors.Join(err, s.FS.Remove(f.Name()))
	}
	return nil
}

// BenchmarkFakeSchedule is one schedule of the three-boundary victim on a fake
// disk, scene reset and judgement included, taken from all schedules of up to
// two moves in turn.
func BenchmarkFakeSchedule(b *testing.B) {
	opt, err := newOptions(prove, []Option{Fake(), Target("out"), Unsticky()})
	require.NoError(b, err)
	opt.budget = time.Hour
	deadline := time.Now().Add(opt.budget)
	e := &explorer{opt: opt, test: b.Name(), report: &Report{}, found: &findings{groups: map[string]*group{}}, deadline: deadline,
		open: func(start) (world, error) { return openFake(b, threeCalls, opt, deadline) }}
	e.worlds, e.first, e.spare = newWorlds(), &lane{e: e}, &lane{e: e}
	base, err := e.baselines()
	require.NoError(b, err)
	var all [][]placed
	for _, p := range e.extensions(base, nil) {
		one := []placed{p}
		all = append(all, one)
		r, err := e.attempt(job{schedule: one})
		require.NoError(b, err)
		if e.record(r) {
			continue
		}
		for _, q := range e.extensions(r, one) {
			all = append(all, []placed{p, q})
		}
	}
	b.ReportAllocs()
	i := 0
	w, err := e.first.get()
	require.NoError(b, err)
	require.NoError(b, w.(driver).drive(func() { // as the search does
		for b.Loop() {
			var r *run
			if r, err = e.attempt(job{schedule: all[i%len(all)]}); err != nil || r == nil {
				return
			}
			e.record(r)
			i++
		}
	}))
	require.NoError(b, err)
	b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "schedules/s")
	b.ReportMetric(float64(len(all)), "distinct")
	require.NoError(b, e.closeWorlds())
}
