package rerun

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/swept"
)

// fixtureVariable makes this test binary a test run of another kind: that of
// the named fixture's tests alone, under its TestMain.
const fixtureVariable = "RERUN_FIXTURE"

type fixture struct {
	tests []testing.InternalTest
	main  func(run func()) // nil: run()
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
	run := func() { testing.Main(regexp.MatchString, f.tests, nil, nil) }
	if f.main == nil {
		run()
	}
	f.main(run)
}

// runFixture runs a fixture as the go command would, and returns its output
// and exit status.
func runFixture(t *testing.T, name string, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = merge(append(os.Environ(), fixtureVariable+"="+name), "GORACE", " ", "atexit_sleep_ms=0")
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// once is a verb: it returns what fn returns in another process.
func once(t *testing.T, fn func() string) (string, error) {
	t.Helper()
	c, err := Enter(t)
	require.NoError(t, err)
	if c.Role() == Other {
		data, ok := c.Earlier()
		if !ok {
			t.SkipNow()
		}
		return string(data), nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	data, err := c.Once(ctx, func() []byte { return []byte(fn()) })
	c.Finish(data)
	return string(data), err
}
