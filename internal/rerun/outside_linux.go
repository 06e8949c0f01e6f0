package rerun

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel takes one supervisor for a process and all that it starts. So where
// this process is supervised already, by tmpleak, a verb that supervises has its
// test run once more by the supervisor itself, outside of what that watches: as a
// test like any other, whose results of its calls come back here.

const (
	// outsideVariable names the socket at which a supervisor waits (abstract).
	outsideVariable = "TMPPROOF_OUTSIDE"
	// resultsVariable is the descriptor to which a test that was run so writes
	// the results of its calls.
	resultsVariable = "TMPPROOF_RESULTS"
)

// order is what a supervisor is asked to run. The descriptors for its output
// and its results come with it.
type order struct {
	Args, Env []string
	Dir       string
}

// maxOrder bounds an order: arguments and environment.
const maxOrder = 4 << 20

// result is what one call came to.
type result struct {
	ID   string
	Data []byte
}

// outside are the runs of tests that are outside, by test.
var outside = struct {
	sync.Mutex
	ran map[string]*Run
}{ran: map[string]*Run{}}

// Run is a test's run outside of its supervisor.
type Run struct {
	Failed  bool
	Output  string
	results map[string][]byte
}

// Supervised says that this process has a supervisor which runs tests outside
// of what it watches.
func Supervised() bool { return os.Getenv(outsideVariable) != "" }

// Outside gives the result of this call (Finish) in a run of the test outside of
// its supervisor; all calls of a test have one run. ok is false where the run did
// not finish the call. fresh is true for the call that has made the run.
func (c *Call) Outside(ctx context.Context) (run *Run, data []byte, ok, fresh bool, err error) {
	outside.Lock()
	run = outside.ran[c.id.Test]
	outside.Unlock()
	if run == nil {
		if run, err = c.runOutside(ctx); err != nil {
			return nil, nil, false, false, fmt.Errorf("asking the supervisor to run the test: %w", err)
		}
		fresh = true
		outside.Lock()
		outside.ran[c.id.Test] = run
		outside.Unlock()
		c.t.Cleanup(func() {
			outside.Lock()
			delete(outside.ran, c.id.Test)
			outside.Unlock()
		})
	}
	data, ok = run.results[c.id.key()]
	return run, data, ok, fresh, nil
}

func (c *Call) runOutside(ctx context.Context) (*Run, error) {
	if left, ok := c.left(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, left-margin(left)/2)
		defer cancel()
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: "@" + os.Getenv(outsideVariable), Net: "unix"})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends it
	defer stop()
	out, results := new(Output), map[string][]byte{}
	var readers sync.WaitGroup
	pipe := func(read func(*os.File)) (*os.File, error) {
		r, w, err := os.Pipe()
		if err == nil {
			readers.Go(func() { read(r); _ = r.Close() })
		}
		return w, err
	}
	w1, err1 := pipe(func(r *os.File) { _, _ = r.WriteTo(out) })
	w2, err2 := pipe(func(r *os.File) {
		for in := json.NewDecoder(bufio.NewReader(r)); ; {
			var one result
			if in.Decode(&one) != nil {
				return
			}
			results[one.ID] = one.Data
		}
	})
	if err = errors.Join(err1, err2); err == nil {
		flags := args(c.id.Test, c.timeout())[1:]
		if testing.Verbose() {
			flags = append([]string{"-test.v"}, flags...)
		}
		text, _ := json.Marshal(order{Args: flags, Env: without(os.Environ(), outsideVariable), Dir: process.dir})
		oob := unix.UnixRights(int(w1.Fd()), int(w2.Fd()))
		err = sendAll(conn, text, oob)
	}
	_, _ = w1.Close(), w2.Close()
	status := 0
	if err == nil {
		_, err = fmt.Fscanln(conn, &status)
	}
	if err != nil {
		_ = conn.Close()
		err = errors.Join(err, ctx.Err())
	}
	readers.Wait()
	return &Run{Failed: status != 0, Output: out.String(), results: results}, err
}

// sendAll sends the descriptors with the first part of the text.
func sendAll(conn *net.UnixConn, text, oob []byte) error {
	n, _, err := conn.WriteMsgUnix(text[:1], oob, nil)
	if err == nil {
		_, err = conn.Write(text[n:])
	}
	return err
}

// sameUser says that the other end is this process's own user.
func sameUser(conn *net.UnixConn) (same bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		same = err == nil && int(cred.Uid) == os.Geteuid()
	})
	return same
}

// announce writes the result of a call to whoever asked for this run.
func (o *origin) announce(id ID, data []byte) {
	if o.results == nil {
		return
	}
	line, err := json.Marshal(result{ID: id.key(), Data: data})
	if err == nil {
		_, _ = o.results.Write(append(line, '\n'))
	}
}

// openResults makes this process one that was run outside of a supervisor.
func (o *origin) openResults() {
	fd, err := strconv.Atoi(os.Getenv(resultsVariable))
	if os.Getenv(resultsVariable) == "" {
		return
	}
	_ = os.Unsetenv(resultsVariable)
	if err == nil {
		o.results, _ = inherited(uintptr(fd))
	}
}

// ServeOutside lets tests of the program that run under the caller's supervision
// have themselves run outside of it, and gives the setting of the environment by
// which they know. What it started ends with the thread that started it, at the
// latest when this process does.
func ServeOutside(program string) (setting string, err error) {
	name := "tmpproof-" + rand.Text()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: "@" + name, Net: "unix"})
	if err != nil {
		return "", err
	}
	go func() {
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			go func() {
				runtime.LockOSThread() // and the thread ends with it
				defer conn.Close()
				serveOutside(conn, program)
			}()
		}
	}()
	return outsideVariable + "=" + name, nil
}

func serveOutside(conn *net.UnixConn, program string) {
	if !sameUser(conn) {
		return
	}
	buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(2*4))
	n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
	if err != nil {
		return
	}
	var fds []int
	if scms, err := unix.ParseSocketControlMessage(oob[:oobn]); err == nil && len(scms) == 1 {
		fds, _ = unix.ParseUnixRights(&scms[0])
	}
	var files []*os.File
	for _, fd := range fds {
		unix.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "pipe")
		files = append(files, f)
		defer f.Close()
	}
	var o order
	in := json.NewDecoder(io.MultiReader(bytes.NewReader(buf[:n]), io.LimitReader(conn, maxOrder)))
	if in.Decode(&o) != nil || len(files) != 2 {
		return
	}
	cmd := exec.Command(program, o.Args...)
	cmd.Env, cmd.Dir = append(o.Env, resultsVariable+"=3"), o.Dir
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = files[0], files[0], files[1:]
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		_, _ = fmt.Fprintln(files[0], err)
		_, _ = fmt.Fprintln(conn, -1)
		return
	}
	for _, f := range files {
		_ = f.Close()
	}
	go func() { // who asked has gone
		_, _ = conn.Read(make([]byte, 1))
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
	}()
	awaitExit(cmd.Process)
	_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // what it left
	_ = cmd.Wait()
	_, _ = fmt.Fprintln(conn, cmd.ProcessState.ExitCode())
}
