//go:build amd64 || arm64

package supervise

import (
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestHandlers: a call that waits to be met does not fail with EINTR
// because of that, and one that the kernel interrupts does.
func TestHandlers(t *testing.T) {
	asOldProgram(t, func(t *testing.T, dir string) *exec.Cmd { return running(t, dir, gcc(t, "interrupted.c")) }, nil)
}

// TestJobs: shells with a handler for SIGCHLD, in which fork never fails.
func TestJobs(t *testing.T) {
	const script = `cd "$0" || exit 1; for i in 1 2 3 4 5 6 7 8; do (echo $i >$i) & done; wait; cat [1-8] >all`
	for _, sh := range [][]string{{"dash"}, {"busybox", "sh"}, {"bash"}} {
		t.Run(sh[0], func(t *testing.T) {
			for range 5 {
				asOldProgram(t, func(t *testing.T, dir string) *exec.Cmd { return running(t, dir, append(sh, "-c", script)...) }, func(dir string) {
					all, err := os.ReadFile(dir + "/all")
					require.NoError(t, err)
					assert.Equal(t, "1\n2\n3\n4\n5\n6\n7\n8\n", string(all))
				})
			}
		})
	}
}

// asOldProgram runs a program to its good end, on this kernel and on one before
// 5.19.
func asOldProgram(t *testing.T, program func(t *testing.T, dir string) *exec.Cmd, after func(dir string)) {
	for _, old := range []bool{false, true} {
		t.Run(map[bool]string{false: "this kernel", true: "before 5.19"}[old], func(t *testing.T) {
			dir := t.TempDir()
			cmd := program(t, dir)
			cmd.Stdout = io.Discard
			if old {
				cmd.Env = append(cmd.Env, envOld+"=1")
			}
			tree := supervise(t, cmd, Names)
			watch(t, tree, func(ev *Event) bool {
				assert.NotEqual(t, "rt_sigaction", ev.Name)
				return false
			})
			state, err := tree.Wait(soon())
			require.NoError(t, err)
			assert.True(t, state.Success(), state)
			if after != nil {
				after(dir)
			}
		})
	}
}

// TestTraced: only a process whose handler ends calls is traced, and not what it
// executes.
func TestTraced(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		want         bool
	}{
		{"no handler", `stat "."`, false},
		{"ignores a signal", `$SIG{USR1} = "IGNORE"; stat "."`, false},
		{"a handler", `$SIG{USR1} = sub {}; stat "."`, true},
		{"a child of one with a handler", `$SIG{USR1} = sub {}; fork ? wait : stat "."`, true},
		{"executes another program", `$SIG{USR1} = sub {}; exec "stat", "."`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			traced := false
			tree := supervise(t, running(t, t.TempDir(), "perl", "-e", tt.script), Names)
			watch(t, tree, func(ev *Event) bool {
				if ev.Type == Call && ev.Kind == Check && len(ev.Paths) > 0 && ev.Paths[0].Raw == "." {
					traced = statusField(ev.TID, "TracerPid:") != 0
				}
				return false
			})
			assert.Equal(t, tt.want, traced)
		})
	}
}
