package rerun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

const (
	// waitDelay bounds the wait for the output of processes that outlive the
	// child, and for the answer in the pipe after its end.
	waitDelay = 2 * time.Second
	// killDelay bounds the wait for a child that was killed.
	killDelay = 10 * time.Second
	// longestOnce is the limit where neither the context nor the test has one.
	longestOnce = 10 * time.Minute
)

// answer is what a child of Once writes to its pipe: first that it has
// reached the call, then how fn ended.
type answer struct {
	Reached bool   `json:",omitempty"`
	Ended   bool   `json:",omitempty"`
	Failure *Error `json:",omitempty"`
	Data    []byte `json:",omitempty"`
}

// Once runs fn in a new child process and returns what fn returned there, at
// most about 48 MiB. In the child itself it does not return: it ends the test
// with t.SkipNow. For the role Other it is an error.
//
// Every error is an *Error. With EndedBadly, fn's result is returned too. When
// ctx is done, or the test's own time is nearly over (10 minutes where it has
// none), the child is killed with its process group (on Windows without what
// it started). On Linux, what is left of the group is killed when the child
// has ended. A process that put itself in another group lives on.
func (c *Call) Once(ctx context.Context, fn func() []byte) ([]byte, error) {
	switch c.role {
	case Child:
		c.answer(fn)
	case Parent:
		data, err := c.ask(ctx)
		if err != nil {
			return data, err
		}
		return data, nil
	}
	return nil, c.fault(NotStarted, errRole)
}

func (c *Call) fault(kind Kind, err error) *Error {
	return &Error{Call: c.id.String(), Kind: kind, Detail: err.Error()}
}

func (c *Call) answer(fn func() []byte) {
	if process.result == nil {
		panic("rerun: Once in a process that was not started by Once")
	}
	// A parent that has gone cannot be told; nor can one whose pipe the
	// victim has closed. The parent sees that the answer is missing.
	enc := json.NewEncoder(process.result)
	_ = enc.Encode(answer{Reached: true})
	end := answer{Ended: true}
	end.Failure = c.Serve(func() { end.Data = fn() })
	_ = enc.Encode(end)
	c.t.SkipNow()
}

func (c *Call) ask(ctx context.Context) ([]byte, *Error) {
	limit := longestOnce
	if left, ok := c.left(); ok {
		limit = left - margin(left)/2 // the child's own report of its timeout comes first
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()

	r, w, err := os.Pipe()
	if err != nil {
		return nil, c.fault(NotStarted, err)
	}
	defer r.Close()
	defer w.Close()
	h, err := handle(w)
	if err != nil {
		return nil, c.fault(NotStarted, err)
	}
	cmd, out, err := c.command(ticket{result: h})
	if err != nil {
		return nil, c.fault(NotStarted, err)
	}
	hand(cmd, w)
	child := c.start(cmd)
	if child.err != nil {
		c.Account(cmd)
		return nil, c.fault(NotStarted, child.err)
	}
	w.Close()
	got := make(chan answers, 1)
	go func() { got <- readAnswers(r) }()

	end := child.wait(ctx)
	var a answers
	timer := time.NewTimer(waitDelay)
	defer timer.Stop()
	select {
	case a = <-got:
	case <-timer.C:
		// Only a process that the child made without exec can hold the pipe
		// without an answer in it.
		r.Close()
	}
	end.cause, end.out = context.Cause(ctx), out.String()
	data, e := c.judge(end, a)
	if e != nil {
		e.Output = end.out
	}
	return data, e
}

type answers struct {
	reached bool
	end     *answer
	err     error
}

func readAnswers(r io.Reader) (a answers) {
	dec := json.NewDecoder(io.LimitReader(r, maxTransfer))
	for {
		var one answer
		if err := dec.Decode(&one); err != nil {
			if err != io.EOF {
				a.err = err
			}
			return a
		}
		a.reached = true
		if one.Ended {
			a.end = &one
			return a
		}
	}
}

// ending is how a child process ended.
type ending struct {
	state  *os.ProcessState // nil: it could not be waited for
	err    error            // why
	killed bool             // by us
	cause  error            // why it was killed
	out    string
}

// judge makes one outcome of what the child said and how it ended.
func (c *Call) judge(end ending, a answers) ([]byte, *Error) {
	switch {
	case a.end != nil && a.end.Failure != nil:
		return nil, a.end.Failure
	case end.killed && a.end != nil:
		return a.end.Data, c.fault(EndedBadly, fmt.Errorf("the function under test returned, but the child process did not end in time (%w) and was killed: "+
			"a Cleanup function, a parent of the test or TestMain hangs", end.cause))
	case end.killed && a.reached:
		return nil, c.fault(TimedOut, fmt.Errorf("the function under test had not returned when its time was over (%w): killed", end.cause))
	case end.killed:
		return nil, c.fault(TimedOut, fmt.Errorf("the child process had not reached the call when its time was over (%w): killed", end.cause))
	case end.state == nil:
		return nil, c.fault(NotFollowed, fmt.Errorf("waiting for the child process: %w", end.err))
	case a.end == nil && a.err != nil:
		return nil, c.fault(NotFollowed, fmt.Errorf("reading the child's answer (%s): %w", ExitOf(end.state), a.err))
	case a.end == nil:
		return nil, c.Explain(a.reached, ExitOf(end.state), end.out)
	}
	return a.end.Data, c.Ended(ExitOf(end.state), end.out)
}

// child is a process that was started and is waited for by one goroutine,
// locked to its thread: the signal of Pdeathsig comes when that thread ends.
type child struct {
	call  *Call
	cmd   *exec.Cmd
	err   error // of Start
	ended chan error

	mu     sync.Mutex
	reaped bool // or about to be: the process number may become another's
}

func (c *Call) start(cmd *exec.Cmd) *child {
	ch := &child{call: c, cmd: cmd, ended: make(chan error, 1)}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ch.ended <- ch.reap()
		}
	}()
	ch.err = <-started
	return ch
}

// reap waits for the end and sweeps the group where that is safe.
func (ch *child) reap() error {
	unreaped := awaitExit(ch.cmd.Process)
	if unreaped {
		ch.mu.Lock()
		_ = killTree(ch.cmd.Process) // nothing else may be left of the group
		ch.reaped = true
		ch.mu.Unlock()
	}
	err := ch.cmd.Wait()
	ch.call.Account(ch.cmd)
	ch.mu.Lock()
	ch.reaped = true
	ch.mu.Unlock()
	return err
}

// wait returns when the child has ended, killed if ctx was done before. When
// even that does not end it within killDelay it is given up.
func (ch *child) wait(ctx context.Context) ending {
	select {
	case err := <-ch.ended:
		return ending{state: ch.cmd.ProcessState, err: err}
	case <-ctx.Done():
	}
	var end ending
	ch.mu.Lock()
	if !ch.reaped {
		end.killed, end.err = true, killTree(ch.cmd.Process)
	}
	ch.mu.Unlock()
	timer := time.NewTimer(killDelay)
	defer timer.Stop()
	select {
	case err := <-ch.ended:
		end.state, end.err = ch.cmd.ProcessState, err
	case <-timer.C:
		end.killed = false
		end.err = errors.Join(end.err, fmt.Errorf("process %d does not end after it was killed", ch.cmd.Process.Pid))
	}
	return end
}
