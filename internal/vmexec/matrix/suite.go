//go:build linux

package main

import (
	"fmt"
)

// suite is a set of tests that is run on each kernel.
type suite struct {
	name, dir, run string
	alike          bool // prints the same on each kernel
	shell          bool // starts a shell, whose name is printed: here it must be the guest's
	// beside are programs that its tests build where there is a go command: the
	// arguments of go that build one, by its name.
	beside map[string][]string
	dirVar string // names the directory that they are in
}

var suites = []suite{
	{name: "supervise", dir: "internal/supervise"},
	{name: "rerun", dir: "internal/rerun"},
	{name: "oracles", dir: "attack", run: "^TestOracles$", alike: true},
	{name: "checks", dir: "attack", run: "^TestOracles$/^check", alike: true}, // a part of them
	{name: "signals", dir: "attack", run: "^TestUnderSignals$", alike: true},
	{name: "older", dir: "attack", run: "^TestOlder"},
	{name: "leakcheck", dir: "leakcheck"},
	{name: "tmpleak", dir: "leakcheck/cmd/tmpleak", dirVar: "TEST_TMPLEAK_BUILT", beside: map[string][]string{
		"ways.test": {"test", "-c", "-vet=off", "./testdata/ways"},
		"touch":     {"build", "-buildvcs=false", "./testdata/touch"},
	}},
	{name: "guideline", dir: "examples/guideline", run: "^Test(Incorrect|Correct)$", alike: true, shell: true},
	{name: "errors", dir: "examples/guideline", run: "^TestInTheFaceOfErrors$", alike: true},
	{name: "worlds", dir: "examples/guideline", run: "^TestBothWorlds$", alike: true},
	{name: "faults", dir: "attack", run: "^Test(Faults|Kills)$", alike: true, shell: true},
	{name: "race", dir: "attack", run: "^TestRace"},
	{name: "pairs", dir: "attack", run: "^TestPair", alike: true, shell: true},
	{name: "safe", dir: "examples/safe", run: "^Test(Safe|Unsafe|Behind.*|BothWorlds)$", alike: true, shell: true},
	{name: "misbehave", dir: "attack", run: "^TestMisbehav", alike: true, shell: true},
}

// part says how much of a suite is run.
type part string

const (
	usual part = "" // what the package's tests are by themselves
	short part = "short"
	long  part = "long"
)

// quick is the part of a suite that each run of the gate takes.
var quick = map[string]string{
	"supervise": "^Test(Calls|Sets|Follow|Signal|KillAtBoundary|Replaced|OwnProgram|Refused|AnswerStat|AllThreads|Execs|Signals|Messages|Answers|ChildEnds|Arrived|Disturbed)$",
	"errors":    "^TestInTheFaceOfErrors$/^temporaryFile",
	"oracles":   "^TestOracles$/^(check|a_random|pid|foretold|CreateTemp_and)",
}

// cell is one run: a suite on a kernel, as a user, under settings.
type cell struct {
	series, arch string
	suite        suite
	user         int
	settings     string // a name of settings
	yama         int    // -1: as the kernel has it
}

// settings by name, from the kernel's laxest to its strictest.
var settings = map[string]string{
	"off":    "fs.protected_symlinks=0 fs.protected_hardlinks=0 fs.protected_regular=0 fs.protected_fifos=0",
	"strict": "fs.protected_symlinks=1 fs.protected_hardlinks=1 fs.protected_regular=2 fs.protected_fifos=2",
}

func (c cell) String() string {
	s := fmt.Sprintf("%s/%s %s uid=%d protected=%s", c.series, c.arch, c.suite.name, c.user, c.settings)
	if c.yama >= 0 {
		s += fmt.Sprintf(" ptrace_scope=%d", c.yama)
	}
	return s
}
