package supervise

import (
	"fmt"
	"os"
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
	probeCalls = 24
	probePath  = "/tmpproof-self-test/"
)

// selfTest is the child's half.
//
//go:noinline
func (c *Child) selfTest() error {
	tid := unix.Gettid()
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for pid := os.Getpid(); !stop.Load(); {
			_ = unix.Tgkill(pid, tid, unix.SIGURG)
			time.Sleep(10 * time.Microsecond)
		}
	}()
	for i := range probeCalls {
		_ = unix.Faccessat(unix.AT_FDCWD, probePath+strconv.Itoa(i), unix.F_OK, 0)
	}
	stop.Store(true)
	<-done
	_, err := c.Call(opSelfTest, nil)
	return err
}

// checkSelfTest is the parent's half.
func (t *Tree) checkSelfTest(deadline time.Time) error {
	seen := 0
	for {
		ev, err := t.Next(deadline)
		if err != nil {
			return fmt.Errorf("self-test: %w", err)
		}
		if ev.Type == Gone {
			return fmt.Errorf("self-test: the child ended")
		}
		if ev.Type == Message && ev.Op == opSelfTest {
			t.Answer(ev, 0)
			break
		}
		if ev.Type == Call && len(ev.Paths) == 1 && ev.Name != "execve" {
			p := ev.Paths[0]
			if p.Err != nil {
				return fmt.Errorf("self-test: the child's memory cannot be read (Yama ptrace_scope, or a sandbox without ptrace): %w", p.Err)
			}
			if n, ok := strings.CutPrefix(p.Raw, probePath); ok && !ev.Repeat {
				if n != strconv.Itoa(seen) {
					return fmt.Errorf("self-test: boundary %d was reported as %s", seen, n)
				}
				if err := t.checkLine(ev); err != nil {
					return err
				}
				seen++
			}
		}
		t.Continue(ev)
	}
	if seen != probeCalls {
		return fmt.Errorf("self-test: %d calls were made, %d boundaries seen", probeCalls, seen)
	}
	return nil
}

// checkLine holds the unwinder against a stack that is known.
func (t *Tree) checkLine(ev *Event) error {
	st, err := t.Stack(ev)
	if err != nil {
		return fmt.Errorf("self-test: no source line: %w", err)
	}
	for _, f := range st.Frames {
		if strings.HasSuffix(f.Function, ".(*Child).selfTest") {
			return nil
		}
	}
	return fmt.Errorf("self-test: the stack of a known call was not found (%d frames): this binary's line table is not understood", len(st.Frames))
}
