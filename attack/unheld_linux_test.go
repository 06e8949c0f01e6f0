package attack_test

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/covered"
	"github.com/tmpproof/tmpproof/internal/supervise/refuse"
	"golang.org/x/sys/unix"
)

// envUnheld lets TestUnheldHere run, in a process whose tracers may write nothing
// into another: its children's clocks cannot be held.
const envUnheld = "TEST_ATTACK_UNHELD"

// TestUnheldHere is run by TestUnheld.
func TestUnheldHere(t *testing.T) {
	switch os.Getenv(envUnheld) {
	case "":
		t.Skip("runs where nothing can be held: see TestUnheld")
	case "1":
		require.NoError(t, os.Setenv(envUnheld, "child"))
		require.NoError(t, errors.Join(refuse.Call(unix.SYS_PWRITE64, unix.EIO), refuse.Call(unix.SYS_PTRACE, unix.EPERM)))
	}
	for _, row := range []struct {
		name   string
		of     func() string
		chance bool
	}{
		{"seconds", func() string { return fmt.Sprint(time.Now().Unix()) }, false},
		{"hash of the time", func() string { return fmt.Sprintf("%x", sha256.Sum256([]byte(time.Now().String()))) }, true},
		{"chance", rand.Text, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			rep := attack.Prove(t, func(s *attack.Scene) error {
				dir := s.Path("app-" + row.of())
				return errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(dir+"/out", []byte("x"), 0o600), os.RemoveAll(dir))
			}, attack.ReportOnly(), attack.Depth(1), attack.Moves(attack.Dir))
			assert.Empty(t, rep.Problems)
			said := map[string]string{}
			for _, a := range rep.Assumptions {
				said[a.Kind] += a.String() + "\n"
			}
			assert.Contains(t, said["unheld"], "unheld: time and chance: they are not held still in each program: ")
			if row.chance {
				assert.Equal(t, "chance: app-*: it differs from run to run, and could be made of what is not held still here (unheld)\n", said["chance"])
			}
			assert.Equal(t, !row.chance, slices.ContainsFunc(rep.Findings, func(f attack.Finding) bool { return f.Exploit }))
		})
	}
}

// TestUnheld: where nothing can be held, names are told by their notation as they
// were before, and each one that is taken for chance is said to rest on that.
func TestUnheld(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe, "-test.run=^TestUnheldHere$", "-test.v")
	cmd.Env = append(os.Environ(), envUnheld+"=1")
	covered.Test(t, cmd)
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, "%s", out)
}
