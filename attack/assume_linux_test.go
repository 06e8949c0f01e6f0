package attack_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/covered"
	"golang.org/x/sys/unix"
)

// tempAndRemove is safe, and leaves nothing to try.
func tempAndRemove(s *attack.Scene) error {
	f, err := os.CreateTemp(s.Dir, "work-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// outsidePlace is a shared directory as /tmp is, that stands outside of the
// scene. The child takes what its parent made.
func outsidePlace(t *testing.T) string {
	const env = "TMPPROOF_TEST_OUTSIDE"
	if os.Getenv(env) == "" {
		dir, err := os.MkdirTemp("/tmp", "tmpproof-outside-*") // t.TempDir lies in a private one
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
		require.NoError(t, os.Chmod(dir, 0o1777))
		t.Setenv(env, dir)
	}
	return os.Getenv(env)
}

// kinds are those of a report's assumptions, with their texts.
func kinds(r *attack.Report) map[string][]string {
	m := map[string][]string{}
	for _, a := range r.Assumptions {
		m[a.Kind] = append(m[a.Kind], a.What)
	}
	return m
}

// TestAssumptions: the report of code that is clean says what that rests on,
// and the twin's does not.
func TestAssumptions(t *testing.T) {
	t.Run("chance and no move", func(t *testing.T) {
		r := attack.Prove(t, tempAndRemove)
		m := kinds(r)
		assert.Equal(t, []string{"work-*"}, m["chance"])
		assert.Len(t, m["no move"], 2)
		assert.Zero(t, r.Schedules)
	})
	t.Run("a known name is no chance", func(t *testing.T) {
		r := attack.Prove(t, func(s *attack.Scene) error {
			f, err := os.OpenFile(s.Path("out"), newFile, 0o600)
			if err != nil {
				return err
			}
			return f.Close()
		}, attack.Target("out"))
		assert.Empty(t, r.Assumptions)
		assert.NotZero(t, r.Schedules)
	})
	// findAndRemove removes what lies below a directory that need not be there.
	findAndRemove := func(s *attack.Scene) error {
		d, err := unix.Open(s.Path("d"), unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return absentIsFine(err)
		}
		defer unix.Close(d)
		return absentIsFine(unix.Unlinkat(d, "x", 0))
	}
	t.Run("what is tried with a name from the beginning", func(t *testing.T) {
		r := attack.Prove(t, findAndRemove, attack.ReportOnly())
		assert.Empty(t, r.Assumptions, "each call has its moves")
		assert.NotEmpty(t, r.Findings)
	})
	t.Run("what Moves leaves out", func(t *testing.T) {
		r := attack.Prove(t, findAndRemove, attack.Moves(attack.Tamper))
		require.Len(t, r.Assumptions, 1)
		assert.Equal(t, "the option Moves leaves nothing", r.Assumptions[0].Why)
	})
	t.Run("a file in a shared place", func(t *testing.T) {
		dir := outsidePlace(t)
		r := attack.Prove(t, func(s *attack.Scene) error {
			f, err := os.OpenFile(dir+"/x.log", anyFile, 0o600)
			if err != nil {
				return err
			}
			return errors.Join(f.Close(), tempAndRemove(s))
		})
		require.Len(t, kinds(r)["outside"], 1)
		assert.Regexp(t, `^openat .*/x\.log at assume_linux_test\.go:\d+$`, kinds(r)["outside"][0])
	})
	t.Run("chance in a shared place", func(t *testing.T) {
		dir := outsidePlace(t)
		r := attack.Prove(t, func(s *attack.Scene) error {
			f, err := os.CreateTemp(dir, "y-*.log")
			if err != nil {
				return err
			}
			return errors.Join(f.Close(), os.Remove(f.Name()), tempAndRemove(s))
		})
		require.Len(t, kinds(r)["outside"], 2)
		for _, what := range kinds(r)["outside"] {
			assert.Regexp(t, `/y-\*\.log at assume_linux_test\.go:\d+$`, what)
		}
	})
	t.Run("a private directory in a shared place", func(t *testing.T) {
		dir := outsidePlace(t)
		private := dir + "/private"
		require.NoError(t, os.MkdirAll(private, 0o700))
		r := attack.Prove(t, func(s *attack.Scene) error {
			return errors.Join(os.WriteFile(private+"/x.log", nil, 0o600), tempAndRemove(s))
		})
		assert.Empty(t, kinds(r)["outside"])
	})
	t.Run("a server of the system's", func(t *testing.T) {
		const env = "TMPPROOF_TEST_SERVER"
		if os.Getenv(env) == "" { // in this process, which the child's is not
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { l.Close() })
			t.Setenv(env, l.Addr().String())
		}
		r := attack.Prove(t, func(s *attack.Scene) error {
			c, err := net.Dial("tcp", os.Getenv(env))
			if err != nil {
				return err
			}
			return errors.Join(c.Close(), tempAndRemove(s))
		})
		require.Len(t, kinds(r)["unwatched"], 1)
		assert.Regexp(t, `^connect to 127\.0\.0\.1:(\*|\d+) at assume_linux_test\.go:\d+$`, kinds(r)["unwatched"][0])
	})
	t.Run("a server of the victim's", func(t *testing.T) {
		r := attack.Prove(t, func(s *attack.Scene) error {
			server := httptest.NewServer(http.NotFoundHandler())
			defer server.Close()
			c, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				return err
			}
			return errors.Join(c.Close(), tempAndRemove(s))
		})
		assert.Empty(t, kinds(r)["unwatched"])
	})
	t.Run("a ring of io_uring", func(t *testing.T) {
		r := attack.Prove(t, func(s *attack.Scene) error {
			var params [120]byte
			if _, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, pointer(&params), 0); errno != unix.ENOSYS {
				return fmt.Errorf("io_uring_setup: %w", errno)
			}
			return tempAndRemove(s)
		})
		require.Len(t, kinds(r)["refused"], 1)
		assert.Regexp(t, `^io_uring_setup at assume_linux_test\.go:\d+$`, kinds(r)["refused"][0])
	})
	t.Run("a process of the test's", func(t *testing.T) {
		sleep := exec.Command("sleep", "60")
		require.NoError(t, sleep.Start())
		defer func() { _ = sleep.Process.Kill(); _ = sleep.Wait() }()
		r := attack.Prove(t, tempAndRemove)
		assert.Equal(t, []string{"the process sleep"}, kinds(r)["unwatched"])
	})
	t.Run("a signal to another process", func(t *testing.T) {
		const env = "TMPPROOF_TEST_SLEEPER"
		if os.Getenv(env) == "" {
			sleep := exec.Command("sleep", "60")
			require.NoError(t, sleep.Start())
			t.Cleanup(func() { _ = sleep.Process.Kill(); _ = sleep.Wait() })
			t.Setenv(env, strconv.Itoa(sleep.Process.Pid))
		}
		r := attack.Prove(t, func(s *attack.Scene) error {
			pid, err := strconv.Atoi(os.Getenv(env))
			if err != nil {
				return err
			}
			p, err := os.FindProcess(pid)
			if err != nil {
				return err
			}
			defer p.Release()
			return errors.Join(p.Signal(syscall.SIGCONT), tempAndRemove(s))
		})
		require.Len(t, kinds(r)["unwatched"], 1)
		assert.Regexp(t, `to the process sleep at `, kinds(r)["unwatched"][0])
	})
}

// TestNothingTried: a verdict without schedules says so first.
func TestNothingTried(t *testing.T) {
	out := fixture(t, "TestNothingTriedFixture")
	assert.Regexp(t, `nothing was tried: no move is possible at any boundary: .*chance.*\n\s+2 boundaries, 0 schedules, 0 findings`, out)
	assert.Contains(t, out, "chance: work-*: it differs from run to run")
}

func TestNothingTriedFixture(t *testing.T) {
	if os.Getenv(envFixture) == "" {
		t.Skip("for TestNothingTried")
	}
	attack.Prove(t, tempAndRemove)
}

// fixture runs a test of this binary in a process of its own, under -v.
func fixture(t *testing.T, name string) string {
	cmd := exec.Command(os.Args[0], "-test.run=^"+name+"$", "-test.v")
	cmd.Env = append(os.Environ(), envFixture+"=1")
	covered.Test(t, cmd)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotContains(t, string(out), "cannot work here")
	return string(out)
}
