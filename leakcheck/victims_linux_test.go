package leakcheck

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// kept keeps what victims leave open from the garbage collector.
var kept []any

// way is one way to leave something behind, and its clean twin.
type way struct {
	name string
	// leak is run by the test under the name TestLeaks. The line that makes
	// what is left has the comment "made here".
	leak  func(t *testing.T)
	clean func(t *testing.T)
	// want is in the first line of the report.
	want string
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func temp(t *testing.T, pattern string) *os.File {
	f, err := os.CreateTemp("", pattern)
	must(t, err)
	return f
}

var ways = []way{
	{"file", func(t *testing.T) {
		f, err := os.CreateTemp("", "upload-*.tmp") // made here
		must(t, err)
		must(t, f.Close())
	}, func(t *testing.T) {
		f := temp(t, "upload-*.tmp")
		must(t, f.Close())
		must(t, os.Remove(f.Name()))
	}, `left "upload-*.tmp"`},
	{"directory", func(t *testing.T) {
		_, err := os.MkdirTemp("", "work-") // made here
		must(t, err)
	}, func(t *testing.T) { must(t, os.Mkdir(filepath.Join(t.TempDir(), "x"), 0o700)) }, `left "work-*"`},
	{"deep tree", func(t *testing.T) {
		must(t, os.MkdirAll(filepath.Join(os.TempDir(), "a/b/c/d"), 0o700)) // made here
		must(t, os.WriteFile(filepath.Join(os.TempDir(), "a/b/c/d/f"), nil, 0o600))
	}, func(t *testing.T) {
		dir := filepath.Join(os.TempDir(), "a"+strings.ReplaceAll(t.Name(), "/", "_"))
		must(t, os.MkdirAll(dir+"/b/c/d", 0o700))
		must(t, os.RemoveAll(dir))
	}, `left "a"`},
	{"open descriptor", func(t *testing.T) {
		f, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_RDWR, 0o600) // made here
		must(t, err)
		kept = append(kept, f)
	}, func(t *testing.T) { must(t, temp2(t).Close()) }, `left "TestLeaks*/001/log" open`},
	{"deleted but open", func(t *testing.T) {
		f, err := os.CreateTemp("", "spool-") // made here
		must(t, err)
		must(t, os.Remove(f.Name()))
		kept = append(kept, f)
	}, func(t *testing.T) {
		f := temp(t, "spool-")
		must(t, os.Remove(f.Name()))
		must(t, f.Close())
	}, `left "spool-*" open`},
	{"O_TMPFILE", func(t *testing.T) {
		fd, err := unix.Open(os.TempDir(), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600) // made here
		must(t, err)
		kept = append(kept, fd)
	}, func(t *testing.T) {
		fd, err := unix.Open(os.TempDir(), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		must(t, err)
		must(t, unix.Close(fd))
	}, `left "(unnamed)" open`},
	{"mapped", func(t *testing.T) {
		f, err := os.CreateTemp("", "map-") // made here
		must(t, err)
		must(t, f.Truncate(4096))
		b, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
		must(t, err)
		kept = append(kept, b)
		must(t, os.Remove(f.Name()))
		must(t, f.Close())
	}, func(t *testing.T) {
		f := temp(t, "map-")
		defer f.Close()
		defer os.Remove(f.Name())
		must(t, f.Truncate(4096))
		b, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
		must(t, err)
		must(t, unix.Munmap(b))
	}, `left "map-*" mapped`},
	{"child's file", func(t *testing.T) {
		must(t, exec.Command("/bin/sh", "-c", `echo x >"$TMPDIR/child.out"`).Run()) // made here
	}, func(t *testing.T) {
		must(t, exec.Command("/bin/sh", "-c", `f=$(mktemp) && rm "$f"`).Run())
	}, `left "child.out"`},
	{"orphan process", func(t *testing.T) {
		// It waits for the program to be there: before, the process is a shell.
		const orphan = `sleep 300 >/dev/null 2>&1 & until read x </proc/$!/comm && [ "$x" = sleep ]; do :; done`
		must(t, exec.Command("/bin/sh", "-c", orphan).Run()) // made here
	}, func(t *testing.T) {
		must(t, exec.Command("/bin/sh", "-c", `sleep 0 & wait`).Run())
	}, `left the process "sleep" running`},
	{"daemon", func(t *testing.T) {
		// With nothing of the test's own: no environment, no parent, another session.
		cmd := exec.Command("/bin/sh", "-c", `sleep 300 </dev/null >/dev/null 2>&1 & until read x </proc/$!/comm && [ "$x" = sleep ]; do :; done`)
		cmd.Env, cmd.Dir, cmd.SysProcAttr = []string{}, "/", &syscall.SysProcAttr{Setsid: true}
		must(t, cmd.Run()) // made here
	}, func(t *testing.T) {
		cmd := exec.Command("/bin/sh", "-c", `sleep 0 & wait`)
		cmd.Env, cmd.Dir, cmd.SysProcAttr = []string{}, "/", &syscall.SysProcAttr{Setsid: true}
		must(t, cmd.Run())
	}, `left the process "sleep" running`},
	{"late goroutine", func(t *testing.T) {
		go func() {
			time.Sleep(10 * time.Millisecond)
			_ = os.WriteFile(filepath.Join(os.TempDir(), "late"), nil, 0o600) // made here
		}()
	}, func(t *testing.T) {
		done := make(chan error)
		go func() { done <- os.WriteFile(filepath.Join(t.TempDir(), "late"), nil, 0o600) }()
		must(t, <-done)
	}, `left "late"`},
	{"unix socket", func(t *testing.T) {
		l, err := net.Listen("unix", filepath.Join(os.TempDir(), "s")) // made here
		must(t, err)
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		must(t, l.Close())
	}, func(t *testing.T) {
		l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
		must(t, err)
		must(t, l.Close())
	}, `left "s"`},
	{"FIFO", func(t *testing.T) {
		must(t, unix.Mkfifo(filepath.Join(os.TempDir(), "fifo"), 0o600)) // made here
	}, func(t *testing.T) { must(t, unix.Mkfifo(filepath.Join(t.TempDir(), "fifo"), 0o600)) }, `left "fifo"`},
	{"symlink", func(t *testing.T) {
		must(t, os.Symlink("/nowhere", filepath.Join(os.TempDir(), "link"))) // made here
	}, func(t *testing.T) { must(t, os.Symlink("/nowhere", filepath.Join(t.TempDir(), "link"))) }, `left "link"`},
	{"read-only tree", func(t *testing.T) {
		dir := filepath.Join(os.TempDir(), "mod")
		must(t, os.MkdirAll(dir+"/sub", 0o700)) // made here
		must(t, os.WriteFile(dir+"/sub/f", nil, 0o400))
		must(t, os.Chmod(dir+"/sub", 0o500))
		must(t, os.Chmod(dir, 0o500))
	}, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "mod")
		must(t, os.Mkdir(dir, 0o700))
		must(t, os.Chmod(dir, 0o500))
		must(t, os.Chmod(dir, 0o700))
	}, `left "mod"`},
	{"renamed", func(t *testing.T) {
		f, err := os.CreateTemp("", "tmp-") // made here
		must(t, err)
		must(t, f.Close())
		must(t, os.Rename(f.Name(), filepath.Join(os.TempDir(), "final")))
	}, func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.WriteFile(dir+"/a", nil, 0o600))
		must(t, os.Rename(dir+"/a", dir+"/b"))
	}, `left "final"`},
	drawnName("hexadecimal name", `left "hexlong-*.tmp"`, func() string { return "hexlong-" + hex.EncodeToString(drawn(12)) + ".tmp" }),
	drawnName("UUID", `left "*.json"`, func() string {
		b := drawn(16)
		return fmt.Sprintf("%x-%x-%x-%x-%x.json", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	}),
	drawnName("base64 name", `left "b.*"`, func() string { return "b." + base64.RawURLEncoding.EncodeToString(drawn(16)) }),
	drawnName("base32 name", `left "*"`, func() string { return base32.StdEncoding.EncodeToString(drawn(10)) }),
	drawnName("rand.Text", `left "text-*"`, func() string { return "text-" + rand.Text() }),
	drawnName("name of time and process", `left "job-*"`, func() string { return fmt.Sprintf("job-%d-%d", os.Getpid(), time.Now().UnixNano()) }),
	drawnName("mkstemp(3)", `left "mk.*"`, func() string {
		const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		b := drawn(6)
		for i := range b {
			b[i] = letters[int(b[i])%len(letters)]
		}
		return "mk." + string(b)
	}),
	{"mktemp(1)", func(t *testing.T) {
		must(t, exec.Command("mktemp").Run()) // made here
	}, func(t *testing.T) {
		must(t, exec.Command("/bin/sh", "-c", `f=$(mktemp) && rm "$f"`).Run())
	}, `left "tmp.*"`},
	{"10,000 files", func(t *testing.T) {
		for i := range 10_000 {
			must(t, os.WriteFile(filepath.Join(os.TempDir(), "part-"+strconv.Itoa(10_000+i)), nil, 0o600)) // made here
		}
	}, func(t *testing.T) {
		dir := t.TempDir()
		for i := range 200 {
			must(t, os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o600))
		}
	}, `left 10000 times "part-*"`},
}

// drawnName is a way whose name is another one in each run, and not by os.
func drawnName(name, want string, draw func() string) way {
	return way{name, func(t *testing.T) { keep(t, draw()) }, func(t *testing.T) {
		name := filepath.Join(os.TempDir(), draw())
		must(t, os.WriteFile(name, nil, 0o600))
		must(t, os.Remove(name))
	}, want}
}

func keep(t *testing.T, name string) {
	must(t, os.WriteFile(filepath.Join(os.TempDir(), name), nil, 0o600)) // KEPT
}

func drawn(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func temp2(t *testing.T) *os.File {
	f, err := os.CreateTemp(t.TempDir(), "")
	must(t, err)
	return f
}
