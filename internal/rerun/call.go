package rerun

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

// TB is the part of testing.TB that is used here. *testing.T has it.
type TB interface {
	Name() string
	Cleanup(func())
	Context() context.Context
	Failed() bool
	Skipped() bool
	SkipNow()
}

// Role says what a call is to do in this process.
type Role int

const (
	// Parent: do the work, with child processes prepared by Command.
	Parent Role = iota + 1
	// Child: the parent started this process for this call. Serve it.
	Child
	// Other: this process is a child, but for another call. Return at once,
	// with the result that Earlier has; where it has none, end the test with
	// t.SkipNow, for nothing that follows is wanted in this process.
	Other
)

// String is the name of the constant.
func (r Role) String() string {
	switch r {
	case Parent:
		return "Parent"
	case Child:
		return "Child"
	case Other:
		return "Other"
	}
	return "Role(" + strconv.Itoa(int(r)) + ")"
}

// Call is one call of a verb in one test.
type Call struct {
	t    TB
	id   ID
	role Role

	mu     sync.Mutex
	inputs map[*exec.Cmd]*inputs // of children that have not ended
}

// calls is what this process knows of the calls made in it.
var calls = struct {
	sync.Mutex
	made     map[string]int // calls of Enter by test, reset when the test ends
	finished map[ID][]byte
	here     map[string]ID // calls that run what they are given in this process, by test
	serving  *ID
	nested   error // the first nested call during the present Serve
}{made: map[string]int{}, finished: map[ID][]byte{}, here: map[string]ID{}}

// Enter is called once, and first, by each verb that re-runs its test. Calls
// in one test are told apart by their order, so they must be made one after
// the other, and as often in each run.
//
// The errors: Enter was called by a victim that is being served (nested use;
// see Serve), in a benchmark, a fuzzing worker, a synctest bubble or a
// Cleanup function, none of which can be run again alone, or the environment
// has a TMPPROOF_CHILD that tmpproof did not write.
func Enter(t TB) (*Call, error) { return enter(t, false) }

// EnterHere is Enter for a call that needs no child process: see Call.Here. It
// works in a fuzzing worker too.
func EnterHere(t TB) (*Call, error) { return enter(t, true) }

// ErrFuzzed is the error of Enter in a fuzzing worker.
var ErrFuzzed = errors.New("is being fuzzed, and an input that was just generated cannot be run again by name")

func enter(t TB, here bool) (*Call, error) {
	if process.err != nil {
		return nil, process.err
	}
	if err := rerunnable(t); err != nil && !(here && errors.Is(err, ErrFuzzed)) {
		return nil, err
	}
	calls.Lock()
	defer calls.Unlock()
	name := t.Name()
	if s := servedFor(name); s != nil {
		err := fmt.Errorf("rerun: nested use: %s calls tmpproof inside the function that tmpproof runs for %s: "+
			"make the inner call after the outer one, or in a test of its own", name, s)
		if calls.nested == nil {
			calls.nested = err
		}
		return nil, err
	}
	if calls.made[name] == 0 {
		t.Cleanup(func() { forget(name) })
	}
	calls.made[name]++
	c := &Call{t: t, id: ID{Test: name, N: calls.made[name]}, role: Parent, inputs: map[*exec.Cmd]*inputs{}}
	delete(calls.finished, c.id) // of an earlier round of -count or -cpu
	switch {
	case process.child && c.id == process.call:
		c.role = Child
	case process.child:
		c.role = Other
	}
	return c, nil
}

// servedFor gives the call for which a function is being run, when a call in
// the named test can only come from that function.
func servedFor(test string) *ID {
	if calls.serving != nil {
		return calls.serving
	}
	for name, id := range calls.here {
		if name == test || strings.HasPrefix(test, name+"/") {
			return &id
		}
	}
	return nil
}

// Here says that the call runs what it is given in this process, where other
// tests go on, until done is called: Enter is an error in this test meanwhile,
// and in its subtests.
func (c *Call) Here() (done func()) {
	calls.Lock()
	defer calls.Unlock()
	calls.here[c.id.Test] = c.id
	return func() {
		calls.Lock()
		defer calls.Unlock()
		delete(calls.here, c.id.Test)
		calls.nested = nil
	}
}

// forget ends the counting for a test. Results of subtests stay until the
// top-level test has ended: its later calls hand them on.
func forget(test string) {
	calls.Lock()
	defer calls.Unlock()
	delete(calls.made, test)
	if strings.Contains(test, "/") {
		return
	}
	for id := range calls.finished {
		if id.root() == test {
			delete(calls.finished, id)
		}
	}
}

// rerunnable says why the test cannot be run again alone.
func rerunnable(t TB) error {
	if _, ok := t.(interface{ ResetTimer() }); ok {
		return fmt.Errorf("rerun: %s is a benchmark, and only a test can be run again in a child process: call it from a test", t.Name())
	}
	if f := process.flags.Lookup("test.fuzzworker"); f != nil && f.Value.String() == "true" {
		return fmt.Errorf("rerun: %s %w: run the seeds, without -fuzz", t.Name(), ErrFuzzed)
	}
	if t.Context().Err() != nil {
		return fmt.Errorf("rerun: %s calls it in a Cleanup function, which runs when the test is over: call it in the test's body", t.Name())
	}
	if inBubble(t) {
		return fmt.Errorf("rerun: %s calls it in a synctest bubble, where time does not pass for a child process: call it outside", t.Name())
	}
	return nil
}

// inBubble relies on the testing package to panic when Deadline is called in
// a synctest bubble.
func inBubble(t TB) (yes bool) {
	if d, ok := t.(deadliner); ok {
		defer func() { yes = recover() != nil }()
		d.Deadline()
	}
	return false
}

// ID names the call.
func (c *Call) ID() ID { return c.id }

// Role says what to do in this process.
func (c *Call) Role() Role { return c.role }

// Finish attaches the result of the call, for later calls of the same
// top-level test: their children get it through Earlier. In a child it does
// nothing.
func (c *Call) Finish(data []byte) {
	if c.role != Parent {
		return
	}
	calls.Lock()
	defer calls.Unlock()
	calls.finished[c.id] = data
	process.announce(c.id, data)
}

// Earlier is what the parent attached to this call with Finish, when the
// role is Other and the call comes before the one that this process serves.
func (c *Call) Earlier() (data []byte, ok bool) {
	if c.role != Other {
		return nil, false
	}
	data, ok = process.earlier[c.id.key()]
	return data, ok
}

var errRole = errors.New("rerun: a call that is not the Child's cannot serve, and one that is not the Parent's cannot start a child")
