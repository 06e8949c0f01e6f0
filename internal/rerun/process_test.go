package rerun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRounds(t *testing.T) {
	t.Parallel()
	out, code := runFixture(t, "rounds", "-test.count=3", "-test.cpu=1,2", "-test.shuffle=on", "-test.v")
	assert.Zero(t, code, out)
	assert.Equal(t, 36, strings.Count(out, "    --- PASS"), out)
}

func TestFlags(t *testing.T) {
	t.Parallel()
	out, code := runFixture(t, "flags", "-test.paniconexit0", "-test.timeout=1m", "-name", "-test.v", "-item=a", "-test.short", "--item", "b c",
		"-flag", "-test.parallel", "3", "-test.count=1", "-test.v=true", "-test.run", "Fixture", "-test.skip=Not", "-test.failfast",
		"-test.shuffle=1", "-test.outputdir="+t.TempDir(), "pos", "-test.list=.", "--", "-name=x")
	require.Zero(t, code, out)
	assert.Contains(t, out, `child: {"Name":"-test.v","Flag":true,"Items":["a","b c"],"Args":["pos","-test.list=.","--","-name=x"],"Short":"true","Verbose":"false","Parallel":"3","Skip":""}`)
}

func TestFixtures(t *testing.T) {
	t.Parallel()
	names := []string{"name that changes", "skips before", "fails before", "panics before", "killed before", "exits before", "exits 7 before", "descriptors"}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, code := runFixture(t, name, "-test.v", "-test.timeout=1m")
			assert.Zero(t, code, out)
			assert.Contains(t, out, "--- PASS: TestFixture")
		})
	}
}

func TestTimeoutOfTheTest(t *testing.T) {
	t.Parallel()
	// A tenth of it is kept for the parent: a second also on a busy machine.
	out, code := runFixture(t, "timeout", "-test.v", "-test.timeout=10s")
	assert.Zero(t, code, out)
}

func TestRemovedBinary(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a link to a program whose name is gone")
	}
	t.Parallel()
	data, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	copied := filepath.Join(t.TempDir(), "copy.test")
	// A parallel test that forks meanwhile would hold the file open for
	// writing until it execs, and the copy could not be run (go.dev/issue/22315).
	syscall.ForkLock.RLock()
	err = os.WriteFile(copied, data, 0o755)
	syscall.ForkLock.RUnlock()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), copied)
	cmd.Env = append(os.Environ(), fixtureVariable+"=removed")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestStartDirectory(t *testing.T) {
	start := process.dir
	t.Chdir(t.TempDir())
	t.Setenv("PWD", "/")
	got, err := once(t, func() string { return process.dir })
	require.NoError(t, err)
	assert.Equal(t, start, got)
}

func TestStartDirectoryGone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not remove a directory that is in use")
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), testBinary(t))
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), fixtureVariable+"=homeless")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func testBinary(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	return path
}

// TestOnlyTheChildIsTheChild starts this binary from a child, and with the
// variables of others.
func TestOnlyTheChildIsTheChild(t *testing.T) {
	const free = "role: Parent child: false variable: false"
	got, err := once(t, func() string {
		out, code := runFixture(t, "who")
		return fmt.Sprint(code, out)
	})
	require.NoError(t, err)
	assert.Contains(t, got, free)

	rows := []struct{ name, value, want string }{
		{"of this process", ticket{parent: os.Getpid(), call: ID{"TestFixture", 1}}.String(), "role: Child child: true variable: false"},
		{"another call", ticket{parent: os.Getpid(), call: ID{"TestFixture", 2}}.String(), "role: Other child: true variable: false"},
		{"another test", ticket{parent: os.Getpid(), call: ID{"TestOther", 1}}.String(), "role: Other child: true variable: false"},
		{"of another process", ticket{parent: os.Getppid(), call: ID{"TestFixture", 1}}.String(), free},
		{"malformed", "1", `error: rerun: TMPPROOF_CHILD="1" was not written by tmpproof`},
		{"empty", "", `error: rerun: TMPPROOF_CHILD="" was not written by tmpproof`},
		{"no pipe", ticket{parent: os.Getpid(), call: ID{"TestFixture", 1}, result: 1000}.String(), "error: rerun: the pipe to the parent: "},
		{"no results", ticket{parent: os.Getpid(), call: ID{"TestFixture", 1}, earlier: 5}.String(), "error: rerun: reading the results of earlier calls"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Setenv(Variable, row.value)
			out, code := runFixture(t, "who")
			assert.Zero(t, code)
			assert.Contains(t, out, row.want)
		})
	}
}

// listen makes the place where a guest, a process that a child starts, reports.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	t.Setenv(addressVariable, l.Addr().String())
	return l
}

func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	require.NoError(t, l.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute)))
	conn, err := l.Accept()
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.ReadFull(conn, make([]byte, 1))
	require.NoError(t, err)
	return conn
}

// startGuest starts a process that waits for the parent's listener to close.
func startGuest() (wait func() string) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fixtureVariable+"=wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		panic(err)
	}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("waiting"))); err != nil {
		panic(err)
	}
	return func() string { return fmt.Sprint(cmd.Wait()) }
}

// TestHang: what hangs is killed when the context ends, and on Unix with what
// it has started.
func TestHang(t *testing.T) {
	var l net.Listener
	if !IsChild() {
		l = listen(t)
	}
	c, err := Enter(t)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if c.Role() == Parent {
		accepted := make(chan net.Conn, 1)
		go func() {
			accepted <- accept(t, l)
			cancel()
		}()
		defer func() {
			conn := <-accepted
			defer conn.Close()
			gone(t, conn)
		}()
	}
	_, err = c.Once(ctx, func() []byte { return []byte(startGuest()()) })
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, TimedOut, e.Kind)
	assert.Contains(t, e.Detail, "had not returned when its time was over (context canceled)")
}

// gone checks that the process at the other end has ended.
func gone(t *testing.T, conn net.Conn) {
	t.Helper()
	if runtime.GOOS == "windows" {
		return
	}
	_, err := conn.Read(make([]byte, 1))
	require.Error(t, err)
	var timeout net.Error
	assert.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the process lives on: %v", err)
}

// TestGuestOfAChildThatEnds: what the child leaves behind in its group is
// swept on Linux.
func TestGuestOfAChildThatEnds(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("swept on Linux only")
	}
	var l net.Listener
	if !IsChild() {
		l = listen(t)
	}
	c, err := Enter(t)
	require.NoError(t, err)
	conns := make(chan net.Conn, 1)
	if c.Role() == Parent {
		go func() { conns <- accept(t, l) }()
	}
	data, err := c.Once(t.Context(), func() []byte { startGuest(); return []byte("left") })
	require.NoError(t, err)
	assert.Equal(t, "left", string(data))
	conn := <-conns
	defer conn.Close()
	gone(t, conn)
}

// TestParentKilled: on Linux the child does not outlive its parent.
func TestParentKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends a process with its parent")
	}
	l := listen(t)
	cmd := exec.Command(testBinary(t))
	cmd.Env = append(os.Environ(), fixtureVariable+"=hangs")
	require.NoError(t, cmd.Start())
	conn := accept(t, l)
	defer conn.Close()
	require.NoError(t, cmd.Process.Kill())
	assert.Error(t, cmd.Wait())
	gone(t, conn)
}
