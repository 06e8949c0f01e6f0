//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// result is what a test binary printed, test by test.
type result struct {
	raw    []byte
	status int
	ends   map[string]string   // test -> pass, fail, skip
	lines  map[string][]string // test -> its output
	counts map[string]int      // test -> how often it ended
}

// parse reads the output of a test binary that was run with -test.v=test2json.
func parse(out []byte, status int) (result, error) {
	cmd := exec.Command("go", "tool", "test2json")
	cmd.Stdin = bytes.NewReader(out)
	events, err := cmd.Output()
	if err != nil {
		return result{}, fmt.Errorf("go tool test2json: %w", err)
	}
	r := result{raw: out, status: status, ends: map[string]string{}, lines: map[string][]string{}, counts: map[string]int{}}
	for line := range bytes.Lines(events) {
		var e struct{ Action, Test, Output string }
		if err := json.Unmarshal(line, &e); err != nil {
			return r, fmt.Errorf("go tool test2json: %w", err)
		}
		switch e.Action {
		case "output":
			r.lines[e.Test] = append(r.lines[e.Test], e.Output)
		case "pass", "fail", "skip":
			if e.Test != "" {
				r.counts[e.Test]++
				if r.ends[e.Test] != "fail" {
					r.ends[e.Test] = e.Action
				}
			}
		}
	}
	return r, nil
}

// elapsed matches what may differ between two runs: time, the lines that a
// run prints while it takes its time, and that a kernel needed a second run.
var elapsed = regexp.MustCompile(`(?m), ([0-9]+[hm])*[0-9.]+[nµm]?s$| \([0-9.]+s\)$|^.* known schedules, .*\n| \(each one twice: [^)]*\)|^=== (NAME|CONT|PAUSE|RUN) .*\n`)

// shell is the program that /bin/sh is, where it makes a call; the columns of
// an interleaving are as wide as its name has them.
var (
	shell  = regexp.MustCompile(`(?m)^( +)(bash|busybox|dash): `)
	spaces = regexp.MustCompile(`(?m) +(\||$)`)
)

// text is what a test printed, without what may differ.
func (r result) text(test string) string {
	s := elapsed.ReplaceAllString(strings.Join(r.lines[test], ""), "")
	if shell.MatchString(s) {
		s = spaces.ReplaceAllString(shell.ReplaceAllString(s, "${1}sh: "), "$1")
	}
	return s
}

func (r result) tests() []string {
	var names []string
	for name := range r.ends {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// difference says where the tests of r end otherwise, or print something
// else, than those of want. Of those that either skips it says nothing.
func (r result) difference(want result) string {
	var b strings.Builder
	const most = 3
	n := 0
	for _, name := range want.tests() {
		if r.ends[name] == "skip" || want.ends[name] == "skip" {
			continue
		}
		got, text := r.text(name), want.text(name)
		if got == text && r.ends[name] == want.ends[name] {
			continue
		}
		if n++; n <= most {
			fmt.Fprintf(&b, "%s: %s here, %s there\n%s", name, want.ends[name], r.ends[name], firstDifference(text, got))
		}
	}
	if n > most {
		fmt.Fprintf(&b, "... and %d tests more\n", n-most)
	}
	return b.String()
}

// firstDifference shows the first line that differs, with those around it.
func firstDifference(here, there string) string {
	a, b := strings.Split(here, "\n"), strings.Split(there, "\n")
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	around := func(lines []string) string { return strings.Join(lines[max(0, i-6):min(len(lines), i+4)], "\n") }
	return fmt.Sprintf("--- here, line %d\n%s\n--- there\n%s\n", i+1, around(a), around(b))
}

// tail is the end of the output.
func (r result) tail() string {
	lines := strings.Split(strings.TrimSpace(string(r.raw)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// A skip that is no failure: the guest has no compiler and no go command, a
// test is another's half, or the user lacks the power that it is about.
var skips = []struct {
	test, reason *regexp.Regexp
	parts        []part // in which it is none; nil: in all
}{
	{regexp.MustCompile(`.`), regexp.MustCompile(`left out with -short|not with -short`), []part{short}},
	{regexp.MustCompile(`.`), regexp.MustCompile(`run with TMPPROOF_LONG=1`), []part{short, usual}},
	{regexp.MustCompile(`^Test(Lines|NoCallForgotten|Cover|Other)`), regexp.MustCompile(`needs the go command`), nil},
	{regexp.MustCompile(`^Test(Programs|Cgo|Lines|Other)`), regexp.MustCompile(`there is no gcc here|needs the go command`), nil},
	{regexp.MustCompile(`^TestGoTest$`), regexp.MustCompile(`needs the go command`), nil}, // of tmpleak
	{regexp.MustCompile(`^TestLines/`), regexp.MustCompile(`only with TEST_SUPERVISE_BUILDS=1`), nil},
	{regexp.MustCompile(`^TestRefused/table$`), regexp.MustCompile(`on this architecture the stack is walked without a table`), nil},
	{regexp.MustCompile(`^Test(Misbehave|Elsewhere)`), regexp.MustCompile(`only root can do this`), nil},
	{regexp.MustCompile(`.`), regexp.MustCompile(`run by Test\w+, in a process of its own|it is the one who starts them|it is for the child`), nil},
	{regexp.MustCompile(`^TestPair`), regexp.MustCompile(`cannot be called \(root and a mount namespace of its own are needed\)`), nil},
}

// excused says that a skip is on the list.
func (r result) excused(test string, of part) bool {
	text := strings.Join(r.lines[test], "")
	for _, s := range skips {
		if s.test.MatchString(test) && s.reason.MatchString(text) && (s.parts == nil || slices.Contains(s.parts, of)) {
			return true
		}
	}
	return false
}

// refuses says that the kernel's setting forbids the parent to read its
// child's memory.
func refuses(c cell) bool { return c.yama == 3 || c.yama == 2 && c.user != 0 }

// judge holds a run in a guest against what it must be.
func judge(c cell, r result, of part) []string {
	if r.status == 125 {
		return []string{r.tail()}
	}
	if refuses(c) {
		return judgeRefused(r)
	}
	var faults []string
	passed := 0
	for _, name := range r.tests() {
		switch r.ends[name] {
		case "fail":
			faults = append(faults, name+" failed:\n"+strings.TrimRight(strings.Join(r.lines[name], ""), "\n"))
		case "skip":
			if !r.excused(name, of) {
				faults = append(faults, name+" was skipped, which is not on the list:\n"+strings.TrimSpace(strings.Join(r.lines[name], "")))
			}
		default:
			passed++
		}
	}
	switch {
	case len(faults) == 0 && r.status != 0:
		faults = append(faults, fmt.Sprintf("exit status %d:\n%s", r.status, r.tail()))
	case passed == 0 && len(faults) == 0:
		faults = append(faults, "no test passed:\n"+r.tail())
	}
	return faults
}

// judgeRefused: every proof fails with the setting's name, since strictness
// was asked for; none is clean.
func judgeRefused(r result) []string {
	var faults []string
	failed := 0
	for _, name := range r.tests() {
		text := strings.Join(r.lines[name], "")
		switch {
		case r.ends[name] == "fail":
			failed++
			if strings.Contains(text, ".go:") && !strings.Contains(text, "Yama's ptrace_scope") {
				faults = append(faults, name+" failed, but not for ptrace_scope:\n"+text)
			}
		case proved.MatchString(text):
			faults = append(faults, name+" gives a verdict where no memory could be read:\n"+text)
		}
	}
	if failed == 0 {
		faults = append(faults, "nothing was refused:\n"+r.tail())
	}
	return faults
}

// proved matches the line of a proof that was completed.
var proved = regexp.MustCompile(`(\d+) boundaries, (\d+) schedules`)

// outcome is a row of the table.
type outcome struct {
	cell
	part                                  part
	multi                                 bool
	times                                 int
	scene                                 string
	tests, skipped, boundaries, schedules int
}

func (o *outcome) count(r result) {
	for _, name := range r.tests() {
		if r.ends[name] == "skip" {
			o.skipped++
		} else {
			o.tests++
		}
		for _, m := range proved.FindAllStringSubmatch(strings.Join(r.lines[name], ""), -1) {
			b, _ := strconv.Atoi(m[1])
			s, _ := strconv.Atoi(m[2])
			o.boundaries += b
			o.schedules += s
		}
	}
}
