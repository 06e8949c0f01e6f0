package tmptest_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/covered"
	"golang.org/x/sys/unix"

	"github.com/tmpproof/tmpproof/tmptest"
)

// inNamespace is set in the child that has a mount namespace of its own.
const inNamespace = "TMPTEST_MOUNTS"

// TestMounts runs TestInMountNamespace in a child with a mount namespace of
// its own, so that nothing that it mounts is seen elsewhere.
func TestMounts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounts need root: in a user namespace / belongs to nobody, which E03 refuses")
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestInMountNamespace$", "-test.v", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	covered.Test(t, cmd)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip("no mount namespace: ", err)
	}
	t.Logf("%s", out)
	assert.NoError(t, err)
}

// mount mounts for the rest of the child's life, or skips with the reason.
func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		t.Skipf("this machine mounts no %s: %v", kind, err)
	}
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(target, 0)) })
}

func TestInMountNamespace(t *testing.T) {
	if os.Getenv(inNamespace) == "" {
		t.Skip("TestMounts runs it")
	}
	require.NoError(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	point := func(t *testing.T) string { return t.TempDir() }

	t.Run("overlay", func(t *testing.T) {
		base := t.TempDir()
		mount(t, "base", base, "tmpfs", 0, "")
		for _, d := range []string{"lower", "upper", "work", "merged"} {
			require.NoError(t, os.Mkdir(filepath.Join(base, d), 0o700))
		}
		merged := base + "/merged"
		mount(t, "overlay", merged, "overlay", 0, fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", base))
		checkFileSystem(t, merged)
	})
	t.Run("tmpfs", func(t *testing.T) {
		dir := point(t)
		mount(t, "tmpfs", dir, "tmpfs", 0, "")
		checkFileSystem(t, dir)
	})
	t.Run("read-only", func(t *testing.T) {
		dir := point(t)
		mount(t, "tmpfs", dir, "tmpfs", unix.MS_RDONLY, "")
		r := observe(t, func(tb testing.TB) { tmptest.Dir(tb, tmptest.In(dir)) })
		require.Len(t, r.errors, 1)
		assert.Equal(t, []string{"E01"}, r.broken())
		assert.Contains(t, r.errors[0], "no directory can be made in it: read-only file system")
	})
	t.Run("no inode left", func(t *testing.T) {
		dir := point(t)
		mount(t, "tmpfs", dir, "tmpfs", 0, "nr_inodes=1")
		r := observe(t, func(tb testing.TB) { tmptest.Dir(tb, tmptest.In(dir)) })
		require.Len(t, r.errors, 1)
		assert.Equal(t, []string{"E17"}, r.broken())
		assert.Contains(t, r.errors[0], "there is no room in it: no space left on device")
	})
	t.Run("full", func(t *testing.T) {
		dir := point(t)
		mount(t, "tmpfs", dir, "tmpfs", 0, "size=64k")
		fill, err := os.Create(dir + "/fill")
		require.NoError(t, err)
		_, err = fill.Write(make([]byte, 1<<20))
		require.ErrorIs(t, err, unix.ENOSPC)
		require.NoError(t, fill.Close())
		r := observe(t, func(tb testing.TB) { tmptest.Dir(tb, tmptest.In(dir)) })
		assert.Empty(t, r.errors, "a directory needs no block on tmpfs")
		assert.Contains(t, r.advised(), "E17")
	})
	t.Run("a file system mounted in the directory", func(t *testing.T) {
		var dir string
		r := observe(t, func(tb testing.TB) {
			dir = tmptest.Dir(tb)
			noError(tb, os.MkdirAll(dir+"/a/mnt", 0o700))
			noError(tb, unix.Mount("tmpfs", dir+"/a/mnt", "tmpfs", 0, "mode=700"))
			noError(tb, os.WriteFile(dir+"/a/mnt/theirs", nil, 0o600))
			write(tb, dir+"/f", 0o600)
		})
		assert.Equal(t, []string{"U05", "R11"}, r.broken(), r.text())
		assert.Contains(t, r.text(), `"a/mnt" cannot be removed: device or resource busy`)
		assert.FileExists(t, dir+"/a/mnt/theirs", "what is mounted is not emptied")
		assert.NoFileExists(t, dir+"/f")
		require.NoError(t, unix.Unmount(dir+"/a/mnt", 0))
		require.NoError(t, os.RemoveAll(dir))
	})
	t.Run("FUSE", func(t *testing.T) {
		dir := point(t)
		serveFUSE(t, dir)
		r := observe(t, func(tb testing.TB) { tmptest.LocalFS(tb, dir) })
		assert.Empty(t, r.errors)
		assert.Equal(t, []string{"E08"}, r.advised(), r.text())
		assert.Contains(t, r.text(), "is on FUSE, which may be remote")
	})
	t.Run("9p", func(t *testing.T) {
		known, err := os.ReadFile("/proc/filesystems")
		require.NoError(t, err)
		for _, kind := range []string{"9p", "nfs", "nfs4", "cifs"} {
			if strings.Contains(string(known), "\t"+kind+"\n") {
				t.Skipf("the kernel knows %s, but there is no server here; TestRemoteTypes judges its type by the seam", kind)
			}
		}
		t.Skip("the kernel knows neither 9p nor NFS nor CIFS; TestRemoteTypes judges their types by the seam")
	})
}

// checkFileSystem runs what Dir and Shared check on a file system.
func checkFileSystem(t *testing.T, root string) {
	t.Helper()
	tmptest.LocalFS(t, root)
	r := observe(t, func(tb testing.TB) {
		dir := tmptest.Dir(tb, tmptest.In(root))
		noError(tb, os.MkdirAll(dir+"/a/b", 0o500))
		write(tb, dir+"/f", 0o600)
		noError(tb, os.Link(dir+"/f", dir+"/g"))
		tmptest.File(tb, tmptest.In(root))
		tmptest.Shared(tb, tmptest.In(root))
	})
	assert.Empty(t, r.errors)
	r = observe(t, func(tb testing.TB) {
		dir := tmptest.Dir(tb, tmptest.In(root))
		write(tb, dir+"/f", 0o700|fs.ModeSetuid)
		leaveOpen(tb, dir+"/open", os.O_CREATE|os.O_RDWR)
		leaveOpen(tb, dir, os.O_RDWR|unix.O_TMPFILE)
		noError(tb, os.Symlink("/etc", dir+"/l"))
	})
	assert.Equal(t, []string{"C04", "U05", "R03"}, r.broken(), r.text())
	assert.Contains(t, r.text(), "O_TMPFILE")
	r = observe(t, func(tb testing.TB) {
		noError(tb, os.Remove(tmptest.Dir(tb, tmptest.In(root))))
	})
	assert.Empty(t, r.errors, "removed by the test, which the link count shows")
	tmptest.Empty(t, root)
}

// serveFUSE mounts a file system that has a root directory and nothing else,
// and serves it (linux/fuse.h): enough for lstat and statfs.
func serveFUSE(t *testing.T, dir string) {
	t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("no FUSE: ", err)
	}
	data := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)
	if err := unix.Mount("empty", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, data); err != nil {
		require.NoError(t, unix.Close(fd))
		t.Skip("no FUSE: ", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1<<17)
		for {
			n, err := unix.Read(fd, buf)
			if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) {
				continue
			}
			if err != nil || n < 40 {
				return // unmounted
			}
			answerFUSE(fd, buf[:n])
		}
	}()
	t.Cleanup(func() {
		assert.NoError(t, unix.Unmount(dir, 0))
		<-done
		assert.NoError(t, unix.Close(fd))
	})
}

func answerFUSE(fd int, request []byte) {
	const (
		opGetattr, opStatfs, opInit = 3, 17, 26
		headerLen                   = 16
		attrLen                     = 88
	)
	le := binary.LittleEndian
	body, errno := []byte(nil), int32(0)
	switch le.Uint32(request[4:]) {
	case opInit:
		body = make([]byte, 64)
		le.PutUint32(body, 7) // protocol version
		le.PutUint32(body[4:], 31)
		le.PutUint32(body[20:], 4096) // max_write
	case opGetattr:
		body = make([]byte, 16+attrLen)
		attr := body[16:]
		le.PutUint64(attr, 1)                       // inode
		le.PutUint32(attr[60:], unix.S_IFDIR|0o700) // mode
		le.PutUint32(attr[64:], 2)                  // links
	case opStatfs:
		body = make([]byte, 80)
	default:
		errno = -int32(unix.ENOSYS)
	}
	answer := make([]byte, headerLen, headerLen+len(body))
	le.PutUint32(answer, uint32(headerLen+len(body)))
	le.PutUint32(answer[4:], uint32(errno))
	copy(answer[8:], request[8:16])                // unique
	_, _ = unix.Write(fd, append(answer, body...)) // a request that was given up has no reader
}
