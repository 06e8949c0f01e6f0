//go:build amd64 || arm64

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/covered"
	"github.com/tmpproof/tmpproof/internal/swept"
	"golang.org/x/sys/unix"
)

const (
	// asTmpleak makes this test binary the command.
	asTmpleak = "TEST_TMPLEAK"
	// builtBefore names a directory with the programs of testdata, where there is
	// no go command: the test binary of ways, and touch.
	builtBefore = "TEST_TMPLEAK_BUILT"
)

func TestMain(m *testing.M) {
	special()
	if os.Getenv(asTmpleak) != "" {
		os.Unsetenv(asTmpleak)
		main()
	}
	os.Exit(swept.Run(m))
}

// built is the test binary of testdata/ways.
var built struct {
	sync.Mutex
	dir string
	exe map[string]string
}

func ways(t *testing.T, flags ...string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	key := strings.Join(flags, " ")
	if exe := built.exe[key]; exe != "" {
		return exe
	}
	if dir := os.Getenv(builtBefore); dir != "" && key == "" {
		return filepath.Join(dir, "ways.test")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command, to build a program")
	}
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "ways")
		require.NoError(t, err)
		require.NoError(t, os.Chmod(dir, 0o755))
		built.dir, built.exe = dir, map[string]string{}
	}
	exe := filepath.Join(built.dir, fmt.Sprintf("ways%d.test", len(built.exe)))
	out, err := exec.Command("go", append(append([]string{"test", "-c", "-vet=off", "-o", exe}, flags...), "./testdata/ways")...).CombinedOutput()
	if err != nil && strings.Contains(key, "-race") {
		t.Skipf("no -race here: %s", out)
	}
	require.NoError(t, err, "%s", out)
	built.exe[key] = exe
	return exe
}

// buildTouch makes testdata/touch, a static program.
func buildTouch(t *testing.T, to string) {
	t.Helper()
	if dir := os.Getenv(builtBefore); dir != "" {
		copyProgram(t, filepath.Join(dir, "touch"), to)
		return
	}
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", to, "./testdata/touch")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, b, 0o755))
}

// ran is what a run of the command gave.
type ran struct {
	out  string
	code int
	sig  syscall.Signal
	tmp  string
	home string
}

// reachable, in the environment of a row, puts its world where others can come
// to it.
const reachable = "REACHABLE=1"

// withinReach is a directory in which others can come to what the victims make:
// the rules of creation say nothing of a private TMPDIR.
func withinReach() string {
	for dir := os.TempDir(); dir != "/"; dir = filepath.Dir(dir) {
		if st, err := os.Stat(dir); err != nil || st.Mode()&0o001 == 0 {
			return "/tmp"
		}
	}
	return ""
}

// prepare makes a command with a world of its own: TMPDIR with /tmp's mode,
// HOME, and a package directory with files in it.
func prepare(t *testing.T, exe string, env, flags []string, args ...string) (*exec.Cmd, ran) {
	t.Helper()
	base := swept.Dir(t) // which has a shorter name than t.TempDir, for sockets
	if slices.Contains(env, reachable) {
		dir, err := os.MkdirTemp(withinReach(), "tl")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
		require.NoError(t, os.Chmod(dir, 0o755))
		base = dir
	}
	r := ran{tmp: base + "/tmp", home: base + "/home"}
	for _, dir := range []string{r.tmp, r.home, r.home + "/sub", base + "/pkg"} {
		require.NoError(t, os.Mkdir(dir, 0o755))
	}
	require.NoError(t, os.Chmod(r.tmp, 0o777|os.ModeSticky))
	for _, name := range []string{r.home + "/old", base + "/pkg/old", base + "/pkg/old2"} {
		require.NoError(t, os.WriteFile(name, nil, 0o600))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
	t.Cleanup(cancel)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(ctx, self, append(append(flags, exe), args...)...)
	cmd.Dir, cmd.WaitDelay = base+"/pkg", 5*time.Second
	cmd.Env = append(os.Environ(), asTmpleak+"=1", "TMPDIR="+r.tmp, "HOME="+r.home, "GOTMPDIR=", "TMPPROOF_STRICT=", "GORACE=atexit_sleep_ms=0", "MANY=50")
	cmd.Env = append(cmd.Env, env...)
	covered.Program(t, cmd)
	return cmd, r
}

func leaksOf(t *testing.T, exe string, env, flags []string, args ...string) ran {
	t.Helper()
	cmd, r := prepare(t, exe, env, flags, args...)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		require.NoError(t, err, "%s", out)
	}
	r.out = strings.ReplaceAll(string(out), "tmpleak: not followed: "+olderKernel+"\n", "")
	r.code = cmd.ProcessState.ExitCode()
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		r.sig = ws.Signal()
	}
	endOrphans(r.out)
	if strings.Contains(r.out, "NOTHING WAS CHECKED") && os.Getenv("TMPPROOF_STRICT") == "" {
		t.Skip(r.out)
	}
	return r
}

var stillRuns = regexp.MustCompile(`(?m)^    process (\d+)$`)

// endOrphans ends what tmpleak has reported: it ends nobody itself.
func endOrphans(out string) {
	for _, m := range stillRuns.FindAllStringSubmatch(out, -1) {
		if pid, err := strconv.Atoi(m[1]); err == nil {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// madeBy is, by test, the line of testdata/ways that makes what it leaves.
func madeBy(t *testing.T) map[string]string {
	b, err := os.ReadFile("testdata/ways/ways_test.go")
	require.NoError(t, err)
	lines := map[string]string{}
	n := 0
	for line := range bytes.Lines(b) {
		n++
		if _, test, ok := strings.Cut(strings.TrimSpace(string(line)), "// made by "); ok {
			lines[test] = fmt.Sprintf("ways_test.go:%d", n)
		}
	}
	return lines
}
