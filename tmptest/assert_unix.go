//go:build unix

package tmptest

import (
	"fmt"
	"os"

	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

// CloseOnExec asserts that a program which this process executes does not
// inherit the file (C16, CERT FIO22-C, CWE-403). Package os opens all files
// so; direct system calls need O_CLOEXEC. On Windows, where handles are not
// inherited unless they are listed, the log says that it is not checked.
func CloseOnExec(t TestingT, f *os.File, msgAndArgs ...any) bool {
	help(t)
	conn, err := f.SyscallConn() // Fd would make the file blocking
	if err != nil {
		return noSuch(t, "CloseOnExec", err, msgAndArgs)
	}
	var flags int
	var ferr error
	err = conn.Control(func(fd uintptr) { flags, ferr = unix.FcntlInt(fd, unix.F_GETFD, 0) })
	if err == nil && ferr != nil {
		err = fmt.Errorf("F_GETFD %s: %w", f.Name(), ferr)
	}
	if err != nil {
		return noSuch(t, "CloseOnExec", err, msgAndArgs)
	}
	var found []Violation
	if flags&unix.FD_CLOEXEC == 0 {
		found = []Violation{{Rule: rules.C16, Path: f.Name(), Detail: "is open without close-on-exec"}}
	}
	return verdict(t, "CloseOnExec", f.Name(), found, msgAndArgs)
}
