//go:build amd64 || arm64

package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// passSignals hands on what this process is sent. What a terminal sends goes
// to the whole foreground group, the tests too, and is not sent twice: a
// second interrupt would cut short what the first one began.
func passSignals(p *os.Process) (stop func()) {
	c := make(chan os.Signal, 16)
	signal.Notify(c, unix.SIGINT, unix.SIGTERM, unix.SIGQUIT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case sig := <-c:
				switch {
				case sig == unix.SIGINT && inForeground():
				case sig == unix.SIGQUIT && inForeground():
					// The go command sends it to this process alone, when the
					// tests took too long; a terminal to both.
					time.AfterFunc(time.Second, func() { _ = p.Signal(sig) })
				default:
					_ = p.Signal(sig)
				}
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(c)
		close(done)
	}
}

// inForeground says that this process is in the foreground of its terminal.
func inForeground() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// statusOf is the exit status to end with as the tests did. Where a signal
// ended them it ends this process too, by die.
func statusOf(s *os.ProcessState) int {
	if ws := s.Sys().(syscall.WaitStatus); ws.Signaled() {
		return -int(ws.Signal())
	}
	return s.ExitCode()
}

// die ends this process by the signal that ended the tests.
func die(status int) int {
	if status >= 0 {
		return status
	}
	sig := unix.Signal(-status)
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) // the core was the tests'
	var byDefault [4]uint64                              // struct sigaction: without Go's handler, which would print its goroutines
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0)
	_ = unix.Kill(os.Getpid(), sig)
	time.Sleep(time.Second)
	fmt.Fprintln(os.Stderr, "tmpleak: the tests were ended by a signal:", sig)
	return 128 + int(sig)
}
