package attack

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// Race runs the victim again and again while threads of the attacker act on
// its names at moments of their own: they plant, remove and exchange entries,
// and lead it through mazes of symbolic links that make a lookup slow
// (Borisov, Johnson, Sastry, Wagner: Fixing Races for Fun and Profit, USENIX
// Security 2005). It is for what Prove cannot reach: what lies inside one
// system call, and systems on which calls cannot be stopped.
//
// A race is luck, and its verdict says so. Damage is damage, and fails the
// test. A race without a win proves nothing: RaceReport.High is the greatest
// probability of a win in one attempt that so many attempts without one still
// allow, 3/n with 95 % confidence. Code that gives the attacker nothing to act
// on passes, and the report says so (RaceReport.Untried).
//
// The same options hold as for Prove, with these differences: the race goes
// on for the Budget, three seconds unless said otherwise, but for 20 attempts at
// least, or for as many as Schedules allows; which damage a broken victim shows first is
// luck as well, so that Expect is content with one of its rules, ends the race
// there, and lets no other pass; Depth has no meaning. Replay is refused:
// nothing repeats a race.
// What needs the trace of calls is not judged: C01, C03, C06, C10, R14, and
// X04 by the mode bits of the victim's files. A target whose content is not the
// same in each undisturbed run is not compared.
//
// The attacker acts on the names of Target that are no patterns, and on those
// that show in Scene.Dir in undisturbed runs and can be foretold. The victim
// runs in a child process, as under Prove, with at most 10 seconds for one
// run. Where the test runs as root, and the system's fs.protected_* settings
// are off, the attacker's entries bear another user's id; elsewhere both
// sides have one, and code that is safe because it looks at the owner of what
// it finds is broken by mistake: the report says which it was.
//
// With Fake the attacker draws lots before each operation of the victim: whether
// to act, and which of the moves to make, as often as luck has it. That goes
// beyond the depth of Prove, which is sure within it, and reaches nothing inside
// one operation, since those of package fsfake have no inside. The lots are the
// same each time, and with them the report. A schedule that won is in its
// finding; Prove with Fake and Replay repeats it. What Prove judges by the trace
// is judged there as well.
//
// Race needs Linux, and with Fake nothing. Elsewhere it skips the test with the
// reason.
func Race(t *testing.T, victim Victim, opts ...Option) *RaceReport {
	t.Helper()
	begin := time.Now()
	opt, err := newOptions(race, opts)
	if err == nil {
		err = opt.refuseForRace()
	}
	if victim == nil {
		err = errors.Join(errors.New("the victim is nil"), err)
	}
	if err != nil {
		t.Fatalf("attack.Race: %v", err)
	}
	call, err := opt.enter(t)
	if err != nil {
		t.Fatalf("attack.Race: %v", err)
	}
	switch call.Role() {
	case rerun.Child:
		serveRace(t, call, victim, opt)
	case rerun.Other:
		report := &RaceReport{}
		data, ok := call.Earlier()
		if !ok || json.Unmarshal(data, report) != nil {
			t.SkipNow()
		}
		return report
	}
	if missing := raceMissing(); missing != "" && !opt.fake {
		giveUp(t, race, missing)
	}
	if opt.shard, err = shardOf(os.Getenv); err != nil {
		t.Fatalf("attack.Race: %v", err)
	}
	opt.setBudget(t, raceBudget)
	e := &explorer{opt: opt, test: t.Name(), report: &Report{}, odds: &RaceReport{Shard: opt.shard.String()},
		found: &findings{groups: map[string]*group{}}, deadline: begin.Add(opt.budget)}
	believed := true
	if opt.fake {
		defer call.Here()()
		// The last attempt is not cut off by the end of the budget.
		e.open = func(start) (world, error) { return openFake(t, victim, opt, e.deadline.Add(grace+2*runWait)) }
		err = e.raceOnFake(raceProgress(t, begin))
	} else {
		runtime.LockOSThread() // the child dies with the thread that started it
		defer runtime.UnlockOSThread()
		believed, err = runRace(e, call, lineOfFunc(victim), raceProgress(t, begin))
	}
	if err != nil {
		e.problem("%v", err)
	}
	e.finish()
	report := e.odds
	report.Findings, report.Problems, report.Elapsed = e.report.Findings, e.report.Problems, time.Since(begin)
	e.report.Complete, e.report.Shard, e.report.Elapsed = false, report.Shard, report.Elapsed
	e.report.Schedules = report.Attempts
	if data, err := json.Marshal(report); err == nil {
		call.Finish(data)
	}
	(&raceVerdict{e, believed}).tell(t)
	e.artifacts(t, call.ID().N)
	return report
}

// refuseForRace names the options that have no meaning in a race.
func (o *options) refuseForRace() error {
	if o.replay != "" {
		return errors.New("Replay: a race cannot be repeated; attack.Prove repeats a schedule")
	}
	return nil
}

// RaceReport is what a race came to. Wins <= Hits <= Attempts.
type RaceReport struct {
	Findings []Finding
	Attempts int // runs of the victim with the attacker at work
	Hits     int // of these: something of the attacker's happened between the victim's start and its return, or was won
	Wins     int // of these: damage
	Void     int // attempts that do not count: a thread came too late and acted beyond the attacker's powers
	// Low and High bound the probability that one attempt wins, as far as
	// Attempts and Wins tell, with 95 % confidence each. For no win, High is
	// close to 3/Attempts (the rule of three).
	Low, High float64
	// Untried says why the attacker could do nothing, "" where it could: then the
	// race passes, and its numbers say nothing.
	Untried  string
	Elapsed  time.Duration
	Problems []string // why it is inconclusive: the race could not be run
	Shard    string   // "1/2" where the attempts are split among processes
}

// count takes an attempt over.
func (r *RaceReport) count(hit, won bool) {
	r.Attempts++
	if hit || won {
		r.Hits++
	}
	if won {
		r.Wins++
	}
}

// raceProgress prints a line every second under -v.
func raceProgress(t testing.TB, begin time.Time) func(r *RaceReport, left time.Duration) {
	due := everySecond(begin)
	return func(r *RaceReport, left time.Duration) {
		if took, ok := due(); ok {
			fmt.Fprintf(t.Output(), "%d attempts, %d hits, %d wins, %.0f a second, %v left\n",
				r.Attempts, r.Hits, r.Wins, float64(r.Attempts)/took.Seconds(), left.Round(time.Second))
		}
	}
}

// raceVerdict is what is said of a race.
type raceVerdict struct {
	*explorer
	believed bool // the attacker's things had an owner of their own
}

// tell fails the test where the report asks for it.
func (r *raceVerdict) tell(t testing.TB) {
	t.Helper()
	report := r.odds
	failing, warnings := r.opt.divide(report.Findings)
	if len(report.Problems) > 0 {
		t.Errorf("attack.Race of %s is inconclusive:\n  - %s", t.Name(), problemsText(report.Problems))
	}
	switch {
	case r.opt.reportOnly:
	case r.opt.expects:
		r.tellExpected(t, failing)
	case len(failing) > 0:
		t.Error(r.text(t.Name()))
	}
	if len(warnings) > 0 && !r.opt.reportOnly && (r.opt.expects || len(failing) == 0) {
		t.Log(warningText(race, t.Name(), 1, warnings))
	}
	if !t.Failed() {
		t.Log(r.summary())
	}
}

// tellExpected accepts one of the expected rules, and no other.
func (r *raceVerdict) tellExpected(t testing.TB, found []Finding) {
	t.Helper()
	want := map[string]bool{}
	for _, rule := range r.opt.expect {
		want[rule.ID()] = true
	}
	var lines []string
	met := len(want) == 0
	for _, f := range found {
		met = met || want[f.Rule.ID()]
		if !want[f.Rule.ID()] {
			lines = append(lines, "found but not expected: "+f.String())
		}
	}
	if !met {
		lines = append(lines, "none of "+ruleIDs(r.opt.expect)+" was found: "+r.summary())
	}
	if len(lines) > 0 {
		t.Errorf("attack.Race of %s did not find what Expect names:\n%s", t.Name(), strings.Join(lines, "\n"))
	}
}

func ruleIDs(rules []rules.Rule) string {
	var ids []string
	for _, rule := range rules {
		ids = append(ids, rule.ID())
	}
	return strings.Join(ids, ", ")
}

// text is the failure of a race that was won.
func (r *raceVerdict) text(test string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "attack.Race: %s is broken: %d findings; %s\n", test, len(r.odds.Findings), r.summary())
	for i, f := range r.odds.Findings {
		if i == maxShown {
			fmt.Fprintf(&b, "... and %d more\n", len(r.odds.Findings)-maxShown)
			break
		}
		fmt.Fprintf(&b, "\n%s", f)
	}
	if !r.believed {
		b.WriteString("\nBoth sides have one uid here: code that is safe because it looks at the owner of what it finds is broken by mistake.\n")
	}
	fmt.Fprintf(&b, "A race is luck: attack.Prove shows the interleaving call by call, and repeats it. Again: go test -count=1 -run %s %s\n",
		shellQuote(rerun.Pattern(test)), callerPackage())
	return b.String()
}

// summary is the race in one sentence; it never says "proved".
func (r *raceVerdict) summary() string {
	o := r.odds
	where := "on this machine"
	if r.opt.fake {
		where = "on the fake disk"
	}
	hits := fmt.Sprintf("%d hit a running victim", o.Hits)
	switch {
	case o.Wins > 0:
		return fmt.Sprintf("the attacker won %d of %d attempts (%s): between %s and %s of attempts %s, with 95 %% confidence each",
			o.Wins, o.Attempts, hits, percent(o.Low), percent(o.High), where)
	case o.Untried != "":
		return "there was nothing to race for: " + o.Untried + "; attack.Prove tries what does not depend on luck"
	}
	return fmt.Sprintf("the attacker won none of %d attempts (%s): at most %s of such attempts win %s, with 95 %% confidence; that is no proof, attack.Prove gives one",
		o.Attempts, hits, percent(o.High), where)
}

func percent(p float64) string { return fmt.Sprintf("%.2g %%", 100*p) }

// lineOfFunc is where the victim's function begins.
func lineOfFunc(v Victim) string {
	f := runtime.FuncForPC(reflect.ValueOf(v).Pointer())
	if f == nil {
		return "(no line)"
	}
	file, line := f.FileLine(f.Entry())
	return filepath.Base(file) + ":" + strconv.Itoa(line)
}
