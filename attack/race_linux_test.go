package attack_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

// statThenWrite is the easy victim: what it finds absent it creates, and takes
// what is there by then.
func statThenWrite(s *attack.Scene) error {
	if _, err := os.Stat(s.Path("out")); err == nil {
		return errors.New("exists")
	}
	return os.WriteFile(s.Path("out"), []byte("defaults"), 0o600)
}

// statThenCreate is its safe twin.
func statThenCreate(s *attack.Scene) error {
	if _, err := os.Stat(s.Path("out")); err == nil {
		return errors.New("exists")
	}
	return write(s.Path("out"), excl, 0o600, "defaults")
}

// onCPUs keeps the threads of this process, and those that they start, on so
// many processors until the test ends.
func onCPUs(t *testing.T, n int) {
	t.Helper()
	var all, some unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &all))
	for cpu := 0; some.Count() < n; cpu++ {
		require.Less(t, cpu, 1024, "%d processors are needed", n)
		if all.IsSet(cpu) {
			some.Set(cpu)
		}
	}
	set := func(to *unix.CPUSet) {
		tasks, err := os.ReadDir("/proc/self/task")
		require.NoError(t, err)
		for _, task := range tasks {
			tid, _ := strconv.Atoi(task.Name())
			_ = unix.SchedSetaffinity(tid, to) // it may have ended
		}
	}
	set(&some)
	t.Cleanup(func() { set(&all) })
}

func deep() bool { return os.Getenv("TMPPROOF_DEEP") == "1" }

// trials is how often the race is run where luck must show itself: a hundred
// times with TMPPROOF_DEEP=1.
func trials() int {
	if deep() {
		return 100
	}
	return 5
}

func TestRaceWins(t *testing.T) {
	var set unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &set))
	for _, cpus := range []int{1, 2} {
		if cpus > set.Count() {
			t.Logf("%d processors: this machine has %d", cpus, set.Count())
			continue
		}
		for i := range trials() {
			t.Run(fmt.Sprintf("cpus=%d/%d", cpus, i), func(t *testing.T) {
				onCPUs(t, cpus)
				r := attack.Race(t, statThenWrite, attack.Target("out"), attack.Expect(rules.X01, rules.X10, rules.X05), attack.Budget(30*time.Second))
				t.Logf("won after %v, %+v", r.Elapsed, *r)
				assert.Positive(t, r.Wins)
				assert.LessOrEqual(t, r.Attempts, 60)
				if deep() { // on a machine that has nothing else to do
					assert.Less(t, r.Elapsed, time.Second)
				}
			})
		}
	}
}

// Each victim stands beside its nearest safe twin, which no race may break.
func TestRaceTwins(t *testing.T) {
	bounded := []attack.Option{attack.Schedules(200), attack.Budget(40 * time.Second)}
	for _, tt := range []struct {
		name   string
		victim attack.Victim
		opts   []attack.Option
		want   []rules.Rule // any of them; none for a safe twin
	}{
		{"check, then create", statThenWrite, []attack.Option{attack.Target("out")}, []rules.Rule{rules.X01, rules.X10, rules.X05, rules.X07}},
		{"check, then create exclusively", statThenCreate, []attack.Option{attack.Target("out")}, nil},
		{"a name that was given up is used again", func(s *attack.Scene) error {
			name, err := temp(s)
			if err != nil {
				return err
			}
			if err := os.Remove(name); err != nil {
				return err
			}
			return errors.Join(os.WriteFile(name, []byte("again"), 0o600), os.Remove(name))
		}, []attack.Option{attack.Moves(attack.Symlink, attack.File)}, []rules.Rule{rules.X01, rules.X10, rules.X05}},
		{"a name is used once", func(s *attack.Scene) error {
			name, err := temp(s)
			return errors.Join(err, os.Remove(name))
		}, nil, nil},
		{"a directory is adopted", func(s *attack.Scene) error {
			if err := os.MkdirAll(s.Path("cache"), 0o700); err != nil {
				return err
			}
			return write(s.Path("cache", "x"), excl, 0o600, "x")
		}, []attack.Option{attack.Target("cache")}, []rules.Rule{rules.X01, rules.X05, rules.X06}},
		{"a directory is made", func(s *attack.Scene) error {
			if err := os.Mkdir(s.Path("cache"), 0o700); err != nil {
				return err
			}
			return write(s.Path("cache", "x"), excl, 0o600, "x")
		}, []attack.Option{attack.Target("cache")}, nil},
		{"what is read may be a link", func(s *attack.Scene) error {
			_, err := os.ReadFile(s.Path("in"))
			if errors.Is(err, os.ErrNotExist) {
				return nil
			}
			return err
		}, []attack.Option{attack.Target("in"), attack.Setup(noop)}, []rules.Rule{rules.X02, rules.X03, rules.X07}},
		{"what is read may be no link", func(s *attack.Scene) error {
			fd, err := unix.Open(s.Path("in"), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
			if err == nil {
				return errors.Join(errors.New("not expected"), unix.Close(fd))
			}
			return nil
		}, []attack.Option{attack.Target("in"), attack.Setup(noop)}, nil},
		{"moved in a directory without the sticky bit", func(s *attack.Scene) error {
			name, err := temp(s)
			if err != nil {
				return err
			}
			return errors.Join(os.Chmod(name, 0o600), os.Remove(name))
		}, []attack.Option{attack.Unsticky()}, []rules.Rule{rules.X01, rules.X08, rules.X10}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := append([]attack.Option{attack.Expect(tt.want...)}, tt.opts...)
			if tt.want == nil {
				opts = append(opts, bounded...)
			}
			r := attack.Race(t, tt.victim, opts...)
			if tt.want == nil {
				assert.Zero(t, r.Low)
				assert.Less(t, r.High, 1.0)
			}
		})
	}
}

func noop(*attack.Scene) error { return nil }

// TestRaceMisbehaviour: whatever the victim does, the race ends, and leaves
// nothing.
func TestRaceMisbehaviour(t *testing.T) {
	attacked := func(s *attack.Scene, name string) bool {
		_, err := os.Lstat(s.Path(name))
		return err == nil
	}
	for _, tt := range []struct {
		name string
		bad  func(t *testing.T, s *attack.Scene) error
		want string
	}{
		{"panics", func(*testing.T, *attack.Scene) error { panic("boom") }, "panicked: boom"},
		{"ends the process", func(*testing.T, *attack.Scene) error { os.Exit(0); return nil }, "ended the process: exit status 0"},
		{"waits at a FIFO", func(_ *testing.T, s *attack.Scene) error { _, err := os.ReadFile(s.Path("out")); return err }, "it waits at the attacker's FIFO"},
		{"writes to a FIFO", func(_ *testing.T, s *attack.Scene) error {
			return os.WriteFile(s.Path("out"), []byte("x"), 0o600)
		}, "it waits at the attacker's FIFO"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := os.TempDir()
			if !rerun.IsChild() { // which is killed, and would leave its own
				dir = t.TempDir()
				t.Setenv("TMPDIR", dir)
			}
			r := attack.Race(t, func(s *attack.Scene) error {
				if attacked(s, "out") {
					return tt.bad(t, s)
				}
				return write(s.Path("out"), excl, 0o600, "x")
			}, attack.Target("out"), attack.Moves(attack.FIFO), attack.ReportOnly(), attack.Budget(2*time.Second), attack.Schedules(8))
			if assert.NotEmpty(t, r.Findings) {
				assert.Equal(t, "X07", r.Findings[0].Rule.ID())
				assert.Contains(t, r.Findings[0].Detail, tt.want)
			}
			left, err := filepath.Glob(filepath.Join(dir, "tmpproof-*"))
			require.NoError(t, err)
			assert.Empty(t, left, "scenes")
		})
	}
}

// TestRaceHonest: the rate at which many races are won lies within the bounds
// that each of them gives. A bound may be wrong in 5 of 100 races, on either
// side: more than four of ten is no chance (less than 1 in 1,000).
func TestRaceHonest(t *testing.T) {
	runs := 0 // in the child
	careless := func(s *attack.Scene) error {
		if runs++; runs%8 == 0 {
			return statThenWrite(s)
		}
		return statThenCreate(s)
	}
	races := 2 * trials()
	var all []attack.RaceReport
	wins, attempts := 0, 0
	for i := range races {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			r := attack.Race(t, careless, attack.Target("out"), attack.ReportOnly(), attack.Moves(attack.Symlink, attack.File), attack.Schedules(200), attack.Budget(20*time.Second))
			all = append(all, *r)
			wins, attempts = wins+r.Wins, attempts+r.Attempts
		})
	}
	if attempts == 0 {
		return // in a child
	}
	rate := float64(wins) / float64(attempts)
	within := 0
	for _, o := range all {
		assert.LessOrEqual(t, o.Hits, o.Attempts)
		if o.Low <= rate && rate <= o.High {
			within++
		}
	}
	t.Logf("%d wins in %d attempts; within the bounds of %d of %d races", wins, attempts, within, races)
	assert.GreaterOrEqual(t, within, races*6/10)
}

// refusedRaces have options or victims with which no race can be run.
var refusedRaces = []struct {
	name   string
	victim attack.Victim
	opts   []attack.Option
	want   string
}{
	{"replay", statThenWrite, []attack.Option{attack.Replay("x")}, "attack.Race: Replay: a race cannot be repeated"},
	{"fake, and a victim that leaves Scene.FS out", statThenWrite, []attack.Option{attack.Fake()}, "what always fails is not proved by failing"},
	{"no victim", nil, nil, "attack.Race: the victim is nil"},
	{"bad option", statThenWrite, []attack.Option{attack.Depth(9)}, "attack.Race: Depth(9)"},
	{"canary that Setup does not make", statThenWrite, []attack.Option{attack.Setup(noop), attack.Canary("x")}, `Canary("x"): Setup made no such entry`},
	{"a victim that always fails", func(*attack.Scene) error { return errors.New("no") }, nil, "what always fails is not proved by failing"},
}

// TestRaceRefusedVictim is run by TestRaceRefused in a process of its own.
func TestRaceRefusedVictim(t *testing.T) {
	for _, tt := range refusedRaces {
		if tt.name == os.Getenv(envVerdict) {
			attack.Race(t, tt.victim, tt.opts...)
		}
	}
}

// TestRaceRefused: options that have no meaning in a race get one clear error.
func TestRaceRefused(t *testing.T) {
	for _, tt := range refusedRaces {
		t.Run(tt.name, func(t *testing.T) {
			out, failed := inChild(t, "TestRaceRefusedVictim", tt.name)
			assert.True(t, failed)
			assert.Contains(t, out, tt.want)
		})
	}
}
