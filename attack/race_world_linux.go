package attack

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// raceMissing says why races cannot be run on this system.
func raceMissing() string { return supervise.MissingProc() }

// serveRace is the child: it runs the victim as often as the parent says.
func serveRace(t testing.TB, call *rerun.Call, victim Victim, opt *options) {
	c := newChild(call, victim, opt)
	err := c.settle()
	if err == nil {
		c.link, err = inheritedPipes()
	}
	if err == nil {
		err = c.serve()
	}
	if err != nil {
		t.Fatalf("attack.Race: %v", err)
	}
	t.SkipNow()
}

// pipes carry the messages of a race's child: its number and length, each four
// bytes, then the data; the answer is eight bytes.
type pipes struct{ in, out *os.File }

// The child's ends, as exec.Cmd.ExtraFiles numbers them.
const (
	childIn  = 3
	childOut = 4
)

func inheritedPipes() (*pipes, error) {
	for _, fd := range []int{childIn, childOut} {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
			return nil, errors.New("the pipes to the parent are not there: the test binary's descriptors 3 and 4 were closed or used before the call")
		}
		unix.CloseOnExec(fd)
	}
	return &pipes{os.NewFile(childIn, "answers"), os.NewFile(childOut, "messages")}, nil
}

func (p *pipes) Call(op uint32, data []byte) (int64, error) {
	msg := binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, op), uint32(len(data)))
	if _, err := p.out.Write(append(msg, data...)); err != nil {
		return 0, fmt.Errorf("the parent is gone: %w", err)
	}
	var answer [8]byte
	if _, err := io.ReadFull(p.in, answer[:]); err != nil {
		return 0, fmt.Errorf("the parent is gone: %w", err)
	}
	return int64(binary.NativeEndian.Uint64(answer[:])), nil
}

// raceWorld runs the victim in a child process that nobody stops.
type raceWorld struct {
	call    *rerun.Call
	opt     *options
	d       *osDisk
	cmd     *exec.Cmd
	out     *rerun.Output
	in      *os.File // the child's messages
	answers *os.File
	pinned  *unix.CPUSet  // where its threads were put
	ended   chan struct{} // closed when the child was waited for
	touched bool
}

// raceHooks are called in the course of a run.
type raceHooks struct {
	prepared func() error       // the scene stands, and the victim waits
	started  func()             // it is let go with the return of this
	returned func(at int64)     // it is back, and Ensure follows
	silent   func() (at string) // nothing has come for a glance: gives the FIFO at which it waits
}

func (w *raceWorld) start() error {
	cmd, out, err := w.call.Command()
	if err != nil {
		return err
	}
	theirs, ours, err := twoPipes()
	if err != nil {
		return err
	}
	cmd.Env = append(cmd.Env, envScene+"="+w.d.root)
	cmd.ExtraFiles = []*os.File{theirs.in, theirs.out}
	w.cmd, w.out, w.in, w.answers = cmd, out, ours.in, ours.out
	err = cmd.Start()
	theirs.close()
	if err != nil {
		w.call.Account(cmd)
		w.cmd = nil
		ours.close()
		return fmt.Errorf("starting the child: %w", err)
	}
	ended := make(chan struct{})
	w.ended = ended
	go func() {
		defer close(ended)
		for { // what it has started ends with it, while its number is still its own
			if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != unix.EINTR {
				break
			}
		}
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		_ = cmd.Wait()
	}()
	_, _, err = w.message(time.Now().Add(w.opt.startWait()))
	if errors.Is(err, io.EOF) {
		<-w.ended
		return w.call.Explain(false, rerun.ExitOf(cmd.ProcessState), out.String())
	}
	if err != nil {
		return fmt.Errorf("waiting for the child to get ready: %w", err)
	}
	return nil
}

func (p *pipes) close() { _, _ = p.in.Close(), p.out.Close() }

func twoPipes() (theirs, ours *pipes, err error) {
	r1, w1, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	r2, w2, err := os.Pipe()
	if err != nil {
		return nil, nil, errors.Join(err, r1.Close(), w1.Close())
	}
	return &pipes{r1, w2}, &pipes{r2, w1}, nil
}

func (w *raceWorld) message(deadline time.Time) (op uint32, data []byte, err error) {
	if err := w.in.SetReadDeadline(deadline); err != nil {
		return 0, nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil {
		return 0, nil, err
	}
	data = make([]byte, min(binary.NativeEndian.Uint32(head[4:]), 1<<20))
	if err := w.in.SetReadDeadline(time.Now().Add(exitWait)); err != nil { // what was begun comes
		return 0, nil, err
	}
	_, err = io.ReadFull(w.in, data)
	return binary.NativeEndian.Uint32(head[:4]), data, err
}

func (w *raceWorld) answer(n uint64) {
	_, _ = w.answers.Write(binary.NativeEndian.AppendUint64(nil, n)) // a child that is gone shows by its silence
}

// run is one run of the victim in a fresh scene.
func (w *raceWorld) run(h raceHooks) (*outcome, error) {
	if w.cmd == nil {
		if err := w.start(); err != nil {
			return nil, err
		}
	}
	if w.opt.setup == nil {
		if err := h.prepared(); err != nil {
			return nil, err
		}
		h.started()
	}
	w.answer(1)
	for end := time.Now().Add(runWait); ; {
		op, data, err := w.message(time.Now().Add(glance))
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if at := h.silent(); at != "" {
				return &outcome{End: hung, Text: atFIFO(at), At: at, Spent: true}, nil
			}
			if time.Now().After(end) {
				return &outcome{End: hung, Text: "no return within " + runWait.String(), Spent: true}, nil
			}
			continue
		case err != nil:
			return w.gone(), nil
		case op == opPrepared:
			if err := h.prepared(); err != nil {
				return nil, err
			}
			h.started()
		case op == opReturned:
			at, _ := strconv.ParseInt(string(data), 10, 64)
			h.returned(at)
		case op == opDone:
			o := &outcome{}
			if err := json.Unmarshal(data, o); err != nil {
				return nil, fmt.Errorf("the child's report: %w", err)
			}
			if o.Ran {
				rerun.Uncacheable() // what a program looks at is not known
			}
			if !w.d.stat(dirShared).isDir() || !w.d.stat(dirHome).isDir() || statAt(unix.AT_FDCWD, w.d.root, 0).id != statAt(w.d.fd, "", unix.AT_EMPTY_PATH).id {
				o.Removed, o.Spent = true, true
			}
			return o, nil
		}
		w.answer(1)
		end = time.Now().Add(runWait)
	}
}

// gone is the outcome of a run whose process has ended, or has closed the
// pipe.
func (w *raceWorld) gone() *outcome {
	select {
	case <-w.ended:
	case <-time.After(exitWait):
		return &outcome{End: exited, Text: "it closed the descriptor through which its end is reported", Spent: true}
	}
	exit := rerun.ExitOf(w.cmd.ProcessState)
	return exitOutcome(w.call, exit, w.out.String())
}

// stop ends the child: by itself where it is well, so that its coverage
// counts.
func (w *raceWorld) stop(well bool) {
	if w.cmd == nil {
		return
	}
	defer w.call.Account(w.cmd, w.d.root)
	if well {
		w.answer(0)
		select {
		case <-w.ended:
		case <-time.After(w.opt.startWait()):
		}
	}
	_ = w.cmd.Process.Kill()
	<-w.ended
	_, _ = w.in.Close(), w.answers.Close()
	w.cmd, w.pinned = nil, nil
}
