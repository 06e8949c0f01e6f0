//go:build amd64 || arm64

package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func init() {
	victims["steps"] = func(dir string) {
		_ = os.Mkdir(dir+"/a", 0o700)
		_ = os.Rename(dir+"/a", dir+"/b")
		_ = os.Remove(dir + "/b")
	}
	victims["survivors"] = func(dir string) {
		// One in the group that makes no call; one in a session of its own; one that its parent has put into a group of its own.
		start(dir, &syscall.SysProcAttr{}, `: >"$0/ready1"; while :; do :; done`)
		start(dir, &syscall.SysProcAttr{Setsid: true}, `trap "" HUP TERM; : >"$0/ready2"; while :; do :; done`)
		start(dir, &syscall.SysProcAttr{Setpgid: true}, `: >"$0/ready3"; while :; do :; done`)
	}
	victims["moved out"] = func(dir string) { // by its parent, into a group of its own
		pid := silent()
		if err := unix.Setpgid(pid, pid); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(5)
		}
		_ = os.WriteFile(dir+"/ready", nil, 0o600)
	}
	victims["silent orphan"] = func(string) { // in the session that its parent has made
		pid, _, _ := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if pid == 0 {
			_, _, _ = unix.RawSyscall(unix.SYS_SETSID, 0, 0, 0)
			silent()
			_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
		_, _ = unix.Wait4(int(pid), nil, 0, nil)
	}
	victims["silent child"] = func(dir string) {
		silent()
		_ = os.WriteFile(dir+"/ready", nil, 0o600)
	}
	victims["many, one by one"] = func(dir string) {
		start(dir, &syscall.SysProcAttr{}, `i=0; while [ $i -lt 300 ]; do (:); i=$((i+1)); done; : >"$0/ready"; while :; do :; done`)
	}
	victims["orphans"] = func(dir string) {
		// Its middle processes end at once, and the last makes no call that stops.
		start(dir, &syscall.SysProcAttr{}, `(sh -c ': >"$0/ready1"; trap "" HUP; while :; do :; done' "$0" &) &`)
	}
	victims["bomb"] = func(dir string) {
		start(dir, &syscall.SysProcAttr{}, `f() { f & f & }; f; wait`)
	}
	victims["spinners"] = func(dir string) {
		start(dir, &syscall.SysProcAttr{}, `i=0; while [ $i -lt 60 ]; do (sleep 1000) & i=$((i+1)); done; wait`)
	}
	victims["silent spinners"] = func(string) { // processes that make no call at which they could be met
		for range 60 {
			if pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0); pid == 0 && errno == 0 {
				for {
					_, _, _ = unix.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
				}
			}
		}
	}
	victims["closes"] = func(dir string) {
		for fd := range 64 {
			to, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
			if err == nil && !strings.HasPrefix(to, "anon_inode:") { // without epoll the Go runtime ends the process
				_ = unix.Close(fd)
			}
		}
		_ = os.Mkdir(dir+"/closed", 0o700)
	}
	victims["hangs"] = func(dir string) { time.Sleep(time.Hour) }
	victims["exits"] = func(dir string) { os.Exit(7) }
	victims["dies early"] = func(dir string) {}
	beforeAttach["dies early"] = func() { os.Exit(8) }
	victims["dies early, leaving a process"] = func(dir string) {}
	beforeAttach["dies early, leaving a process"] = func() {
		_ = unix.Close(1) // or the output would be waited for
		cmd := exec.Command("/bin/sleep", "1000")
		cmd.ExtraFiles = []*os.File{os.NewFile(3, "control")}
		_ = cmd.Start()
		os.Exit(8)
	}
	victims["never attaches"] = func(dir string) {}
	beforeAttach["never attaches"] = func() { time.Sleep(time.Hour) }
	victims["lost descriptor"] = func(dir string) {}
	beforeAttach["lost descriptor"] = func() {
		_ = unix.Close(3)
		_, _ = unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	}
	victims["supervisor"] = func(dir string) {}
	beforeAttach["supervisor"] = func() { // is no victim, but starts one and gets killed
		runtime.LockOSThread()
		exe, _ := os.Executable()
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), envVictim+"=steps")
		tree, err := Start(cmd, Names, soon())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(tree.PID())
		_, _ = tree.Next(soon())
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	}
}

// silent starts a process that makes no call of the table, nor one that ends.
func silent() (pid int) {
	p, _, _ := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	for p == 0 {
		_, _, _ = unix.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
	}
	return int(p)
}

// start runs a script and does not wait for it.
func start(dir string, attr *syscall.SysProcAttr, script string) {
	cmd := exec.Command("/bin/sh", "-c", script, dir)
	cmd.SysProcAttr = attr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(5)
	}
}

// alive are the processes that have a word in their environment, which every
// process of a test's tree has.
func alive(t *testing.T, word string) []string {
	t.Helper()
	var pids []string
	envs, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	for _, f := range envs {
		b, _ := os.ReadFile(f)
		pid := strings.Split(f, "/")[2]
		if strings.Contains(string(b), word) && pid != strconv.Itoa(os.Getpid()) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// TestKillAtBoundary: a call at whose boundary the tree is killed has not run.
func TestKillAtBoundary(t *testing.T) {
	for _, tt := range []struct {
		at   string
		left []string
	}{
		{"mkdirat a", nil}, {"renameat a b", []string{"a"}}, {"unlinkat b", []string{"b"}}, {"the end", nil},
	} {
		t.Run(tt.at, func(t *testing.T) {
			dir := t.TempDir()
			tree := supervise(t, victim(t, "steps", dir), Names)
			for {
				ev, err := tree.Next(soon())
				require.NoError(t, err)
				if describe(ev, dir) == tt.at || ev.Type == Message {
					break
				}
				tree.Continue(ev)
			}
			require.NoError(t, tree.Kill())
			require.NoError(t, tree.Kill(), "again")
			state, err := tree.Wait(soon())
			require.NoError(t, err)
			assert.Equal(t, syscall.SIGKILL, state.Sys().(syscall.WaitStatus).Signal())
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			var left []string
			for _, e := range entries {
				left = append(left, e.Name())
			}
			assert.Equal(t, tt.left, left)
		})
	}
}

// TestLiving: a process is known before its first call.
func TestLiving(t *testing.T) {
	dir := t.TempDir()
	tree := supervise(t, victim(t, "silent child", dir), Names)
	for {
		ev, err := tree.Next(soon())
		require.NoError(t, err)
		require.NotEqual(t, Gone, ev.Type)
		if strings.Contains(describe(ev, dir), "ready") {
			break
		}
		tree.Continue(ev)
	}
	assert.Len(t, tree.Living(), 1)
}

// TestSilentOrphan: a tree is not over while a process lives of which no call
// was ever seen, and whose parent, the only one that was met, has ended.
func TestSilentOrphan(t *testing.T) {
	dir := t.TempDir()
	end := func() {
		for _, s := range alive(t, dir) {
			pid, _ := strconv.Atoi(s)
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	t.Cleanup(end) // what failed leaves nothing either
	cmd := victim(t, "silent orphan", dir)
	cmd.Env = append(cmd.Env, "GOCOVERDIR=")
	tree := supervise(t, cmd, Names)
	quiet := 0
	for quiet < 3 {
		ev, err := tree.Next(time.Now().Add(20 * time.Millisecond))
		if err != nil {
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			if _, err := tree.Wait(time.Now()); err == nil {
				quiet++
			}
			continue
		}
		require.NotEqual(t, Gone, ev.Type)
		if ev.Type == Message {
			tree.Answer(ev, 0)
		}
		tree.Continue(ev)
	}
	require.Len(t, alive(t, dir), 1)
	end()
	ev, err := tree.Next(soon())
	require.NoError(t, err)
	assert.Equal(t, Gone, ev.Type)
}

// TestKillAll: whatever a victim has started ends, and nothing of the tree is
// left in this process either.
func TestKillAll(t *testing.T) {
	for _, tt := range []struct {
		victim string
		living int // processes besides the child that must be known
		wait   bool
	}{
		{"survivors", 3, false}, {"survivors", 3, true}, {"orphans", 1, true}, {"hangs", 0, false},
		{"moved out", 1, true}, {"many, one by one", 1, true},
	} {
		t.Run(fmt.Sprintf("%s, child reaped %v", tt.victim, tt.wait), func(t *testing.T) {
			dir := t.TempDir()
			fds, threads := descriptors(t), runtime.NumGoroutine()
			runtime.LockOSThread()
			cmd := victim(t, tt.victim, dir)
			cmd.Env = append(cmd.Env, "GOCOVERDIR=") // its calls at the end would wait for answers
			tree, err := Start(cmd, Names, soon())
			require.NoError(t, err)
			defer func() { _ = tree.Kill() }() // what failed leaves nothing either
			done, ready := tt.victim == "hangs", 0
			for give := soon(); !done || ready < tt.living || len(tree.Living()) != tt.living; {
				require.True(t, time.Now().Before(give), "done %v, ready %d, living %v", done, ready, tree.Living())
				ev, err := tree.Next(time.Now().Add(20 * time.Millisecond))
				if err != nil {
					continue
				}
				if ev.Type == Message && ev.Op == opDone {
					tree.Answer(ev, 0)
					done = true
				}
				assert.Empty(t, ev.Opaque)
				if strings.Contains(describe(ev, dir), "ready") {
					ready++
				}
				tree.Continue(ev)
			}
			if tt.wait {
				_, err := tree.Wait(soon())
				require.NoError(t, err)
			}
			assert.Len(t, tree.Living(), tt.living)
			require.NoError(t, tree.Kill())
			assert.Empty(t, alive(t, dir))
			runtime.UnlockOSThread()
			assert.Equal(t, fds, descriptors(t), "open descriptors")
			for give := soon(); runtime.NumGoroutine() > threads && time.Now().Before(give); {
				runtime.Gosched() // the one that has reaped is about to end
			}
			assert.LessOrEqual(t, runtime.NumGoroutine(), threads, "goroutines")
		})
	}
}

// descriptors are what this process has open.
func descriptors(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	var open []string
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil { // but for that of ReadDir
			open = append(open, e.Name()+" "+to)
		}
	}
	return open
}

// TestForkBomb: more processes than the bound are refused, named, and all end.
func TestForkBomb(t *testing.T) {
	for name, most := range map[string]int{
		"bomb":            2*40 + 1, // each of them can be about to fork when the last is counted
		"spinners":        40 + 1,   // one forks, the others sleep
		"silent spinners": 40 + 1,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cmd := victim(t, name, dir)
			cmd.Stderr = nil // "sh: Cannot fork", many times
			tree := supervise(t, cmd, Creates)
			tree.procs.most = 40
			refused := ""
			deadline := time.Now().Add(6 * patience)
			for refused == "" && time.Now().Before(deadline) {
				ev, err := tree.Next(deadline)
				require.NoError(t, err)
				if ev.Type == Message {
					tree.Answer(ev, 0)
				}
				if ev.Type == Gone {
					break
				}
				if ev.Forks() {
					refused = ev.Opaque
				}
				tree.Continue(ev)
			}
			assert.Equal(t, "more than 40 processes at once: no more are started", refused)
			assert.LessOrEqual(t, len(tree.Living()), most)
			require.NoError(t, tree.Kill())
			assert.Empty(t, alive(t, dir))
		})
	}
}

// TestClosesEverything: the link needs no descriptor of the victim's.
func TestClosesEverything(t *testing.T) {
	dir := t.TempDir()
	assert.Equal(t, []string{"mkdirat closed"}, trace(t, "closes", dir, Names))
	assert.DirExists(t, dir+"/closed")
}

// TestChildEnds: how a child may end before, while and after it is supervised.
func TestChildEnds(t *testing.T) {
	t.Run("by itself", func(t *testing.T) {
		tree := supervise(t, victim(t, "exits", ""), Names)
		watch(t, tree, func(*Event) bool { return false })
		state, err := tree.Wait(soon())
		require.NoError(t, err)
		assert.Equal(t, 7, state.ExitCode())
	})
	for _, name := range []string{"dies early", "dies early, leaving a process"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			runtime.LockOSThread()
			cmd := victim(t, name, dir)
			_, err := Start(cmd, Names, soon())
			assert.ErrorIs(t, err, ErrEarlyExit)
			require.NotNil(t, cmd.ProcessState)
			assert.Equal(t, 8, cmd.ProcessState.ExitCode())
			assert.Empty(t, alive(t, dir))
		})
	}
	t.Run("never attaches", func(t *testing.T) {
		dir := t.TempDir()
		runtime.LockOSThread()
		_, err := Start(victim(t, "never attaches", dir), Names, time.Now().Add(100*time.Millisecond))
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.ErrorContains(t, err, "waiting for the child to install its filter")
		assert.ErrorContains(t, err, " threads: ")
		assert.Empty(t, alive(t, dir))
	})
	t.Run("lost descriptor", func(t *testing.T) {
		runtime.LockOSThread()
		cmd := victim(t, "lost descriptor", "")
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		_, err := Start(cmd, Names, soon())
		assert.ErrorIs(t, err, ErrEarlyExit)
		assert.Contains(t, out.String(), "descriptor 3, which led to the supervisor, was closed or reused before this call")
	})
	t.Run("its supervisor is killed", func(t *testing.T) {
		dir := t.TempDir()
		cmd := victim(t, "supervisor", dir)
		cmd.Stdout = nil
		out, err := cmd.Output()
		require.ErrorContains(t, err, "killed")
		pid := strings.TrimSpace(string(out))
		require.NotEmpty(t, pid)
		deadline := time.Now().Add(patience)
		for len(alive(t, dir)) > 0 && time.Now().Before(deadline) {
			runtime.Gosched()
		}
		assert.Empty(t, alive(t, dir))
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, entries, "the call at whose boundary the supervisor died")
	})
}

func TestStartRefusesNonsense(t *testing.T) {
	for name, f := range map[string]func(*exec.Cmd) Set{
		"no set":         func(*exec.Cmd) Set { return 0 },
		"data alone":     func(*exec.Cmd) Set { return Data },
		"an unknown set": func(*exec.Cmd) Set { return 64 | Names },
		"another's group": func(c *exec.Cmd) Set {
			c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: 1}
			return Names
		},
		"no program": func(c *exec.Cmd) Set { c.Path = "/absent"; return Names },
	} {
		t.Run(name, func(t *testing.T) {
			fds := descriptors(t)
			cmd := victim(t, "silent", "")
			_, err := Start(cmd, f(cmd), soon())
			require.Error(t, err)
			assert.Equal(t, fds, descriptors(t))
		})
	}
	_, err := Attach()
	assert.ErrorContains(t, err, "this process was not started by a supervisor")
}
