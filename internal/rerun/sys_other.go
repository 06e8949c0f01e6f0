//go:build !unix && !windows

package rerun

import (
	"errors"
	"os"
	"os/exec"
)

// A system without processes, as WebAssembly is, runs no test again. What
// needs no second process works there.

func prepare(*exec.Cmd) {}

func awaitExit(*os.Process) bool { return false }

func killTree(p *os.Process) error { return p.Kill() }

func hand(*exec.Cmd, *os.File) {}

func handle(*os.File) (uint64, error) { return 0, errors.ErrUnsupported }

func inherited(uintptr) (*os.File, error) { return nil, errors.ErrUnsupported }
