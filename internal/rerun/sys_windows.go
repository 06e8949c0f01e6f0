package rerun

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

func prepare(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{} }

// awaitExit is not needed: what a child leaves behind is not swept here.
func awaitExit(*os.Process) bool { return false }

// killTree ends the process alone: Windows has no process groups in the sense
// of Unix, so what it started lives on.
func killTree(p *os.Process) error {
	if err := p.Kill(); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// hand makes the child inherit f.
func hand(cmd *exec.Cmd, f *os.File) {
	cmd.SysProcAttr.AdditionalInheritedHandles = append(cmd.SysProcAttr.AdditionalInheritedHandles, syscall.Handle(f.Fd()))
}

// handle makes f inheritable. Its number is the same in the child.
func handle(f *os.File) (uint64, error) {
	h := syscall.Handle(f.Fd())
	err := syscall.SetHandleInformation(h, syscall.HANDLE_FLAG_INHERIT, syscall.HANDLE_FLAG_INHERIT)
	return uint64(h), os.NewSyscallError("SetHandleInformation", err)
}

// inherited is the file that hand gave to this process.
func inherited(h uintptr) (*os.File, error) {
	if _, err := syscall.GetFileType(syscall.Handle(h)); err != nil {
		return nil, os.NewSyscallError("GetFileType", err)
	}
	err := syscall.SetHandleInformation(syscall.Handle(h), syscall.HANDLE_FLAG_INHERIT, 0)
	return os.NewFile(h, "rerun"), os.NewSyscallError("SetHandleInformation", err)
}
