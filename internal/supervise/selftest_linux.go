package supervise

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// The self-test runs at the start of every child, before the first schedule:
// known calls under a storm of signals, of which the parent must see each one
// exactly once, read each path, and find the Go function that made it. A
// kernel or sandbox where one of these fails would otherwise give silent
// verdicts: with ptrace refused, no path is readable and every victim would
// look clean.

const (
	opSelfTest  = 1
	probeCalls  = 24
	probePath   = "/tmpproof-self-test/"
	probeErrno  = unix.EXFULL // which no mkdir returns by itself
	probeAnswer = 0x7e57
)

// selfTest is the child's half.
//
//go:noinline
func (c *Child) selfTest(pid, tid int) error {
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			_ = unix.Tgkill(pid, tid, unix.SIGURG)
			time.Sleep(10 * time.Microsecond)
		}
	}()
	var wrong error
	for i := range probeCalls {
		if err := unix.Mkdirat(unix.AT_FDCWD, probePath+strconv.Itoa(i), 0o700); err != probeErrno && wrong == nil {
			wrong = fmt.Errorf("self-test: a call that was to fail with %q gave %v", probeErrno.Error(), err)
		}
	}
	stop.Store(true)
	<-done
	r, err := c.Call(opSelfTest, nil)
	if err == nil && r != probeAnswer {
		err = fmt.Errorf("self-test: a call was answered %#x instead of %#x", r, probeAnswer)
	}
	return errors.Join(wrong, err)
}

// checkSelfTest is the parent's half. Its error is an *UnsupportedError where
// the kernel or a sandbox does not do what is needed.
func (t *Tree) checkSelfTest(deadline time.Time) error {
	seen := 0
	for {
		ev, err := t.Next(deadline)
		if err != nil {
			return fmt.Errorf("self-test: %w", err)
		}
		switch {
		case ev.Type == Gone:
			return errors.New("self-test: the child ended")
		case ev.Type == Message && ev.Op == opSelfTest:
			t.Answer(ev, probeAnswer)
			if seen != probeCalls {
				return unsupported("%d calls were made, %d boundaries seen", probeCalls, seen)
			}
			return nil
		case ev.Kind != Mkdir:
			t.Continue(ev)
			continue
		}
		p := ev.Paths[0]
		if p.Err != nil {
			return unsupported("the child's memory cannot be read (Yama's ptrace_scope, or a sandbox without ptrace): %w", p.Err)
		}
		n, ok := strings.CutPrefix(p.Raw, probePath)
		if !ok {
			t.Continue(ev)
			continue
		}
		switch {
		case n == strconv.Itoa(seen):
			if err := t.checkLine(ev); err != nil {
				return err
			}
			seen++
		case n == strconv.Itoa(seen-1) && (ev.Repeat || !t.killable):
			// a signal made it come again: see Exact
		default:
			return unsupported("boundary %d was reported as %s", seen, n)
		}
		t.Fail(ev, probeErrno)
	}
}

// checkLine holds the unwinder against a stack that is known.
func (t *Tree) checkLine(ev *Event) error {
	st, err := t.Stack(ev)
	if err != nil {
		return unsupported("no source line: %w", err)
	}
	for _, f := range st.Frames {
		if strings.HasSuffix(f.Function, ".(*Child).selfTest") {
			return nil
		}
	}
	return unsupported("the stack of a known call was not found (%d frames): this binary's line table is not understood", len(st.Frames))
}

func unsupported(format string, args ...any) error {
	return &UnsupportedError{"self-test: " + fmt.Errorf(format, args...).Error()}
}
