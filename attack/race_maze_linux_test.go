package attack

import (
	"errors"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

// writesWhereOthersMay is the classic of access(2) and open(2): it writes only
// into a file that anybody could write, and looks first.
func writesWhereOthersMay(s *Scene) error {
	p := s.Path("mail")
	fi, err := os.Stat(p)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case fi.Mode().Perm()&0o002 == 0 || !fi.Mode().IsRegular():
		return errors.New("not for all")
	}
	f, err := os.OpenFile(p, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("to whom it may concern")
	return errors.Join(err, f.Close())
}

// looksAtWhatItOpened is its safe twin.
func looksAtWhatItOpened(s *Scene) error {
	p := s.Path("mail")
	f, err := os.OpenFile(p, os.O_WRONLY|nonblock, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	fi, err := f.Stat()
	if err == nil && (fi.Mode().Perm()&0o002 == 0 || !fi.Mode().IsRegular()) {
		err = errors.New("not for all")
	}
	if err == nil {
		_, err = f.WriteString("to whom it may concern")
	}
	return errors.Join(err, f.Close())
}

// TestMaze: on one processor, a check and a use that follow at once are hardly
// ever parted by luck; a maze makes both last.
func TestMaze(t *testing.T) {
	only := func(hows ...how) Option {
		return optionFunc(func(o *options) {
			o.tactics = func(t *tactic) bool {
				for _, h := range hows {
					if t.how == h && t.first == (move{family: File}) && t.then == (move{family: Symlink, variant: "file"}) {
						return true
					}
				}
				return false
			}
		})
	}
	onOneCPU(t)
	race := func(name string, v Victim, o ...Option) *RaceReport {
		var report *RaceReport
		t.Run(name, func(t *testing.T) {
			o = append(o, Target("mail"), Setup(func(*Scene) error { return nil }), Budget(2*time.Second), ReportOnly(),
				Allow(rules.X10, "writing into files that anybody may write is its purpose"), Allow(rules.X05, "it leaves nothing"))
			report = Race(t, v, o...)
		})
		return report
	}
	maze := race("maze", writesWhereOthersMay, only(mazeOnce))
	plain := race("no maze", writesWhereOthersMay, only(flipOnce))
	twin := race("twin", looksAtWhatItOpened, only(mazeOnce, flipOnce))
	t.Logf("with mazes %+v, without %+v, twin %+v", *maze, *plain, *twin)
	assert.Positive(t, maze.Wins)
	assert.Zero(t, twin.Wins)
	require.Positive(t, plain.Attempts)
}

const nonblock = unix.O_NONBLOCK

// onOneCPU keeps this process, and what it starts, on one processor until the
// test ends.
func onOneCPU(t *testing.T) {
	all := cpuSet(sharedCPUs()...)
	set := func(to *unix.CPUSet) {
		tasks, err := os.ReadDir("/proc/self/task")
		require.NoError(t, err)
		for _, task := range tasks {
			tid, _ := strconv.Atoi(task.Name())
			_ = unix.SchedSetaffinity(tid, to)
		}
	}
	set(cpuSet(sharedCPUs()[0]))
	t.Cleanup(func() { set(all) })
}
