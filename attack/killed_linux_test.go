package attack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/rerun"
)

const envKilled = "TMPPROOF_TEST_KILLED"

// TestKilledProof waits to be killed, for TestScenesOfKilledRuns.
func TestKilledProof(t *testing.T) {
	ready := os.Getenv(envKilled)
	if ready == "" {
		t.Skip("run by TestScenesOfKilledRuns, in a process of its own")
	}
	attack.Prove(t, func(s *attack.Scene) error {
		if err := os.Mkdir(s.Path("left"), 0o500); err != nil {
			return err
		}
		stray := exec.Command("sh", "-c", "echo $$ > \"$0\"~ && mv \"$0\"~ \"$0\"; while :; do :; done", ready)
		stray.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // its own session: the process group's end is not its own
		if err := stray.Start(); err != nil {
			return err
		}
		select {}
	}, attack.Live("its program is looked for from outside, by its process number"))
}

// TestScenesOfKilledRuns: what a run that was killed has left in TMPDIR goes
// with the next one, and the program that goes on running. One that is none of
// the scene's stays, whatever its TMPDIR.
func TestScenesOfKilledRuns(t *testing.T) {
	clean := func(s *attack.Scene) error { return os.Remove(s.Path("no")) }
	setup := attack.Setup(func(s *attack.Scene) error { return os.WriteFile(s.Path("no"), nil, 0o600) })
	if rerun.IsChild() { // with nothing of its own to kill
		attack.Prove(t, clean, attack.ReportOnly(), setup)
	}
	tmp, ready := t.TempDir(), filepath.Join(t.TempDir(), "ready")
	scenes := func() []string {
		list, err := filepath.Glob(filepath.Join(tmp, "tmpproof-*"))
		require.NoError(t, err)
		return list
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestKilledProof$")
	cmd.Env = append(os.Environ(), envKilled+"="+ready, "TMPDIR="+tmp)
	require.NoError(t, cmd.Start())
	isReady := func() bool { _, err := os.Stat(ready); return err == nil }
	require.Eventually(t, isReady, time.Minute, time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	require.NotEmpty(t, scenes())
	stray, err := os.ReadFile(ready)
	require.NoError(t, err)
	lives := func() bool {
		status, err := os.ReadFile("/proc/" + strings.TrimSpace(string(stray)) + "/status")
		return err == nil && !strings.Contains(string(status), "\nState:\tZ")
	}
	require.True(t, lives())
	other := exec.Command("sleep", "1000")
	other.Env = append(os.Environ(), "TMPDIR="+scenes()[0]) // not the scene's part that a victim has
	require.NoError(t, other.Start())
	defer func() {
		assert.NoError(t, other.Process.Kill())
		_ = other.Wait()
	}()
	t.Setenv("TMPDIR", tmp)
	report := attack.Prove(t, clean, attack.ReportOnly(), setup)
	assert.True(t, report.Complete)
	assert.Empty(t, scenes())
	require.Eventually(t, func() bool { return !lives() }, time.Minute, time.Millisecond) // it was killed, and has yet to die
	assert.NoError(t, other.Process.Signal(syscall.Signal(0)))
	status, err := os.ReadFile("/proc/" + strconv.Itoa(other.Process.Pid) + "/status")
	require.NoError(t, err)
	assert.NotContains(t, string(status), "\nState:\tZ")
}
