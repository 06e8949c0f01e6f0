package rerun

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

const inputsFlag = "test.testlogfile"

// The go command keeps a result for as long as the variables and files are as
// they were that package os says this process has looked at: package testing
// writes their names to a log, for which the go command gives it a file. So a
// child keeps such a log too, and when it has ended its parent looks at the same
// things.

// inputs are what a child has looked at.
type inputs struct {
	name string            // of the child's log
	read func() *inputsLog // once, when the child has ended
}

// inputsLog is a child's log, each line once, with whole names.
type inputsLog struct {
	wd    string
	known map[string]bool
	lines []string
}

func newInputsLog() *inputsLog { return &inputsLog{wd: process.dir, known: map[string]bool{}} }

// add takes one line. A child that was killed can have written a part of one.
func (l *inputsLog) add(line string) {
	line, whole := strings.CutSuffix(line, "\n")
	op, name, ok := strings.Cut(line, " ")
	switch {
	case !whole || !ok || name == "":
		return
	case op == "chdir":
		l.wd = name // package os makes it absolute
		return
	case op != "getenv" && !filepath.IsAbs(name):
		line = op + " " + filepath.Join(l.wd, name)
	}
	if !l.known[line] {
		l.known[line] = true
		l.lines = append(l.lines, line)
	}
}

// inputsFile is where this process's own log goes, "" where none is kept.
func inputsFile() string {
	f := process.flags.Lookup(inputsFlag)
	if f == nil || f.Value.String() == "" || process.child {
		return ""
	}
	if name := f.Value.String(); filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(process.dir, f.Value.String())
}

// keepInputs has the child keep a log, if this process keeps one.
func keepInputs(cmd *exec.Cmd) *inputs {
	own := inputsFile()
	if own == "" {
		return nil
	}
	in, err := newInputs(filepath.Dir(own))
	if err != nil {
		Uncacheable()
		return nil
	}
	cmd.Args = append(cmd.Args[:1:1], append([]string{"-" + inputsFlag + "=" + in.name}, cmd.Args[1:]...)...)
	return in
}

// Uncacheable has the go command not keep the result of this test binary: what
// it depends on cannot be known. It runs the test the next time.
func Uncacheable() {
	own := inputsFile()
	if own == "" {
		return
	}
	uncacheable.Do(func() {
		// What package testing has open is left to it, and a second run of
		// testing.M finds a file; neither is a log to the go command.
		f, err := os.CreateTemp(filepath.Dir(own), "uncacheable-*")
		if err != nil {
			return
		}
		if f.Close() != nil || os.Rename(f.Name(), own) != nil {
			_ = os.Remove(f.Name())
		}
	})
}

var uncacheable sync.Once

// Account makes what a child that has ended did count for this process: what
// it has covered, and for the go command's cache what it has looked at, but for
// what is below one of the directories, which are never the same again.
func (c *Call) Account(cmd *exec.Cmd, but ...string) {
	if cmd.Process != nil {
		countCovered(cmd.Process.Pid)
	}
	c.mu.Lock()
	in := c.inputs[cmd]
	delete(c.inputs, cmd)
	c.mu.Unlock()
	if in == nil {
		return
	}
	for _, line := range in.read().lines {
		lookAgain(line, but)
	}
}

// LookedAt counts a file that a child has looked at by a call that its package
// os does not know of.
func LookedAt(name string) {
	if inputsFile() != "" {
		lookAgain("open "+name, nil)
	}
}

var looked sync.Map // by line

// lookAgain does what a line of a child's log says.
func lookAgain(line string, but []string) {
	op, name, _ := strings.Cut(line, " ")
	if op == "getenv" {
		_ = os.Getenv(name)
		return
	}
	for _, dir := range append([]string{"/proc", "/sys", "/dev"}, but...) {
		if name == dir || strings.HasPrefix(name, dir+string(filepath.Separator)) {
			return
		}
	}
	if _, before := looked.LoadOrStore(line, true); before {
		return
	}
	st, err := os.Stat(name)
	if op != "open" || err != nil || !st.Mode().IsRegular() && !st.IsDir() {
		return
	}
	if f, err := os.Open(name); err == nil { // no FIFO, which would be waited for
		_ = f.Close()
	}
}
