package lookup

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// envOtherProc makes this binary a process with a /proc of its own, in a
// namespace of process numbers of its own, and the given working directory.
const envOtherProc = "TMPPROOF_TEST_LOOKUP_PROC"

func TestMain(m *testing.M) {
	if dir := os.Getenv(envOtherProc); dir != "" {
		otherProc(dir)
	}
	os.Exit(m.Run())
}

func otherProc(dir string) {
	runtime.LockOSThread()
	err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("proc", "/proc", "proc", 0, ""), os.Chdir(dir))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	self, _ := os.Readlink("/proc/self")
	fmt.Println("ready", self)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	os.Exit(0)
}

// TestOtherProc: /proc/self is who looks, by the numbers of the /proc that is
// looked at.
func TestOtherProc(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), envOtherProc+"="+dir)
	flags := uintptr(syscall.CLONE_NEWPID | syscall.CLONE_NEWNS)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	runtime.LockOSThread() // Pdeathsig is the thread's death
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	if err := cmd.Start(); err != nil {
		t.Skip("no namespace of process numbers can be made here: " + err.Error())
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	defer func() {
		_ = in.Close()
		_ = cmd.Wait()
	}()
	if line != "ready 1\n" {
		t.Skip("no /proc of its own can be mounted here: " + line)
	}
	want, err := Stat(unix.AT_FDCWD, filepath.Join(dir, "file"), 0)
	require.NoError(t, err)
	pid := cmd.Process.Pid
	for _, path := range []string{"/proc/self/cwd/file", "/proc/thread-self/cwd/file", "/proc/1/cwd/file", "/proc/self/task/1/root" + dir + "/file"} {
		w := Walk{PID: pid, TID: pid}
		r := w.Resolve(Path{Raw: path, Dir: unix.AT_FDCWD, Follow: true})
		if assert.NoError(t, r.Err, path) {
			assert.Equal(t, [2]uint64{want.Dev, want.Ino}, [2]uint64{r.End.Dev, r.End.Ino}, path)
		}
		r.Close()
	}
	w := Walk{PID: pid, TID: pid}
	r := w.Resolve(Path{Raw: fmt.Sprintf("/proc/%d/cwd/file", pid), Dir: unix.AT_FDCWD, Follow: true})
	assert.Equal(t, unix.ENOENT, r.Err, "our number for it says nothing there")
	r.Close()
	assert.False(t, SameView(pid))
	assert.True(t, SameView(os.Getpid()))
}
