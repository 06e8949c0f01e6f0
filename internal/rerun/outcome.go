package rerun

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Kind says how a function that was served, or its process, ended instead of
// returning.
type Kind int

const (
	Panicked    Kind = iota + 1 // a panic, or a fatal error of the runtime, in any goroutine
	Goexited                    // runtime.Goexit
	Failed                      // t.Error or t.Fatal
	Skipped                     // t.Skip
	Exited                      // os.Exit, with 0 as well
	Killed                      // by a signal
	TimedOut                    // the context or the child's -test.timeout ended it
	Nested                      // it called a verb
	EndedBadly                  // it returned, then the process ended with another status than 0
	NotReached                  // the process ended before it reached the call
	NotStarted                  // there is no child process
	NotFollowed                 // the child could not be watched, or its answer not be read
)

// Error is an end other than the normal one. It can be carried as JSON.
type Error struct {
	Call   string // the call's ID
	Kind   Kind
	Detail string // the panic's value, the exit status, why the call was not reached
	Stack  string // of the goroutine that panicked, where it is known
	Output string // of the child process
}

// shownLines bounds what Error shows of a stack, and of the output.
const shownLines = 40

// Error is what happened, how to go on, then the stack or the last lines of
// the child's output.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Call, e.Detail)
	if e.Stack != "" {
		b.WriteString(section("stack", head(e.Stack)))
	}
	if e.Output != "" {
		b.WriteString(section("output of the child process", tail(e.Output)))
	}
	return b.String()
}

func section(title string, lines []string) string {
	return "\n  " + title + ":\n    " + strings.Join(lines, "\n    ")
}

func head(text string) []string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if n := len(lines) - shownLines; n > 0 {
		lines = append(lines[:shownLines:shownLines], fmt.Sprintf("[%d lines left out]", n))
	}
	return lines
}

func tail(text string) []string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if n := len(lines) - shownLines; n > 0 {
		lines = append([]string{fmt.Sprintf("[%d lines left out]", n)}, lines[n:]...)
	}
	return lines
}

// Exit is how a process ended.
type Exit struct {
	Code   int    // -1 when a signal ended it
	Signal string // its name, or ""
}

// ExitOf decodes the state of a process that has ended.
func ExitOf(state *os.ProcessState) Exit {
	e := Exit{Code: state.ExitCode()}
	if w, ok := state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		e.Signal = w.Signal().String()
	}
	return e
}

// String is such as "exit status 3" or "signal: killed".
func (e Exit) String() string {
	if e.Signal != "" {
		return "signal: " + e.Signal
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// Explain says why a child process has ended before what was asked of it was
// done. reached says whether the call was reached in it, as the caller knows
// through a channel of its own; out is the child's output.
func (c *Call) Explain(reached bool, exit Exit, out string) *Error {
	e := &Error{Call: c.id.String(), Output: out}
	if reached {
		e.Kind, e.Detail = whileServing(exit, out)
		return e
	}
	e.Kind = NotReached
	e.Detail = fmt.Sprintf("the child process that runs the test again %s (%s)", beforeCall(c.id, exit, out), exit)
	return e
}

// Ended judges the end of a child process in which all was done: nil, or
// EndedBadly. A parent of the test that failed in the child alone is no
// fault: it goes on after its subtest, in a process in which the others of its
// subtests did not run.
func (c *Call) Ended(exit Exit, out string) *Error {
	if exit == (Exit{}) {
		return nil
	}
	for parent := c.id.Test; exit.Signal == "" && !failed(out, c.id.Test); {
		i := strings.LastIndexByte(parent, '/')
		if i < 0 {
			break
		}
		if parent = parent[:i]; failed(out, parent) {
			return nil
		}
	}
	return &Error{Call: c.id.String(), Kind: EndedBadly, Output: out, Detail: fmt.Sprintf("the function under test returned, "+
		"then the child process ended with %s: a data race was detected, or a goroutine, a Cleanup function, TestMain, "+
		"or the test before the call, failed", exit)}
}

// failed looks for the testing package's report on the test.
func failed(out, test string) bool { return hasLine(out, "--- FAIL: "+test+" (") }

func whileServing(exit Exit, out string) (Kind, string) {
	crash := crashLine(out)
	switch {
	case exit.Signal != "":
		return Killed, "the function under test ended with its process: " + exit.String()
	case strings.HasPrefix(crash, "panic: test timed out after "):
		return TimedOut, "the function under test was still running when the time of the test (-test.timeout) was nearly over"
	case exit.Code == 2 && crash != "":
		return Panicked, "a goroutine that the function under test started ended the process: " + crash
	}
	return Exited, fmt.Sprintf("the function under test ended the process (os.Exit(%d) or the like), or closed the descriptor through which its end is reported", exit.Code)
}

func beforeCall(id ID, exit Exit, out string) string {
	crash := crashLine(out)
	switch {
	case exit.Signal != "":
		return "was killed before it reached the call"
	case strings.Contains(out, "testing: warning: no tests to run"):
		return "did not find the test: its name must be the same in each run, so make it of constants, not of a time, " +
			"a random number or the order of a map, and let what leads to its t.Run be the same in each run"
	case strings.HasPrefix(crash, "panic: test timed out after "):
		return "had not reached the call when the time of the test (-test.timeout) was nearly over"
	case exit.Code == 2 && crash != "":
		return "crashed before it reached the call: " + crash
	case hasLine(out, "--- FAIL"):
		return "failed before it reached the call: what comes before it in the test's body, in its parents and in TestMain " +
			"runs again in each child and must succeed each time"
	case hasLine(out, "PASS"):
		return fmt.Sprintf("passed the test without reaching call %d of it: the test must come to the same calls in each run, "+
			"and not skip itself or return before", id.N)
	}
	return "ended before it reached the call: TestMain, the init functions and the test's body before the call must not end the process in a child"
}

// crashLine is the first line of a panic, or of the runtime's fatal error.
func crashLine(out string) string {
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func hasLine(out, prefix string) bool {
	for line := range strings.Lines(out) {
		if strings.HasPrefix(strings.TrimLeft(line, " "), prefix) {
			return true
		}
	}
	return false
}
