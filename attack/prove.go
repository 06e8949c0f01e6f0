package attack

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/internal/leftover"
	"github.com/tmpproof/tmpproof/internal/rerun"
)

// Environment variables. They are not flags: `go test ./...` hands a flag to
// packages that do not know it, and Go's test cache knows which variables a
// test has read.
const (
	envReplay = "TMPPROOF_REPLAY" // a schedule: run just this one
	envStrict = "TMPPROOF_STRICT" // 1: fail where the mechanism is missing, instead of skipping
)

// Prove tries every schedule of the attacker's moves, up to the depth, over
// every system call of the victim that names something in the scene. It fails
// the test when one of them breaks the victim, or when the proof could not be
// completed; it passes only when every schedule was run and left everything
// true that the package documentation lists.
//
// The test is run again in child processes, up to this call: see the package
// documentation for what that means for the code before it. Prove needs Linux
// 5.10 or later on amd64 or arm64; elsewhere, or where a sandbox refuses the
// mechanism, it skips the test with the reason, or fails it with
// TMPPROOF_STRICT=1. With Fake it works anywhere, in this process.
func Prove(t *testing.T, victim Victim, opts ...Option) *Report {
	t.Helper()
	return perform(t, prove, victim, opts)
}

// Faults lets each system call of the victim that concerns the scene fail,
// once with each error that its manual page names, and again with every later
// call failing too, so that the clean-up fails as well. The victim must then
// return an error or keep its promise, leave nothing in Dir but its targets
// and each of those whole, and come back. The package documentation has the
// list.
//
// How the test is run again, what is needed, and when it is skipped: as for
// Prove.
func Faults(t *testing.T, victim Victim, opts ...Option) *Report {
	t.Helper()
	return perform(t, faults, victim, opts)
}

// Kills ends the victim before each of its system calls that concern the
// scene: by SIGKILL, by SIGTERM and SIGINT where it handles them, and by a
// panic and runtime.Goexit at the operations of Scene.FS and at Scene.Point.
// What is left in Dir must be private, and each target as it was before or
// whole; temporary files that stay are found too (R06, R07). The package
// documentation has the list.
//
// How the test is run again, what is needed, and when it is skipped: as for
// Prove.
func Kills(t *testing.T, victim Victim, opts ...Option) *Report {
	t.Helper()
	return perform(t, kills, victim, opts)
}

// verb is the way in which a victim is tried: the name of the function that
// the test called.
type verb string

const (
	prove  verb = "Prove"
	faults verb = "Faults"
	kills  verb = "Kills"
	race   verb = "Race"
)

func (v verb) String() string { return "attack." + string(v) }

// injects is true for the verbs that decide what becomes of a call, where the
// others move at it.
func (v verb) injects() bool { return v == faults || v == kills }

// perform is what the verbs have in common.
func perform(t *testing.T, how verb, victim Victim, opts []Option) *Report {
	t.Helper()
	begin := time.Now()
	opt, err := newOptions(how, opts)
	if victim == nil {
		err = errors.Join(errors.New("the victim is nil"), err)
	}
	if err != nil {
		t.Fatalf("%v: %v", how, err)
	}
	call, err := opt.enter(t)
	if err != nil {
		t.Fatalf("%v: %v", how, err)
	}
	switch call.Role() {
	case rerun.Child:
		serve(t, call, victim, opt)
	case rerun.Other:
		report := &Report{}
		data, ok := call.Earlier()
		if !ok || json.Unmarshal(data, report) != nil {
			t.SkipNow()
		}
		return report
	}
	if !opt.fake && rerun.Supervised() {
		return leftToIt(t, call, how)
	}
	if missing := mechanism(); missing != "" && !opt.fake {
		giveUp(t, how, missing)
	}
	report := &Report{}
	if opt.shard, err = shardOf(os.Getenv); err != nil {
		t.Fatalf("%v: %v", how, err)
	}
	report.Shard = opt.shard.String()
	schedule, mine := replayFor(os.Getenv(envReplay), call.ID().N)
	if !mine {
		call.Finish([]byte("{}"))
		return report
	}
	if schedule != "" {
		opt.replay = schedule
	}
	if !opt.fake {
		runtime.LockOSThread() // the children die with the thread that started them
		defer runtime.UnlockOSThread()
	}
	opt.setBudget(t, proofBudget)
	e := &explorer{opt: opt, test: t.Name(), report: report, found: &findings{groups: map[string]*group{}},
		deadline: begin.Add(opt.budget), progress: progress(t, begin)}
	e.open = func(s start) (world, error) { return openOS(t, call, opt, s, e.deadline) }
	e.settle = func() (place, error) { return newPlace(opt) }
	if opt.fake {
		defer call.Here()()
		e.open = func(start) (world, error) { return openFake(t, victim, opt, e.deadline) }
		e.settle = nil
	}
	err = e.explore()
	err = errors.Join(err, e.closeWorlds())
	if un := (*unsupportedError)(nil); errors.As(err, &un) {
		giveUp(t, how, un.Error())
	}
	if err != nil {
		e.problem("%v", err)
	}
	e.finish()
	report.Elapsed = time.Since(begin)
	if data, err := json.Marshal(report); err == nil {
		call.Finish(data)
	}
	e.verdict(t, call.ID().N)
	e.artifacts(t, call.ID().N)
	return report
}

// enter is the entry to a verb. In a fuzzing worker only the disk in memory needs
// no second process.
func (o *options) enter(t *testing.T) (*rerun.Call, error) {
	if o.fake {
		return rerun.EnterHere(t)
	}
	call, err := rerun.Enter(t)
	if errors.Is(err, rerun.ErrFuzzed) {
		err = fmt.Errorf("%w; or fuzz code that works through Scene.FS, with attack.Fake()", err)
	}
	return call, err
}

// giveUp ends a test that cannot be proved here.
func giveUp(t testing.TB, how verb, reason string) {
	t.Helper()
	if os.Getenv(envStrict) == "1" {
		t.Fatalf("%v cannot work here (%s=1 asks that it must): %s", how, envStrict, reason)
	}
	t.Skipf("%v cannot work here: %s", how, reason)
}

// unsupportedError says that the mechanism is missing.
type unsupportedError struct{ reason string }

func (e *unsupportedError) Error() string { return e.reason }

// progress prints a line every second under -v. What further schedules the
// known ones will show is not in the time that is left.
func progress(t testing.TB, begin time.Time) func(done, known int) {
	due := everySecond(begin)
	return func(done, known int) {
		if took, ok := due(); ok {
			rate := float64(done) / took.Seconds()
			fmt.Fprintf(t.Output(), "%d of %d known schedules, %.0f a second, %v left\n", done, known, rate, time.Duration(float64(known-done)/rate*float64(time.Second)).Round(time.Second))
		}
	}
}

// everySecond says when a line is due under -v, and how long it took so far.
func everySecond(begin time.Time) func() (took time.Duration, due bool) {
	next := begin.Add(time.Second)
	return func() (time.Duration, bool) {
		if !testing.Verbose() {
			return 0, false
		}
		now := time.Now()
		if now.Before(next) {
			return 0, false
		}
		next = now.Add(time.Second)
		return now.Sub(begin), true
	}
}

// A replay is meant for one call: "2#schedule" for the second of its test,
// the schedule alone for the first.
func replayFor(v string, n int) (schedule string, mine bool) {
	if v == "" {
		return "", true
	}
	var which int
	if num, rest, ok := strings.Cut(v, "#"); ok {
		if _, err := fmt.Sscanf(num, "%d", &which); err == nil {
			return rest, which == n
		}
	}
	return v, n == 1
}

// verdict fails the test where the report asks for it.
func (e *explorer) verdict(t *testing.T, n int) {
	t.Helper()
	report := e.report
	if len(report.Problems) > 0 {
		t.Errorf("%v of %s is inconclusive, which proves nothing%s:\n  - %s", e.opt.verb, t.Name(), report.ofShard(), problemsText(report.Problems))
	}
	failing, warnings := e.opt.divide(report.Findings)
	switch {
	case e.opt.reportOnly:
	case e.opt.expects:
		e.verdictExpected(t, failing)
	case len(failing) > 0:
		t.Error(reportText(e.opt.verb, t.Name(), n, report))
	}
	if len(warnings) > 0 && !e.opt.reportOnly && (e.opt.expects || len(failing) == 0) { // else they stand there already
		t.Log(warningText(e.opt.verb, t.Name(), n, warnings))
	}
	if !testing.Verbose() {
		return
	}
	text := report.assumedText()
	if !t.Failed() {
		text = report.summary() + "\n" + text
	}
	if text = strings.TrimSpace(text); text != "" {
		t.Log(text)
	}
}

// summary is what a clean report says under -v.
func (r *Report) summary() string {
	twice, first := "", ""
	if r.Repeated {
		twice = " (each one twice: before Linux 5.19 a signal can show a call twice)"
	}
	if why := r.untried(); why != "" && len(r.Findings) == 0 {
		first = "nothing was tried: " + why + "\n"
	}
	return first + fmt.Sprintf("%d boundaries, %d schedules%s%s, %d findings, %v", r.Boundaries, r.Schedules, r.ofShard(), twice, len(r.Findings), r.Elapsed.Round(100*time.Microsecond))
}

// verdictExpected compares the rules that were found with those of Expect.
func (e *explorer) verdictExpected(t *testing.T, found []Finding) {
	t.Helper()
	want, got := map[string]bool{}, map[string]bool{}
	for _, r := range e.opt.expect {
		want[r.ID()] = true
	}
	for _, f := range found {
		got[f.Rule.ID()] = true
	}
	var lines []string
	for _, r := range e.opt.expect {
		if !got[r.ID()] && e.report.Ended {
			continue // one of them was enough
		}
		if !got[r.ID()] && e.report.Shard != "" {
			t.Logf("expected but not found%s: %s; another one may find it", e.report.ofShard(), r)
			continue
		}
		if !got[r.ID()] {
			lines = append(lines, "expected but not found: "+r.String())
		}
	}
	for _, f := range found {
		if !want[f.Rule.ID()] {
			lines = append(lines, "found but not expected: "+f.String())
		}
	}
	if len(lines) > 0 {
		t.Errorf("%v of %s did not find exactly what Expect names:\n%s", e.opt.verb, t.Name(), strings.Join(lines, "\n"))
	}
}

// maxShown bounds the findings that are printed in full.
const maxShown = 12

func reportText(how verb, test string, n int, report *Report) string {
	ended := ""
	if report.Ended {
		ended = "; the search ended at the first one (FirstFinding, -failfast)"
	}
	return fmt.Sprintf("%v: %s is broken: %d findings in %d schedules over %d boundaries%s%s\n", how, test, len(report.Findings), report.Schedules, report.Boundaries, report.ofShard(), ended) +
		findingsText(test, n, report.Findings)
}

// warningText is for findings that do not fail the test.
func warningText(how verb, test string, n int, warnings []Finding) string {
	return fmt.Sprintf("%v: %s: %s, which the rule book has as advice; the option Strict makes them fail the test\n", how, test, leftover.Count(len(warnings), "warning", "warnings")) +
		findingsText(test, n, warnings)
}

func findingsText(test string, n int, findings []Finding) string {
	var b strings.Builder
	for i, f := range findings {
		if i == maxShown {
			fmt.Fprintf(&b, "... and %d more\n", len(findings)-maxShown)
			break
		}
		fmt.Fprintf(&b, "\n%s", f)
		if f.Schedule != "" {
			fmt.Fprintf(&b, "    %s\n", replayCommand(test, n, f.Schedule))
		}
	}
	return b.String()
}

// divide parts the findings that fail a test from those that are logged.
func (o *options) divide(all []Finding) (failing, warnings []Finding) {
	for _, f := range all {
		if o.fails(f.Rule) {
			failing = append(failing, f)
		} else {
			warnings = append(warnings, f)
		}
	}
	return failing, warnings
}

// problemsText is the list of what was not tried, and why, bounded as findings are.
func problemsText(problems []string) string {
	text := strings.Join(problems[:min(len(problems), maxShown)], "\n  - ")
	if n := len(problems) - maxShown; n > 0 {
		text += fmt.Sprintf("\n  - ... and %d more", n)
	}
	return text
}
