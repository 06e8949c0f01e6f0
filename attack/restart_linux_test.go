package attack_test

import (
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"golang.org/x/sys/unix"
)

// TestRestart: stores are judged by what they do at their next start, in the same
// words on the fake disk.
func TestRestart(t *testing.T) {
	for _, of := range restartTables {
		for _, tt := range attack.Sample(of.table) {
			t.Run(of.name+"/"+tt.name, func(t *testing.T) { t.Parallel(); tt.agrees(t, of.by) })
		}
	}
}

// counts is kept in the process.
var counts int

// TestRestartProcess: it is a fresh process, and whatever it does there is an
// answer.
func TestRestartProcess(t *testing.T) {
	victim := func(s *attack.Scene) error { return os.WriteFile(s.Path("out"), []byte("xx"), 0o600) }
	// torn calls what a row does where the file is there and empty.
	torn := func(do func() error) func(*attack.Scene) error {
		return func(s *attack.Scene) error {
			if b, err := os.ReadFile(s.Path("out")); err != nil || len(b) == 2 {
				return nil
			}
			return do()
		}
	}
	for _, tt := range []struct {
		name    string
		restart func(*attack.Scene) error
		want    string
	}{
		{"it returns nil", func(*attack.Scene) error { return nil }, ""},
		{"it returns an error", torn(func() error { return errors.New("out is torn") }), "returned an error: out is torn"},
		{"it panics", torn(func() error { panic("torn") }), "panicked: torn"},
		{"it ends the process", torn(func() error { os.Exit(3); return nil }), "ended the process: exit status 3"},
		{"it ends the goroutine", torn(func() error { t.FailNow(); return nil }), "ended its goroutine (runtime.Goexit)"},
		{"a goroutine of it panics", torn(func() error { go panic("torn"); select {} }), "a goroutine that it started crashed: panic: torn"},
		{"it waits for ever", torn(func() error { select {} }), "did not come back: no call and no return within"},
		{"it never ends", torn(func() error {
			for {
				_ = os.WriteFile(os.DevNull, nil, 0o600)
			}
		}), "made calls without end"},
		{"it starts a program that goes on", func(s *attack.Scene) error { return exec.Command("/bin/sleep", "60").Start() }, ""},
		{"it is another process each time", func(*attack.Scene) error {
			if counts++; counts > 1 {
				return errors.New("the same process")
			}
			return nil
		}, ""},
		{"it has the machine's own time", func(s *attack.Scene) error {
			fi, err := os.Stat(s.Dir)
			if err == nil && time.Since(fi.ModTime()) < 0 {
				err = errors.New("Dir is of tomorrow")
			}
			return err
		}, ""},
		{"it changes the scene", func(s *attack.Scene) error {
			return errors.Join(os.RemoveAll(s.Path("out")), os.Mkdir(s.Path("out"), 0o777), os.Chmod(s.Home, 0o755), os.Chmod(s.Dir, 0o700),
				os.WriteFile(s.Home+"/left", nil, 0o600), os.RemoveAll(s.Dir+"/../vault/file"))
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := attack.Kills(t, victim, attack.Target("out"), attack.Restart(tt.restart), attack.ReportOnly(), attack.Budget(20*time.Second*attack.Slow))
			require.Empty(t, r.Problems)
			if tt.want == "" {
				assert.Empty(t, r.Findings, texts(r))
				return
			}
			require.Equal(t, "X05", rulesOf(r), texts(r))
			assert.Contains(t, r.Findings[0].Detail, tt.want)
			assert.Contains(t, r.Findings[0].Detail, "SIGKILL came before write: the code was killed, and Restart, on what was left, ")
			assert.Contains(t, r.Findings[0].Line, "restart_linux_test.go:")
			assert.Contains(t, r.Findings[0].Fix, "let the start of the code cope with")
		})
	}
}

// TestRestartHangs: one that waits for ever does so once for each call.
func TestRestartHangs(t *testing.T) {
	t.Parallel()
	r := attack.Faults(t, func(s *attack.Scene) error { return os.WriteFile(s.Path("out"), []byte("xx"), 0o600) },
		attack.Target("out"), attack.ReportOnly(), attack.Budget(20*time.Second*attack.Slow),
		attack.Restart(func(s *attack.Scene) error {
			for b, err := os.ReadFile(s.Path("out")); err == nil && len(b) < 2; {
				time.Sleep(time.Hour)
			}
			return nil
		}))
	require.Empty(t, r.Problems)
	assert.Equal(t, "X05", rulesOf(r), texts(r))
}

// TestRestartLock: what the victim has locked, and holds open when it is back, is
// free when it starts again.
func TestRestartLock(t *testing.T) {
	lock := func(s *attack.Scene) (*os.File, error) {
		f, err := os.OpenFile(s.Path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}
	again := func(s *attack.Scene) error {
		f, err := lock(s)
		if err != nil {
			return err
		}
		return f.Close()
	}
	victim := func(s *attack.Scene) (err error) {
		f, err := lock(s)
		if err != nil {
			return err
		}
		whole := false
		defer func() {
			_ = recover()
			if whole {
				err = f.Close()
			} else if err == nil {
				err = errors.New("no")
			}
			hold(f)
		}()
		s.Point()
		_, err = f.WriteString("1")
		whole = err == nil
		return err
	}
	for name, by := range map[string]verb{"R03": attack.Faults, "": attack.Kills} {
		r := by(t, victim, attack.Target("lock"), attack.Restart(again), attack.ReportOnly())
		assert.Equal(t, name, rulesOf(r), texts(r))
		require.Empty(t, r.Problems)
	}
}

// TestRestartReplay: the schedule of a finding shows it again.
func TestRestartReplay(t *testing.T) {
	for _, world := range [][]attack.Option{nil, {attack.Fake()}} {
		opts := append(rejects.opts(attack.Restart(rejects.starts), attack.ReportOnly()), world...)
		all := attack.Faults(t, rejects.writer, opts...)
		require.NotEmpty(t, all.Findings)
		one := attack.Faults(t, rejects.writer, append(opts, attack.Replay(all.Findings[0].Schedule))...)
		require.Empty(t, one.Problems)
		require.Equal(t, 1, one.Schedules)
		assert.Equal(t, all.Findings[0].Detail, one.Findings[0].Detail)
	}
}
