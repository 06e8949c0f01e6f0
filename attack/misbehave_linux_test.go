package attack_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/covered"
	"github.com/tmpproof/tmpproof/internal/rerun"
)

// envMisbehave makes TestMisbehavingVictim run one row.
const envMisbehave = "TMPPROOF_TEST_MISBEHAVE"

// misbehaviour is a victim that ends, or goes on, as no code should.
type misbehaviour struct {
	name   string
	victim func(t *testing.T) attack.Victim
	opts   []attack.Option
	clean  bool     // the verdict is that it is safe
	says   []string // in the report
	unsaid []string // not in the report
	root   bool     // needs root
}

// TestMisbehavingVictim is run by TestMisbehave in a process of its own: the
// verdict, then whether the process is as it was before, then the next proof.
func TestMisbehavingVictim(t *testing.T) {
	name := os.Getenv(envMisbehave)
	if name == "" {
		t.Skip("run by TestMisbehave, in a process of its own, with " + envMisbehave)
	}
	i := slices.IndexFunc(misbehaviours, func(m misbehaviour) bool { return m.name == name })
	require.GreaterOrEqual(t, i, 0, name)
	m := misbehaviours[i]
	wellBehaved := func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error {
			return os.WriteFile(filepath.Join(s.Home, "settings"), []byte("x"), 0o600)
		})
	}
	t.Run("first", wellBehaved) // starts what the runtime keeps
	before := state(t)
	t.Run("victim", func(t *testing.T) { attack.Prove(t, m.victim(t), m.opts...) })
	if !rerun.IsChild() {
		assert.Equal(t, before, state(t), "left behind in the process of the test")
	}
	t.Run("next", wellBehaved)
}

// state is what a proof must leave as it is: descriptors, goroutines,
// working directory, what lies below TMPDIR.
func state(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	fds, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	for _, fd := range fds {
		// Not the listing's own, nor the program, in which the leakcheck of this run
		// looks beside the tests for code that takes signals.
		if link, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && link != self {
			fmt.Fprintln(&b, fd.Name(), strings.Split(link, ":[")[0])
		}
	}
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > 3 && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if runtime.NumGoroutine() > 3 {
		stacks := make([]byte, 1<<16)
		fmt.Fprintf(&b, "%s\n", stacks[:runtime.Stack(stacks, true)])
	}
	wd, err := os.Getwd()
	require.NoError(t, err)
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	fmt.Fprintln(&b, wd, left)
	return b.String()
}

// TestMisbehave: whatever a victim does, the report names it, the proof comes
// back well within its budget, nothing stays behind, and the next proof in
// the same process works.
func TestMisbehave(t *testing.T) {
	if rerun.IsChild() || os.Getenv(envMisbehave) != "" {
		t.Skip("it is the one who starts them")
	}
	for _, m := range attack.RaceSample(attack.ShortSample(misbehaviours)) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			if m.root && os.Getuid() != 0 {
				t.Skip("only root can do this")
			}
			runtime.LockOSThread() // Pdeathsig is the thread's death
			first := misbehave(t, m)
			if attack.Long {
				assert.Equal(t, first, misbehave(t, m, "-test.cpu=1"), "the text of a second run, on one CPU")
			}
			for _, s := range m.says {
				assert.Contains(t, first, s)
			}
			for _, s := range m.unsaid {
				assert.NotContains(t, first, s)
			}
			if os.Getenv(envShow) != "" {
				t.Log(first)
			}
		})
	}
}

// quick bounds one row, start of the program included, in an environment
// where everything is slow.
var quick = 25 * time.Second * attack.Slow

// misbehave runs one row and gives its text without what differs from run to
// run.
func misbehave(t *testing.T, m misbehaviour, args ...string) string {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	tmp := t.TempDir()
	require.NoError(t, os.Chmod(tmp, 0o777))
	cmd := exec.Command(exe, append(args, "-test.run=^TestMisbehavingVictim$", "-test.v", "-test.timeout="+quick.String())...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // for the one who kills the group
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, envMisbehave+"="+m.name)
	covered.Test(t, cmd)
	begin := time.Now()
	out, err := cmd.CombinedOutput()
	assert.Less(t, time.Since(begin), quick)
	text := string(out)
	if m.clean {
		assert.NoError(t, err, text)
		assert.Contains(t, text, "--- PASS: TestMisbehavingVictim/victim", text)
	} else {
		assert.Error(t, err)
		assert.Contains(t, text, "--- FAIL: TestMisbehavingVictim/victim", text)
	}
	assert.Contains(t, text, "--- PASS: TestMisbehavingVictim/first", text)
	assert.Contains(t, text, "--- PASS: TestMisbehavingVictim/next", text)
	assert.NotContains(t, text, "left behind in the process", text)
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	assert.Empty(t, left, "below TMPDIR")
	assert.Empty(t, processesWith(t, "TMPDIR="+tmp+"\x00"), "processes")
	// How far a goroutine gets that nobody waits for is chance.
	return regexp.MustCompile(`(?m) over \d+ boundaries$|\(\d+\.\d+s\)|, [\d.]+[mµ]?s$|^.* known schedules, .* left\n`).ReplaceAllString(text, "")
}

// processesWith finds processes by a part of their environment.
func processesWith(t *testing.T, part string) []string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	var found []string
	for _, d := range dirs {
		env, err := os.ReadFile(d + "/environ")
		if err != nil || !strings.Contains(string(env), part) {
			continue
		}
		args, _ := os.ReadFile(d + "/cmdline")
		found = append(found, filepath.Base(d)+" "+strings.ReplaceAll(string(args), "\x00", " "))
	}
	return found
}
