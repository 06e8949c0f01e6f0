package supervise

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// StartProgram is Start for a program that knows nothing of this package. cmd
// runs a launcher, a program (this one, mostly) that calls Launch with the same
// path; the process then becomes the program at path, from whose first
// instruction on everything is watched. Its calls and those of the processes
// in which it runs again are led to their lines by its own line table.
//
// Unlike a child of Start it stays in the process group of its parent and
// starts as many processes as it likes, so that it sees of its supervisor as
// little as can be; Kill may then miss a process that has made no call.
func StartProgram(cmd *exec.Cmd, path string, set Set, deadline time.Time) (*Tree, error) {
	p, err := openProgram(path)
	if err != nil {
		return nil, err
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &unix.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = unix.SIGKILL
	t, err := begin(cmd, set, nil, deadline)
	if err != nil {
		return nil, errors.Join(err, p.file.Close())
	}
	t.target, t.procs.most = p, math.MaxInt
	return t, nil
}

// etxtbsyPatience is how long Launch waits for a program that is still being
// written: another process, forked meanwhile, may have it open (golang/go#22315).
const etxtbsyPatience = 5 * time.Second

// Launch attaches this process as Attach does, and turns it into the program
// at path. It returns only when that fails.
func Launch(path string, argv []string) error {
	if _, err := Attach(); err != nil {
		return err
	}
	for end := time.Now().Add(etxtbsyPatience); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Exec(path, argv, os.Environ())
		if err != unix.ETXTBSY || time.Now().After(end) {
			return fmt.Errorf("exec %s: %w", path, err)
		}
	}
}

// Listener is a copy of the descriptor that the tree's calls come through, for
// a process that goes on answering when this one has ended: see ContinueAll.
func (t *Tree) Listener() (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(t.listener), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "seccomp notify"), nil
}

// ContinueAll lets every call go on that comes through a listener, until no
// process is left that it belongs to.
func ContinueAll(listener int) error {
	t := &Tree{listener: listener, killable: true}
	for {
		revents, err := poll(listener, time.Now().Add(time.Hour))
		switch {
		case err == os.ErrDeadlineExceeded:
			continue
		case err != nil:
			return os.NewSyscallError("ppoll", err)
		case revents&unix.POLLIN == 0:
			return nil
		}
		n := notif{}
		if ioctl(listener, ioctlRecv, unsafe.Pointer(&n)) == 0 {
			t.Continue(&Event{id: n.id})
		}
	}
}
