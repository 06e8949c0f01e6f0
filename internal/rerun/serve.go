package rerun

import (
	"fmt"
	"runtime/debug"
)

// Serve runs fn, in a goroutine of its own so that a panic, runtime.Goexit,
// t.FailNow or t.SkipNow in it ends fn alone, and says how it ended: nil when
// it returned. It may be called again and again. It waits for fn without a
// limit; the parent can kill the process.
//
// While fn runs, Enter is an error in the whole process, and Serve returns it
// as the outcome Nested whatever fn made of it.
//
// When all is served, end the test with t.SkipNow and let the process end by
// itself: it is then that coverage counters are written. What stands after the
// call in the test does not run in the child.
func (c *Call) Serve(fn func()) *Error {
	if c.role != Child {
		panic(errRole)
	}
	calls.Lock()
	calls.serving, calls.nested = &c.id, nil
	calls.Unlock()
	failed := c.t.Failed()
	ended := make(chan *Error, 1)
	go func() {
		e := &Error{Call: c.id.String()}
		returned := false
		defer func() {
			v := recover()
			switch {
			case v != nil:
				e.Kind, e.Detail, e.Stack = Panicked, fmt.Sprintf("the function under test panicked: %v", v), string(debug.Stack())
			case returned && (failed || !c.t.Failed()):
				e = nil
			case returned:
				e.Kind, e.Detail = Failed, "the function under test failed the test (t.Error)"
			case c.t.Skipped():
				e.Kind, e.Detail = Skipped, "the function under test skipped the test (t.Skip)"
			case !failed && c.t.Failed():
				e.Kind, e.Detail = Failed, "the function under test failed the test (t.Fatal)"
			default:
				e.Kind, e.Detail = Goexited, "the function under test ended its goroutine (runtime.Goexit)"
			}
			ended <- e
		}()
		fn()
		returned = true
	}()
	e := <-ended
	calls.Lock()
	defer calls.Unlock()
	calls.serving = nil
	if calls.nested != nil {
		return &Error{Call: c.id.String(), Kind: Nested, Detail: calls.nested.Error()}
	}
	return e
}
