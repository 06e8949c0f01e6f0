//go:build amd64 || arm64

package sweep

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/supervise"
)

// envLife makes this test binary a process that makes a directory in the one
// that it names, fills and removes it.
const envLife = "TEST_SWEEP_LIFE"

func TestMain(m *testing.M) {
	dir := os.Getenv(envLife)
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := life(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func life(dir string) error {
	if _, err := supervise.Attach(); err != nil {
		return err
	}
	own, marker, err := Make(dir)
	if err != nil {
		return err
	}
	defer marker.Close()
	if err := os.MkdirAll(filepath.Join(own, "a", "b"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(own, "a", "f"), nil, 0o400); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Join(own, "a"), 0o500); err != nil {
		return err
	}
	return Remove(own)
}

// TestKilledAnywhere: whenever a process is killed, the next sweep leaves
// nothing.
func TestKilledAnywhere(t *testing.T) {
	runtime.LockOSThread() // of which the child's life depends; the goroutine ends with it
	at := 0
	for done := false; !done; at++ {
		dir := t.TempDir()
		done = killedAt(t, dir, at)
		new(Sweeper).Sweep(dir)
		require.Empty(t, list(t, dir), "killed before call %d", at)
	}
	assert.Greater(t, at, 15, "calls that were killed")
}

// killedAt kills the life of a directory before its n-th call that names it,
// and reports whether it came to its end before.
func killedAt(t *testing.T, dir string, n int) (done bool) {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), envLife+"="+dir, "GODEBUG=asyncpreemptoff=1")
	cmd.Stderr = os.Stderr
	deadline := time.Now().Add(time.Minute)
	tree, err := supervise.Start(cmd, supervise.Names, deadline)
	if un := (*supervise.UnsupportedError)(nil); errors.As(err, &un) {
		t.Skip(un)
	}
	require.NoError(t, err)
	defer func() { require.NoError(t, tree.Kill()) }()
	for {
		ev, err := tree.Next(deadline)
		require.NoError(t, err)
		if ev.Type == supervise.Gone {
			require.True(t, cmd.ProcessState == nil || cmd.ProcessState.Success())
			return true
		}
		if ev.Type == supervise.Call && !ev.Repeat && concerns(ev, dir) {
			if n == 0 {
				return false
			}
			n--
		}
		tree.Continue(ev)
	}
}

func concerns(ev *supervise.Event, dir string) bool {
	for _, p := range ev.Paths {
		if name, err := ev.Abs(p); err == nil && strings.HasPrefix(name, dir) {
			return true
		}
	}
	return false
}

// TestLockOutlivesOwner: the lock of a process that has ended is another's only
// for as long as a forked child has it; that does not keep the directory. The
// lock of one that lives does, and of one of which nothing is known here.
func TestLockOutlivesOwner(t *testing.T) {
	self := strings.Fields(owner())
	require.Len(t, self, 4)
	line := func(boot, ns, pid, at string) string { return strings.Join([]string{boot, ns, pid, at}, " ") + "\n" }
	gone := exec.Command("/proc/self/exe", "-test.run=^$")
	require.NoError(t, gone.Run())
	pid := fmt.Sprint(gone.Process.Pid)
	for _, tt := range []struct {
		name, line string
		stays      bool
	}{
		{"ended", line(self[0], self[1], pid, self[3]), false},
		{"its number is another's", line(self[0], self[1], self[2], self[3]+"0"), false},
		{"lives", owner(), true},
		{"another system", line("x"+self[0], self[1], pid, self[3]), true},
		{"another namespace", line(self[0], "pid:[1]", pid, self[3]), true},
		{"not known", "", true},
		{"an older marker", pid + "\n", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, prefix := range []string{Prefix, Aside} {
				dir := t.TempDir()
				own := filepath.Join(dir, prefix+"1")
				require.NoError(t, os.Mkdir(own, 0o700))
				write(t, own, Marker, Text+tt.line, 0o600)
				f, err := os.Open(filepath.Join(own, Marker))
				require.NoError(t, err)
				require.NoError(t, lock(f))
				new(Sweeper).Sweep(dir)
				assert.Equal(t, tt.stays, len(list(t, dir)) > 0, prefix)
				require.NoError(t, f.Close())
				new(Sweeper).Sweep(dir)
				assert.Empty(t, list(t, dir))
			}
		})
	}
}
