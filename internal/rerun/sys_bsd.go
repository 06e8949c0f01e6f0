//go:build unix && !linux

package rerun

import (
	"os"
	"os/exec"
	"syscall"
)

func prepare(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// awaitExit cannot wait without reaping here.
func awaitExit(*os.Process) bool { return false }
