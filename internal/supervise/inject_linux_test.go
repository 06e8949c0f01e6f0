//go:build amd64 || arm64

package supervise

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func init() {
	// what the calls return is told by marks
	tell := func(format string, args ...any) { _, _ = child.Call(opMark, fmt.Appendf(nil, format, args...)) }
	victims["closes a pipe"] = func(dir string) {
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			tell("pipe: %v", err)
		}
		tell("close: %v", unix.Close(p[1]))
		n, err := unix.Read(p[0], make([]byte, 1)) // its other end is closed
		tell("read: %d, %v", n, err)
	}
	victims["writes"] = func(dir string) {
		fd, err := unix.Open(dir+"/f", unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		tell("open: %v", err)
		n, err := unix.Write(fd, []byte("0123456789"))
		tell("write: %d, %v", n, err)
		n, err = unix.Write(fd, []byte("abc"))
		tell("write: %d, %v", n, err)
		n, err = unix.Pwrite(fd, []byte("XYZ"), 1)
		tell("pwrite: %d, %v", n, err)
		ap, err := unix.Open(dir+"/f", unix.O_WRONLY|unix.O_APPEND|unix.O_CLOEXEC, 0)
		tell("open: %v", err)
		n, err = unix.Write(ap, []byte("++++"))
		tell("write: %d, %v", n, err)
		n, err = unix.Write(ap, []byte("1"))
		tell("write: %d, %v", n, err)
	}
	victims["signalled"] = func(dir string) {
		c := make(chan os.Signal, 1)
		signal.Notify(c, unix.SIGTERM)
		done := make(chan bool)
		go func() {
			<-c
			_ = os.Mkdir(dir+"/handled", 0o700)
			close(done)
		}()
		_ = os.Mkdir(dir+"/first", 0o700)
		<-done
	}
}

// marks drives a victim to its end and gives what it told.
func marks(t *testing.T, tree *Tree, at func(*Event) bool) []string {
	t.Helper()
	var told []string
	watch(t, tree, func(ev *Event) bool {
		if ev.Type == Message {
			if ev.Op == opMark {
				told = append(told, string(ev.Data))
			}
			return false
		}
		return at(ev)
	})
	return told
}

// link is what an event's descriptor leads to.
func link(ev *Event) string {
	at, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", ev.TID, ev.FD))
	return at
}

// TestFailClose: a close that fails has closed.
func TestFailClose(t *testing.T) {
	tree, failed := supervise(t, victim(t, "closes a pipe", t.TempDir()), Names|Data), false
	told := marks(t, tree, func(ev *Event) bool {
		if ev.Name != "close" || failed || !strings.HasPrefix(link(ev), "pipe:") {
			return false
		}
		failed = true
		require.Error(t, tree.FailClose(&Event{Name: "write", FD: 3}, unix.EIO))
		require.NoError(t, tree.FailClose(ev, unix.EIO))
		return true
	})
	assert.Equal(t, []string{"close: input/output error", "read: 0, <nil>"}, told)
}

// TestShorten: a write is cut where it stands, and the next one goes on there.
func TestShorten(t *testing.T) {
	dir := t.TempDir()
	tree := supervise(t, victim(t, "writes", dir), Names|Data)
	restore := func() {}
	told := marks(t, tree, func(ev *Event) bool {
		if link(ev) != dir+"/f" {
			return false
		}
		restore()
		restore = func() {}
		if n := ev.Writes(); n != 10 && n != 4 && ev.Name != "pwrite64" {
			if n == 1 {
				_, err := tree.Shorten(ev)
				assert.Error(t, err, "one byte is not cut")
			}
			return false
		}
		var err error
		restore, err = tree.Shorten(ev)
		require.NoError(t, err)
		return true
	})
	assert.Equal(t, []string{"open: <nil>", "write: 5, <nil>", "write: 3, <nil>", "pwrite: 1, <nil>",
		"open: <nil>", "write: 2, <nil>", "write: 1, <nil>"}, told)
	b, err := os.ReadFile(filepath.Join(dir, "f"))
	require.NoError(t, err)
	assert.Equal(t, "0X234abc++1", string(b))
}

// TestSignal: a handler comes to its calls while the call at whose boundary
// the signal was sent is still stopped.
func TestSignal(t *testing.T) {
	dir := t.TempDir()
	tree := supervise(t, victim(t, "signalled", dir), Names)
	var held *Event
	var order []string
	watch(t, tree, func(ev *Event) bool {
		call := describe(ev, dir)
		if call != "" {
			order = append(order, call)
		}
		switch call {
		case "mkdirat first":
			held = ev
			require.NoError(t, tree.Signal(ev.TID, unix.SIGTERM))
			return true
		case "mkdirat handled":
			assert.NoDirExists(t, filepath.Join(dir, "first"))
			tree.Continue(held)
		}
		return false
	})
	assert.Equal(t, []string{"mkdirat first", "mkdirat handled"}, order)
	assert.DirExists(t, filepath.Join(dir, "first"))
}
