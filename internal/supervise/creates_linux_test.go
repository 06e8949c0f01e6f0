//go:build amd64 || arm64

package supervise

import (
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func init() {
	victims["creates"] = func(dir string) {
		at := func(name string) string { return dir + "/" + name }
		_, _ = os.Stat(at("absent"))
		_ = os.WriteFile(at("file"), []byte("x"), 0o600)
		_, _ = os.ReadFile(at("file"))
		f, err := os.OpenFile(at("file"), os.O_WRONLY|os.O_APPEND, 0)
		if err == nil {
			_ = f.Sync()
			_ = f.Chmod(0o640)
			f.Close()
		}
		if fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY, 0o600); err == nil {
			unix.Close(fd)
		}
		if fd, err := unix.Openat2(unix.AT_FDCWD, at("file"), &unix.OpenHow{Flags: unix.O_CREAT | unix.O_EXCL, Mode: 0o600}); err == nil {
			unix.Close(fd)
		}
		_ = os.Mkdir(at("d"), 0o700)
		_ = unix.Mkfifo(at("fifo"), 0o600)
		_ = os.Symlink("file", at("sym"))
		_ = os.Link(at("file"), at("hard"))
		_ = os.Rename(at("hard"), at("moved"))
		if l, err := net.Listen("unix", at("s")); err == nil {
			l.Close() // which unlinks it
		}
		_ = os.Remove(at("moved"))
		_ = exec.Command("/bin/sh", "-c", `[ -e "$0/sh" ] || echo >"$0/sh"`, dir).Run()
		if root, err := os.OpenRoot(dir); err == nil {
			_ = root.WriteFile("rooted", nil, 0o600)
			root.Close()
		}
	}
}

// TestCreates: only what makes a name stops, whoever does it, and each names
// the Go line behind it.
func TestCreates(t *testing.T) {
	dir := t.TempDir()
	tree := supervise(t, victim(t, "creates", dir), Creates)
	var all, made []string
	watch(t, tree, func(ev *Event) bool {
		if ev.Type != Call {
			return false
		}
		_, err := tree.Stack(ev)
		assert.NoError(t, err, ev.Name)
		if countsCoverage(ev) {
			return false
		}
		all = append(all, ev.Name)
		if ev.Creates() {
			made = append(made, describe(ev, dir))
		}
		return false
	})
	want := []string{"openat file", "openat .", "openat2 file", "mkdirat d", "mknodat fifo", "symlinkat sym",
		"linkat file hard", "renameat hard moved", "bind s", "openat sh", "openat"}
	for i, s := range made {
		if i == len(want)-1 && s == "" {
			made[i] = "openat" // relative to the root's descriptor
		}
	}
	assert.Equal(t, want, made)
	for _, name := range all {
		switch name {
		case "newfstatat", "unlinkat", "fsync", "fchmod", "close", "fstat", "chdir":
			assert.Fail(t, "a call that makes nothing was stopped", name)
		}
	}
	require.FileExists(t, dir+"/rooted")
}
