package attack_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/internal/sample"
)

const envKilledHeld = "TMPPROOF_TEST_KILLED_HELD"

// TestKilledHeldProof is killed by TestKilledHeld, at any moment.
func TestKilledHeldProof(t *testing.T) {
	if os.Getenv(envKilledHeld) == "" {
		t.Skip("run by TestKilledHeld, in a process of its own")
	}
	for range 1000 {
		attack.Prove(t, heldVictim, attack.ReportOnly())
	}
}

// heldVictim asks for all that is held still, in programs too.
func heldVictim(s *attack.Scene) error {
	return exec.Command("sh", "-c", `p=$0/x-$(date +%N)-$$-$(head -c 8 /dev/urandom | od -An -tx8 | tr -d ' '); echo x > "$p" && kill -0 $$ && rm "$p"`, s.Dir).Run()
}

// TestKilledHeld: a run that is killed at any moment leaves no process and no
// mount when the next one is over, and nothing in TMPDIR.
func TestKilledHeld(t *testing.T) {
	if rerun.IsChild() {
		attack.Prove(t, heldVictim, attack.ReportOnly(), attack.Depth(1))
	}
	kills := 8
	switch {
	case sample.Long():
		kills = 500
	case sample.Short():
		kills = 3
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	tmp, luck := t.TempDir(), rand.New(rand.NewPCG(1, 2))
	t.Setenv("TMPDIR", tmp)
	mark := envKilledHeld + "=" + strconv.Itoa(os.Getpid())
	for range kills {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestKilledHeldProof$")
		cmd.Env = append(os.Environ(), mark)
		require.NoError(t, cmd.Start())
		time.Sleep(time.Duration(luck.IntN(300)) * time.Millisecond) // any moment
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
	rep := attack.Prove(t, heldVictim, attack.ReportOnly(), attack.Depth(1))
	assert.True(t, rep.Complete, rep.Problems)
	assert.Eventually(t, func() bool { return len(withMark(mark)) == 0 }, time.Minute, 5*time.Millisecond, "they were killed, and have yet to die") // reaped by process 1
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	assert.Empty(t, left)
	now, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	assert.Equal(t, string(mounts), string(now))
}

// withMark are the processes that live and have something in their environment.
func withMark(mark string) (pids []string) {
	list, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range list {
		env, err := os.ReadFile(name)
		if err == nil && bytes.Contains(append([]byte{0}, env...), []byte("\x00"+mark+"\x00")) {
			pids = append(pids, filepath.Base(filepath.Dir(name)))
		}
	}
	return pids
}
