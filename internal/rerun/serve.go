package rerun

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Serve runs fn, in a goroutine of its own so that a panic, runtime.Goexit,
// t.FailNow or t.SkipNow in it ends fn alone, and says how it ended: nil when
// it returned. It waits for fn without a limit; the parent can kill the
// process.
//
// While fn runs, Enter is an error in the whole process, and Serve returns it
// as the outcome Nested whatever fn made of it.
//
// When all is served, end the test with t.SkipNow and let the process end by
// itself: it is then that coverage counters and the log of what it has looked at
// are written, which Account takes over. What stands after the call in the test does not run in the child.
func (c *Call) Serve(fn func()) *Error {
	var how *Error
	c.ServeEach(func(end *Error) func() {
		f := fn
		fn, how = nil, end
		return f
	})
	return how
}

// ServeEach runs one function after another as Serve does, until next gives
// none. next is told how the one before ended, nil the first time, and runs
// where the functions do: in a goroutine that is replaced only when a function
// has ended it or has left it locked to its thread. So one that returns costs
// no other goroutine and no change of the thread.
func (c *Call) ServeEach(next func(end *Error) func()) {
	if c.role != Child {
		panic(errRole)
	}
	s := &server{call: c, next: next, done: make(chan struct{})}
	go s.run(nil)
	<-s.done
	coverApart()
}

type server struct {
	call *Call
	next func(end *Error) func()
	done chan struct{}
	lost bool // the goroutine is ending, another goes on
}

func (s *server) run(end *Error) {
	for {
		fn := s.next(end)
		if fn == nil {
			close(s.done)
			return
		}
		if end = s.one(fn); s.lost {
			return
		}
		if locked() { // the thread ends with this goroutine, and with it what was done to the thread
			go s.run(end)
			return
		}
	}
}

// one runs one function. When that ends the goroutine, the loop goes on in
// another.
func (s *server) one(fn func()) (end *Error) {
	c := s.call
	calls.Lock()
	calls.serving, calls.nested = &c.id, nil
	calls.Unlock()
	failed, returned := c.t.Failed(), false
	defer func() {
		v := recover()
		if end = c.ended(v, returned, failed); v == nil && !returned {
			s.lost = true
			next := *s
			next.lost = false
			go next.run(end)
		}
	}()
	fn()
	returned = true
	return nil
}

// ended judges how a function came back: with the value of its panic, by
// returning, or else by runtime.Goexit. failed is whether the test had failed
// before.
func (c *Call) ended(v any, returned, failed bool) *Error {
	calls.Lock()
	defer calls.Unlock()
	calls.serving = nil
	e := &Error{Call: c.id.String()}
	switch {
	case calls.nested != nil:
		e.Kind, e.Detail = Nested, calls.nested.Error()
	case v != nil:
		e.Kind, e.Detail, e.Stack = Panicked, fmt.Sprintf("the function under test panicked: %v", v), string(debug.Stack())
	case returned && (failed || !c.t.Failed()):
		return nil
	case returned:
		e.Kind, e.Detail = Failed, "the function under test failed the test (t.Error)"
	case c.t.Skipped():
		e.Kind, e.Detail = Skipped, "the function under test skipped the test (t.Skip)"
	case !failed && c.t.Failed():
		e.Kind, e.Detail = Failed, "the function under test failed the test (t.Fatal)"
	default:
		e.Kind, e.Detail = Goexited, "the function under test ended its goroutine (runtime.Goexit)"
	}
	return e
}

// locked says that the goroutine is locked to its thread, which only the
// first line of its stack's print tells.
func locked() bool {
	var b [64]byte
	line, _, _ := bytes.Cut(b[:runtime.Stack(b[:], false)], []byte("\n"))
	return bytes.Contains(line, []byte("locked to thread"))
}
