package still

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Start starts cmd with its clock held from the first instruction on. held is
// why that could not be; the process then runs as any other. The calling
// goroutine must be locked to its thread.
func Start(cmd *exec.Cmd, now int64, random []byte) (im *Image, held, err error) {
	if _, err := ownVDSO(); err != nil {
		return nil, err, cmd.Start()
	}
	traced := *cmd // a command cannot be started twice
	attr := syscall.SysProcAttr{}
	if cmd.SysProcAttr != nil {
		attr = *cmd.SysProcAttr
	}
	attr.Ptrace = true
	traced.SysProcAttr = &attr
	if err := traced.Start(); err != nil {
		return nil, fmt.Errorf("starting it as a tracee: %w", err), cmd.Start()
	}
	*cmd = traced
	cmd.SysProcAttr.Ptrace = false
	pid := cmd.Process.Pid
	var status unix.WaitStatus
	for {
		_, err = unix.Wait4(pid, &status, unix.WALL, nil)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil || !status.Stopped() {
		return nil, nil, errors.Join(fmt.Errorf("the new process did not stop at its first instruction (status %#x)", int(status)), err)
	}
	im, held = Hold(pid, now, random)
	if err := unix.PtraceDetach(pid); err != nil {
		return nil, nil, errors.Join(os.NewSyscallError("ptrace(PTRACE_DETACH)", err), cmd.Process.Kill())
	}
	return im, held, nil
}
