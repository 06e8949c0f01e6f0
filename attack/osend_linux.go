package attack

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// next waits for what the victim does next. The outcome says why nothing more
// can come.
func (w *osWorld) next() (*supervise.Event, *outcome, error) {
	for {
		wait := glance
		if w.held != nil {
			wait = handlerGlance
		}
		ev, err := w.receive(time.Now().Add(wait))
		if err != nil {
			w.d.hear() // or who writes to the attacker would wait for room
		}
		now := time.Now()
		if err == nil {
			delete(w.waiting, ev.TID)
			delete(w.locked, ev.TID)
			w.still, w.calm = 0, time.Time{}
		} else if at := w.stuck(); at != "" {
			return nil, w.atFIFO(at), nil
		} else if w.quiet() {
			w.release()
			continue
		}
		switch {
		case err == nil && ev.Type == supervise.Gone:
			return nil, w.exit(), nil
		case err == nil && (ev.PID == w.tree.PID() || now.Before(w.clock.last)):
			return ev, nil, nil
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return nil, nil, err
		}
		state := processState(w.tree.PID())
		switch {
		case ended(state): // what it has started goes on
			return nil, w.exit(), nil
		case state == 'T':
			return nil, w.lost(hung, "its process was stopped by a signal (SIGSTOP, SIGTSTP, SIGTTIN or SIGTTOU)"), nil
		case now.After(w.clock.next) && now.Before(w.clock.budget) && w.clock.lent < maxLent && w.inKernel():
			w.clock.lent++ // a mount, a disk: that ends by itself, and takes its time on a busy machine
			w.clock.progress()
			w.clock.last = w.clock.last.Add(w.clock.patience)
		case now.After(w.clock.next) && w.atLock() != nil:
			return nil, w.atLock(), nil
		case now.After(w.clock.next):
			return nil, w.lost(hung, fmt.Sprintf("no call and no return within %v, a tenth of the budget", w.clock.patience)), nil
		case now.After(w.clock.last):
			return nil, w.lost(hung, fmt.Sprintf("still running after %v", 3*w.clock.patience)), nil
		case now.After(w.clock.budget):
			return nil, nil, w.opt.usedUp(w.phase)
		}
		if err == nil {
			return ev, nil, nil
		}
	}
}

// inKernel says that a thread of the victim waits for the kernel itself.
func (w *osWorld) inKernel() bool { return w.anyThread(func(state byte) bool { return state == 'D' }) }

// lost is the outcome of a run whose process cannot be used any more.
func (w *osWorld) lost(how ending, text string) *outcome {
	return &outcome{End: how, Text: text, Spent: true}
}

// exit is the outcome of a run whose process has ended.
func (w *osWorld) exit() *outcome {
	if w.sent != 0 { // what it has started may hold its output
		_ = w.tree.Kill()
	}
	state, err := w.tree.Wait(time.Now().Add(exitWait))
	if err != nil {
		return w.lost(exited, "its exit status did not come within "+exitWait.String())
	}
	exit := rerun.ExitOf(state)
	if w.sent != 0 && exit.Signal == w.sent.String() {
		return w.lost(killed, "")
	}
	return exitOutcome(w.call, exit, w.out.String())
}

// exitOutcome is the outcome of a run in which the process ended.
func exitOutcome(call *rerun.Call, exit rerun.Exit, out string) *outcome {
	o := &outcome{End: exited, Text: exit.String(), Spent: true}
	e := call.Explain(true, exit, out)
	switch e.Kind {
	case rerun.Exited:
		o.Text = fmt.Sprintf("%s (os.Exit(%d) or the like)", exit, exit.Code)
	case rerun.Panicked:
		o.Text = "a goroutine that it started crashed: " + strings.TrimPrefix(e.Detail, "a goroutine that the function under test started ended the process: ")
	}
	return o
}

// processState is the state letter of /proc/PID/stat, 0 when the process (or thread) is
// no longer there.
func processState(pid int) byte {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	i := bytes.LastIndexByte(b, ')')
	if err != nil || i < 0 || i+2 >= len(b) {
		return 0
	}
	return b[i+2]
}

func ended(state byte) bool { return state == 0 || state == 'Z' || state == 'X' }

// late looks for a call of a goroutine that the victim has left running, and
// describes the first that concerns the scene.
func (w *osWorld) late() string {
	for limit := time.Now().Add(lateWait); time.Now().Before(limit); {
		ev, err := w.receive(limit)
		if err != nil || ev.Type != supervise.Call {
			return ""
		}
		if b := w.boundary(ev); b != nil && ev.PID == w.tree.PID() {
			w.straggler = ev
			return fmt.Sprintf("%s %s", b.call, pretty(b.subject()))
		}
		w.tree.Continue(ev)
	}
	return ""
}

// refuses sees a signal that would end or stop the process of the test, and
// with it the proof. It is not sent.
func (w *osWorld) refuses(ev *supervise.Event) bool {
	sig := syscall.Signal(ev.Args[1])
	pid := int(int32(ev.Args[0]))
	switch ev.Name {
	case "pidfd_send_signal":
		pid = pidOf(ev.TID, pid)
	case "tgkill":
		sig = syscall.Signal(ev.Args[2])
	}
	self, parent := os.Getpid(), os.Getppid()
	whom := ""
	switch {
	case sig == 0:
	case pid == self:
		whom = "the process of the test"
	case pid == parent && parent != 1:
		whom = "the parent of the test's process"
	case pid == -1:
		whom = "all processes"
	case pid == -unix.Getpgrp():
		whom = "the process group of the test"
	}
	if whom == "" {
		return false
	}
	if w.refused == "" {
		w.refused = fmt.Sprintf("sent the signal %d (%v) to %s", int(sig), sig, whom)
	}
	return true
}

// pidOf is the process that a pidfd of a stopped thread refers to, 0 for one
// that is gone: of a child that was reaped the kernel says "Pid: -1".
func pidOf(tid, fd int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", tid, fd))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "\nPid:\t")
	line, _, _ := strings.Cut(rest, "\n")
	pid, _ := strconv.Atoi(line)
	return max(pid, 0)
}
