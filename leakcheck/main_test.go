package leakcheck

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/covered"
	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/internal/sweep"
	"github.com/tmpproof/tmpproof/internal/swept"
)

// fixtureVariable makes this test binary a test run of another kind: that of
// the named fixture's tests alone, checked by leakcheck as a user's are.
const fixtureVariable = "LEAKCHECK_FIXTURE"

type fixture struct {
	tests []testing.InternalTest
	opts  []Option
	// main replaces Run with these options.
	main func(m *testing.M) int
}

func TestMain(m *testing.M) {
	name := os.Getenv(fixtureVariable)
	if name == "" {
		os.Exit(swept.Run(m))
	}
	f, ok := fixtures()[name]
	if !ok {
		panic("no fixture " + name)
	}
	*field[testing.InternalTest](m, "tests") = f.tests
	run := f.main
	if run == nil {
		run = func(m *testing.M) int { return Run(m, f.opts...) }
	}
	code := run(m)
	covered.Write()
	os.Exit(code)
}

// result is what a fixture's run gave.
type result struct {
	out  string
	code int
	tmp  string // its TMPDIR
}

// runFixture runs a fixture as the go command would, with a TMPDIR of its own.
func runFixture(t testing.TB, name string, args ...string) result {
	t.Helper()
	cmd, tmp := fixtureCommand(t, name, args...)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return result{string(out), cmd.ProcessState.ExitCode(), tmp}
}

func fixtureCommand(t testing.TB, name string, args ...string) (*exec.Cmd, string) {
	t.Helper()
	slow, err := rerun.Slowness()
	require.NoError(t, err)
	limit := 3 * time.Minute * time.Duration(slow)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	tmp := swept.Dir(t)
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(ctx, exe, append(args, "-test.timeout="+(limit-10*time.Second).String())...)
	covered.Test(t, cmd)
	cmd.Dir = t.TempDir()
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(os.Environ(), fixtureVariable+"="+name, "TMPDIR="+tmp, "TMP="+tmp, "TEMP="+tmp, "GOTMPDIR=", "GORACE=atexit_sleep_ms=0")
	return cmd, tmp
}

// leftIn is what a fixture has left in its TMPDIR.
func leftIn(t testing.TB, tmp string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(tmp, "*"))
	require.NoError(t, err)
	return slices.DeleteFunc(names, func(name string) bool { return filepath.Base(name) == sweep.Marker })
}

// requireNothingLeft holds the checker against its own rule.
func requireNothingLeft(t testing.TB, r result) {
	t.Helper()
	require.Empty(t, leftIn(t, r.tmp), r.out)
}
