package noproc

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// Command is a command for which an empty directory covers /proc. The test is
// skipped where no mount namespace can be had.
func Command(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := within(t, `mount -t tmpfs none /proc && exec "$@"`, append([]string{name}, args...)...)
	probe := within(t, `mount -t tmpfs none /proc`)
	if out, err := probe.CombinedOutput(); err != nil {
		t.Skipf("no mount namespace: %v: %s", err, out)
	}
	return cmd
}

func within(t testing.TB, script string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), "/bin/sh", append([]string{"-c", "mount --make-rprivate / && " + script, "sh"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return cmd
}
