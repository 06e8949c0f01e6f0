//go:build unix

package rerun

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// killTree ends the process and its process group, which must not be reaped
// yet.
func killTree(p *os.Process) error {
	err := syscall.Kill(-p.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// hand makes the child inherit f. It must be the first of its ExtraFiles.
func hand(cmd *exec.Cmd, f *os.File) {
	cmd.ExtraFiles = append(cmd.ExtraFiles, f)
}

// handle is the number by which the child knows the file handed to it.
func handle(*os.File) (uint64, error) { return 3, nil }

// inherited is the file that hand gave to this process. It is not passed on
// to programs that this one starts.
func inherited(fd uintptr) (*os.File, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(fd), &st); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	syscall.CloseOnExec(int(fd))
	return os.NewFile(fd, "rerun"), nil
}
