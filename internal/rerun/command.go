package rerun

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Command prepares a child process that runs this test of this binary again
// and reaches this call with the role Child. It is not started.
//
// The directory is the one that this process was started in, the environment
// that of now. Output and error output go to the returned Output, standard
// input has the results of earlier calls, or is the null device when there are
// none. On Unix the child leads a process group of its own; on Linux it gets
// SIGKILL when the thread that started it ends, so start it from a goroutine
// that is locked to a thread which lives as long as the child is wanted.
//
// The process that prepares the child must also be the one that starts it, and
// says by Account that it has ended, or could not be started.
// SysProcAttr, Env, ExtraFiles, Stdout and Stderr may be changed before.
func (c *Call) Command() (*exec.Cmd, *Output, error) {
	return c.command(ticket{})
}

// command fills in the ticket, of which only result is taken as given.
func (c *Call) command(k ticket) (*exec.Cmd, *Output, error) {
	if c.role != Parent {
		return nil, nil, errRole
	}
	earlier, err := c.earlierResults()
	if err != nil {
		return nil, nil, err
	}
	k.call, k.earlier = c.id, len(earlier)
	cmd, out, err := again(k, c.timeout())
	if err != nil {
		return nil, nil, err
	}
	if len(earlier) > 0 {
		cmd.Stdin = bytes.NewReader(earlier)
	}
	if in := keepInputs(cmd); in != nil {
		c.mu.Lock()
		c.inputs[cmd] = in
		c.mu.Unlock()
	}
	return cmd, out, nil
}

// Whole prepares a child process that runs the named test of this binary again
// from its beginning to its end, with all that is below it; a benchmark is run
// once (-test.benchtime=1x). It is a child as Command's is, but serves no call: each call of a verb in it has the role
// Other. limit is its -test.timeout, 0 for none. In the child, IsWhole is
// true.
func Whole(test string, limit time.Duration) (*exec.Cmd, *Output, error) {
	return again(ticket{call: ID{Test: test}}, limit)
}

// again prepares the process that the ticket is for.
func again(k ticket, limit time.Duration) (*exec.Cmd, *Output, error) {
	if process.dirErr != nil {
		return nil, nil, fmt.Errorf("rerun: the directory that the test was started in: %w", process.dirErr)
	}
	if _, err := os.Stat(process.dir); err != nil {
		return nil, nil, fmt.Errorf("rerun: the directory that the test was started in is gone: %w", err)
	}
	path, err := executable()
	if err != nil {
		return nil, nil, err
	}
	k.parent = os.Getpid()
	out := new(Output)
	cmd := &exec.Cmd{
		Path:      path,
		Args:      args(k.call.Test, limit),
		Env:       environ(os.Environ(), process.dir, k),
		Dir:       process.dir,
		Stdout:    out,
		Stderr:    out,
		WaitDelay: waitDelay,
	}
	prepare(cmd)
	return cmd, out, nil
}

// executable is a name of this very program. A test binary may be removed, or
// built anew in its place, while it runs; on Linux the kernel's link still
// leads to the right one.
func executable() (string, error) {
	if runtime.GOOS == "linux" {
		const self = "/proc/self/exe"
		if _, err := os.Stat(self); err == nil {
			return self, nil
		}
	}
	path, err := os.Executable()
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return "", fmt.Errorf("rerun: the test binary, to run it again: %w", err)
	}
	return path, nil
}

// earlierResults is what origin.readEarlier reads.
func (c *Call) earlierResults() ([]byte, error) {
	calls.Lock()
	defer calls.Unlock()
	results := map[string][]byte{}
	for id, data := range calls.finished {
		if id.root() == c.id.root() {
			results[id.key()] = data
		}
	}
	if len(results) == 0 {
		return nil, nil
	}
	data, err := json.Marshal(results)
	if err == nil && len(data) > maxTransfer {
		err = fmt.Errorf("the results of earlier calls of %s have %d bytes, more than %d", c.id.root(), len(data), maxTransfer)
	}
	if err != nil {
		return nil, fmt.Errorf("rerun: %w", err)
	}
	return data, nil
}

// args is the child's command line: the flags that select and bound this one
// test, then what this process was given by its user.
func args(test string, limit time.Duration) []string {
	args := []string{
		slices.Concat(process.args, []string{"test"})[0],
		"-test.run=" + Pattern(test),
		"-test.cpu=" + strconv.Itoa(runtime.GOMAXPROCS(0)),
		"-test.timeout=" + limit.String(),
	}
	if strings.HasPrefix(test, "Benchmark") {
		args[1] = "-test.run=^$"
		args = append(args, "-test.bench="+Pattern(test), "-test.benchtime=1x")
	}
	if len(process.args) == 0 {
		return args
	}
	return append(args, passedOn(process.args[1:], process.flags)...)
}

// inheritedTestFlags are the flags of the testing package that mean the same
// in the child. The others select tests, repeat them, or name files that the
// child must not write, or are for the go command's own use.
var inheritedTestFlags = []string{"test.short", "test.parallel", coverFlag, "test.fullpath"}

// passedOn is args without the testing package's flags that are not for the
// child. It reads them as the flag package does, and keeps the words of the
// user's flags as they are: a flag's value need not survive a round trip
// through its String method.
func passedOn(args []string, flags *flag.FlagSet) []string {
	var kept []string
	for i := 0; i < len(args); {
		arg := args[i]
		if len(arg) < 2 || arg[0] != '-' || arg == "--" {
			return append(kept, args[i:]...)
		}
		name, _, hasValue := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		n := 1
		if !hasValue && takesValue(flags.Lookup(name)) && i+1 < len(args) {
			n = 2
		}
		if !strings.HasPrefix(name, "test.") || slices.Contains(inheritedTestFlags, name) {
			kept = append(kept, args[i:i+n]...)
		}
		i += n
	}
	return kept
}

func takesValue(f *flag.Flag) bool {
	if f == nil {
		return false
	}
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return !ok || !b.IsBoolFlag()
}

type deadliner interface {
	Deadline() (time.Time, bool)
}

// left is the time until the test's deadline, where it has one.
func (c *Call) left() (time.Duration, bool) {
	d, ok := c.t.(deadliner)
	if !ok {
		return 0, false
	}
	at, ok := d.Deadline()
	return max(time.Until(at), time.Second), ok
}

// margin is what the parent keeps of the time that is left.
func margin(left time.Duration) time.Duration { return min(left/10, 5*time.Second) }

// timeout is the child's -test.timeout, 0 for none. It ends before the
// parent's, whose end would take the child's report with it.
func (c *Call) timeout() time.Duration {
	left, ok := c.left()
	if !ok {
		return 0
	}
	return (left - margin(left)).Round(time.Millisecond)
}

// dropped are variables that the child must not see: the shard and filter of
// a run under Bazel are the parent's, and so are the files through which it
// reports to Bazel.
var dropped = []string{
	Variable, "TEST_TOTAL_SHARDS", "TEST_SHARD_INDEX", "TEST_SHARD_STATUS_FILE",
	"TESTBRIDGE_TEST_ONLY", "TEST_PREMATURE_EXIT_FILE",
}

// environ is the child's environment. Asynchronous preemption is off since
// its signals interrupt system calls that a supervisor holds; the race
// detector's second of sleep at the end is left out.
func environ(env []string, dir string, k ticket) []string {
	for _, name := range dropped {
		env = without(env, name)
	}
	env = merge(env, "GODEBUG", ",", "asyncpreemptoff=1")
	env = merge(env, "GORACE", " ", "atexit_sleep_ms=0")
	if runtime.GOOS != "windows" {
		env = append(without(env, "PWD"), "PWD="+dir)
	}
	return append(env, Variable+"="+k.String())
}

// without is env less all settings of the variable.
func without(env []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(s string) bool { return isVariable(s, name) })
}

func isVariable(setting, name string) bool {
	got, _, ok := strings.Cut(setting, "=")
	return ok && (got == name || runtime.GOOS == "windows" && strings.EqualFold(got, name))
}

// merge makes option the last one of a variable that lists options, where
// the last of two contradicting ones holds.
func merge(env []string, name, separator, option string) []string {
	value := option
	for _, setting := range env {
		if isVariable(setting, name) {
			if _, old, _ := strings.Cut(setting, "="); old != "" {
				value = old + separator + option
			}
		}
	}
	return append(without(env, name), name+"="+value)
}
