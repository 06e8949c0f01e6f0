package attack

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/covered"
	"golang.org/x/sys/unix"
)

// lanes makes a proof use that many children from its first schedule on.
func lanes(n int) Option { return optionFunc(func(o *options) { o.lanes = n }) }

// laneVictims come to their findings in many schedules, at several depths.
func laneVictims(t *testing.T) []struct {
	name   string
	victim Victim
	opts   []Option
} {
	lock := filepath.Join(os.TempDir(), "tmpproof-lanes-"+filepath.Base(t.Name()))
	t.Cleanup(func() { os.Remove(lock) })
	return []struct {
		name   string
		victim Victim
		opts   []Option
	}{
		{"broken", func(s *Scene) error {
			if _, err := os.Lstat(s.Path("a")); err == nil {
				return errors.New("it exists")
			}
			if err := os.WriteFile(s.Path("a"), []byte("x"), 0o600); err != nil {
				return err
			}
			return os.Rename(s.Path("a"), s.Path("out"))
		}, []Option{Target("out"), Unsticky()}},
		{"clean", func(s *Scene) error {
			fd, err := unix.Open(s.Path("out"), unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			_, err = unix.Write(fd, []byte("x"))
			return errors.Join(err, unix.Close(fd))
		}, []Option{Target("out")}},
		{"keeps state", func() Victim {
			runs := 0
			return func(s *Scene) error {
				runs++
				if runs%2 == 0 {
					_, _ = os.Lstat(s.Path("second"))
				}
				return os.WriteFile(s.Path("out"), nil, 0o600)
			}
		}(), []Option{Target("out"), Depth(1)}},
		{"keeps an error", func() Victim {
			var kept error
			return func(s *Scene) error {
				f, err := os.OpenFile(s.Path("out"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
				if kept == nil {
					kept = err
				}
				if err == nil {
					err = f.Close()
				}
				return errors.Join(err, kept)
			}
		}(), []Option{Target("out")}},
		{"ends its process", func(s *Scene) error {
			if err := os.Mkdir(s.Path("d"), 0o700); err != nil {
				os.Exit(3)
			}
			return os.Remove(s.Path("d"))
		}, []Option{Depth(1)}},
		// Two of these at once do not come out as one does: the second gives
		// up, and whatever is tried of it proves nothing.
		{"holds a lock outside", func(s *Scene) error {
			fd, err := unix.Open(lock, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			_, _ = os.Lstat(s.Path("a"))
			if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
				return err
			}
			return os.WriteFile(s.Path("a"), []byte("x"), 0o600)
		}, []Option{Target("a"), Unsticky()}},
	}
}

// TestLanes: the report is the same to the byte however many children there
// are.
func TestLanes(t *testing.T) {
	for _, v := range ShortSample(laneVictims(t)) {
		t.Run(v.name, func(t *testing.T) {
			text := func(n int) string {
				r := Prove(t, v.victim, append(v.opts, lanes(n), ReportOnly())...)
				r.Elapsed = 0
				assert.Empty(t, r.Problems)
				assert.NotZero(t, r.Schedules)
				data, err := json.MarshalIndent(r, "", " ")
				require.NoError(t, err)
				return string(data)
			}
			one := text(1)
			assert.Equal(t, one, text(2))
			assert.Equal(t, one, text(5))
		})
	}
}

const envLanes = "TMPPROOF_TEST_LANES"

// TestBoundedLanes is inconclusive, for TestLanesSchedules.
func TestBoundedLanes(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv(envLanes))
	if err != nil {
		t.Skip("run by TestLanesSchedules, in a process of its own")
	}
	v := laneVictims(t)[0]
	Prove(t, v.victim, append(v.opts, lanes(n), Schedules(17))...)
}

// TestLanesSchedules: Schedules is exact with several children too, and what
// they found by then is the same.
func TestLanesSchedules(t *testing.T) {
	text := func(n int) string {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestBoundedLanes$")
		cmd.Env = append(os.Environ(), envLanes+"="+strconv.Itoa(n))
		covered.Test(t, cmd)
		out, err := cmd.CombinedOutput()
		require.Error(t, err, "%s", out)
		return regexp.MustCompile(`[(]?[0-9.]+s[)]?\n|coverage: .*\n`).ReplaceAllString(string(out), "\n")
	}
	one := text(1)
	assert.Regexp(t, `17 schedules were run, [0-9]+ more are known`, one)
	assert.Equal(t, one, text(2))
	assert.Equal(t, one, text(4))
}

// closable is a world that only comes and goes.
type closable struct {
	world
	number int
}

func (*closable) close() error { return nil }

// A victim that needs a process for each schedule has thousands of worlds, one
// after the other: their threads go with them.
func TestWorldsLeaveNoThreads(t *testing.T) {
	threads := func() int {
		list, err := os.ReadDir("/proc/self/task")
		require.NoError(t, err)
		return len(list)
	}
	before, opened := threads(), 0
	e := &explorer{opt: &options{}, plan: &plan{fresh: true}, worlds: newWorlds()}
	e.open = func(start) (world, error) { opened++; return &closable{number: opened}, nil }
	l := &lane{e: e}
	for range 300 {
		_, err := l.get()
		require.NoError(t, err)
		l.drop()
	}
	assert.Less(t, threads(), before+100)
	l.close()
	require.NoError(t, e.worlds.closeAll())
	assert.Empty(t, e.worlds.closed)
}
