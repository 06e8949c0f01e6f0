package attack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
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
		if err := os.WriteFile(ready, nil, 0o600); err != nil {
			return err
		}
		select {}
	})
}

// TestScenesOfKilledRuns: what a run that was killed has left in TMPDIR goes
// with the next one.
func TestScenesOfKilledRuns(t *testing.T) {
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
	t.Setenv("TMPDIR", tmp)
	report := attack.Prove(t, func(s *attack.Scene) error { return os.Remove(s.Path("no")) }, attack.ReportOnly(), attack.Setup(func(s *attack.Scene) error {
		return os.WriteFile(s.Path("no"), nil, 0o600)
	}))
	assert.True(t, report.Complete)
	assert.Empty(t, scenes())
}
