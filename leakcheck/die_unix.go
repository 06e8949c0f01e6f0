//go:build unix

package leakcheck

import (
	"os"
	"syscall"
)

// deadly are the signals that end a test run from outside.
var deadly = []os.Signal{syscall.SIGINT, syscall.SIGTERM}

// die ends the process by the signal, which nothing of ours takes any more.
func die(sig os.Signal) { _ = syscall.Kill(os.Getpid(), sig.(syscall.Signal)) }
