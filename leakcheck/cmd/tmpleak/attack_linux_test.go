//go:build amd64 || arm64

package main

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
)

// attacked has TestAttacked do something: it is run under tmpleak, and a row.
const attacked = "TEST_TMPLEAK_ATTACKED"

// leftIn is where a row leaves something: TestMain sweeps TMPDIR.
const leftIn = "TEST_TMPLEAK_LEFT"

func fixedName(s *attack.Scene) error {
	name := s.Path("fixed")
	return errors.Join(os.WriteFile(name, nil, 0o600), os.Remove(name))
}

func ownName(s *attack.Scene) error {
	f, err := os.CreateTemp(s.Dir, "own-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// TestAttacked is what TestAttackUnderTmpleak runs.
func TestAttacked(t *testing.T) {
	switch os.Getenv(attacked) {
	case "":
		t.Skip("for TestAttackUnderTmpleak")
	case "safe":
		r := attack.Prove(t, ownName, attack.Depth(1))
		assert.True(t, r.Complete)
		assert.NotZero(t, r.Boundaries)
	case "broken":
		attack.Prove(t, fixedName, attack.Depth(1))
		t.Log("goes on")
	case "expected":
		r := attack.Prove(t, fixedName, attack.Depth(1), attack.ReportOnly())
		assert.NotEmpty(t, r.Findings)
	case "two calls":
		first := attack.Prove(t, ownName, attack.Depth(1))
		second := attack.Faults(t, fixedName, attack.ReportOnly())
		assert.NotEqual(t, first.Boundaries, second.Boundaries)
	case "refused":
		attack.Prove(t, nil)
	case "leaks":
		attack.Prove(t, ownName, attack.Depth(1))
		_, err := os.MkdirTemp(os.Getenv(leftIn), "left-")
		require.NoError(t, err)
	}
}

// TestAttackUnderTmpleak: a test that calls package attack works under tmpleak,
// which leaves its victims to it.
func TestAttackUnderTmpleak(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	const byItself, result = "under tmpleak, which ran the test by itself", "--- PASS: TestAttacked"
	for _, row := range []struct {
		name string
		code int
		has  []string
		not  []string
	}{
		{"safe", 0, []string{byItself, "schedules, 0 findings", result, "0 leaks"}, nil},
		{"broken", 1, []string{byItself, "X01", "TMPPROOF_REPLAY=", "goes on", "--- FAIL: TestAttacked"}, []string{result}},
		{"expected", 0, []string{byItself, result}, nil},
		{"two calls", 0, []string{byItself, result}, nil},
		{"refused", 1, []string{"the victim is nil"}, []string{result}},
		{"leaks", 1, []string{byItself, result, `TestAttacked left "left-*"`}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(exe, exe, "-test.v", "-test.run=^TestAttacked$")
			cmd.Env = append(os.Environ(), asTmpleak+"=1", attacked+"="+row.name, leftIn+"="+t.TempDir())
			out, _ := cmd.CombinedOutput()
			assert.Equal(t, row.code, cmd.ProcessState.ExitCode(), "%s", out)
			for _, s := range row.has {
				assert.Contains(t, string(out), s)
			}
			for _, s := range row.not {
				assert.NotContains(t, string(out), s)
			}
		})
	}
	// A supervisor that does not answer: that is said, and by whom it is meant.
	for _, row := range []struct {
		name, strict, has string
		code              int
	}{
		{"nobody answers", "0", "--- SKIP: TestAttacked", 0},
		{"nobody answers, strict", "1", "--- FAIL: TestAttacked", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(exe, "-test.v", "-test.run=^TestAttacked$")
			cmd.Env = append(os.Environ(), attacked+"=safe", "TMPPROOF_OUTSIDE=tmpproof-nobody", "TMPPROOF_STRICT="+row.strict)
			out, _ := cmd.CombinedOutput()
			assert.Equal(t, row.code, cmd.ProcessState.ExitCode(), "%s", out)
			assert.Contains(t, string(out), row.has)
			assert.Contains(t, string(out), "tmpleak supervises this test")
		})
	}
}
