package rulebook

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/sample"
	"github.com/tmpproof/tmpproof/leakcheck"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// left is a rule with a test that breaks it and its twin. They run in a
// process of their own, whose TestMain is leakcheck.Main.
type left struct {
	rule          rules.Rule
	as            rules.Rule // what the report names, where it is not the rule itself
	name          string
	broken, sound func(t *testing.T)
	says          string // more that the report has
}

const envVictim = "TMPPROOF_RULEBOOK"

// TestMain makes this binary the test run of one victim where the variable
// says so.
func TestMain(m *testing.M) {
	if os.Getenv(envVictim) == "" {
		os.Exit(m.Run())
	}
	leakcheck.Main(m)
}

// TestVictim is the one test of such a run.
func TestVictim(t *testing.T) {
	name, twin, _ := strings.Cut(os.Getenv(envVictim), "|")
	switch name {
	case "":
		t.Skip("run by TestLeft, in a process of its own")
	case "R07 exits":
		leaveFile(t)
		os.Exit(3)
	}
	for _, row := range sample.Third(leaves, sample.Short()) {
		if row.rule.ID()+" "+row.name == name {
			if twin == "broken" {
				row.broken(t)
			} else {
				row.sound(t)
			}
		}
	}
}

func tempFile(t *testing.T) *os.File {
	f, err := os.CreateTemp("", "upload-*")
	require.NoError(t, err)
	return f
}

func leaveFile(t *testing.T) { require.NoError(t, tempFile(t).Close()) }

func removeFile(t *testing.T) {
	f := tempFile(t)
	require.NoError(t, errors.Join(f.Close(), os.Remove(f.Name())))
}

// kept keeps from the garbage collector what victims leave open.
var kept []any

func script(text string) func(t *testing.T) {
	return func(t *testing.T) {
		cmd := exec.Command("/bin/sh", "-c", text)
		cmd.Stdin = os.Stdin // open for as long as the run is watched
		require.NoError(t, cmd.Run())
	}
}

// maps maps a removed file.
func maps(unmap bool) func(t *testing.T) {
	return func(t *testing.T) {
		f := tempFile(t)
		require.NoError(t, f.Truncate(4096))
		b, err := syscall.Mmap(int(f.Fd()), 0, 4096, syscall.PROT_READ, syscall.MAP_SHARED)
		require.NoError(t, err)
		require.NoError(t, errors.Join(f.Close(), os.Remove(f.Name())))
		if unmap {
			require.NoError(t, syscall.Munmap(b))
		} else {
			kept = append(kept, b)
		}
	}
}

// stops ends the test before its end.
func stops(deferred bool) func(t *testing.T) {
	return func(t *testing.T) {
		f := tempFile(t)
		require.NoError(t, f.Close())
		if deferred {
			defer os.Remove(f.Name())
		}
		t.SkipNow() // runtime.Goexit, as t.FailNow
		_ = os.Remove(f.Name())
	}
}

var leaves = []left{
	{rule: rules.E13, name: "TMPDIR stays changed", says: `TMPDIR="/var/tmp"`,
		broken: func(t *testing.T) { require.NoError(t, os.Setenv("TMPDIR", "/var/tmp")) },
		sound:  func(t *testing.T) { t.Setenv("TMPDIR", "/var/tmp") }},
	{rule: rules.U09, as: rules.R01, name: "a child's file", says: `left "child.out", made at left_linux_test.go:`,
		broken: script(`: >"$TMPDIR/child.out"`), sound: script(`: >"$TMPDIR/child.out"; rm "$TMPDIR/child.out"`)},
	{rule: rules.R01, name: "a file", broken: leaveFile, sound: removeFile},
	{rule: rules.R02, as: rules.R01, name: "a file of a test that failed", says: "--- FAIL: TestVictim",
		broken: func(t *testing.T) { leaveFile(t); t.Fail() }, sound: removeFile},
	{rule: rules.R03, name: "a removed file that stays open",
		broken: func(t *testing.T) {
			f := tempFile(t)
			require.NoError(t, os.Remove(f.Name()))
			kept = append(kept, f)
		}, sound: removeFile},
	{rule: rules.R04, name: "a mapping", broken: maps(false), sound: maps(true)},
	{rule: rules.R06, as: rules.R01, name: "runtime.Goexit", broken: stops(false), sound: stops(true)},
	{rule: rules.R13, name: "a process", says: `the process "cat" running`,
		// It waits for the program to be there: before, the process is a shell.
		broken: script(`exec 3<&0; cat <&3 >/dev/null 2>&1 & until read x </proc/$!/comm && [ "$x" = cat ]; do :; done`),
		sound:  script(`cat </dev/null & wait`)},
	{rule: rules.R15, as: rules.R03, name: "closed by the garbage collector alone",
		broken: func(t *testing.T) {
			f := tempFile(t)
			require.NoError(t, os.Remove(f.Name()))
			kept = append(kept, f) // or the collector may be quicker
		}, sound: removeFile},
	{rule: rules.R16, as: rules.R01, name: "test, line, size, mode and age", says: "5 bytes, mode 0600, ",
		broken: func(t *testing.T) {
			require.NoError(t, os.WriteFile(filepath.Join(os.TempDir(), "five"), []byte("bytes"), 0o600))
		}, sound: removeFile},
	{rule: rules.R17, as: rules.E13, name: "the place that is looked at is not the one that is used", says: "later tests were not seen",
		// Not a directory that is gone by the end: go test -cover needs one.
		broken: func(t *testing.T) { require.NoError(t, os.Setenv("TMPDIR", "/tmp")) }, sound: removeFile},
}

// TestLeft: the run of the broken test fails and names the rule, that of its
// twin passes.
func TestLeft(t *testing.T) {
	for _, row := range sample.Third(leaves, sample.Short()) {
		want := row.rule.ID()
		if row.as != "" {
			want = row.as.ID()
		}
		t.Run(row.rule.ID()+" "+row.name, func(t *testing.T) {
			out, code := runVictim(t, row.rule.ID()+" "+row.name+"|broken")
			assert.Equal(t, 1, code, out)
			assert.Contains(t, out, "leakcheck: "+want)
			assert.Contains(t, out, row.says)
			out, code = runVictim(t, row.rule.ID()+" "+row.name+"|sound")
			assert.Zero(t, code, out)
			assert.NotContains(t, out, "leakcheck")
		})
	}
}

// TestSwept is R07: what a run that ended too early has left is removed by the
// next one, and nothing else.
func TestSwept(t *testing.T) {
	tmp := t.TempDir()
	other := filepath.Join(tmp, "other")
	require.NoError(t, os.Mkdir(other, 0o700))
	out, code := runVictim(t, "R07 exits", "TMPDIR="+tmp)
	require.Equal(t, 3, code, out)
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Len(t, left, 2, "the root of the run that ended, and the other")
	out, code = runVictim(t, "R01 a file|sound", "TMPDIR="+tmp)
	require.Zero(t, code, out)
	left, err = os.ReadDir(tmp)
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.DirExists(t, other)
}

// runVictim runs TestVictim in a process of its own.
func runVictim(t *testing.T, victim string, env ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(ctx, exe, "-test.run=^TestVictim$")
	cmd.Env = append(append(os.Environ(), envVictim+"="+victim, "GOTMPDIR="), env...)
	cmd.WaitDelay = 5 * time.Second
	in, err := cmd.StdinPipe() // what a victim leaves running ends with it
	require.NoError(t, err)
	defer in.Close()
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
