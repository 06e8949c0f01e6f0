package attack

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tmpproof/tmpproof/internal/report"
)

// coverage is what was tried where, for the report's matrix.
type coverage struct {
	rows  []key
	moves []string
	cells map[key]map[string]*report.Cell
	// of a schedule whose boundary never came
	missed int
}

// row notes a boundary, in the order in which they show.
func (c *coverage) row(k key) map[string]*report.Cell {
	cells := c.cells[k]
	if cells == nil {
		cells = map[string]*report.Cell{}
		c.cells[k] = cells
		c.rows = append(c.rows, k)
	}
	return cells
}

// boundaries notes those of an undisturbed run.
func (c *coverage) boundaries(r *run) {
	for _, s := range r.steps {
		if s.names() {
			c.row(s.key)
		}
	}
}

// note takes a schedule over; r is nil when its boundary never came.
func (c *coverage) note(schedule []placed, r *run) {
	if r == nil {
		c.missed++
		return
	}
	last := schedule[len(schedule)-1]
	name := last.inject.String()
	if last.inject.none() {
		name = last.move.name()
	}
	if !slices.Contains(c.moves, name) {
		c.moves = append(c.moves, name)
	}
	cells := c.row(last.at)
	if cells[name] == nil {
		cells[name] = &report.Cell{}
	}
	cells[name].Tried++
	injects := r.plan.opt.verb.injects()
	if slices.ContainsFunc(r.facts, func(f fact) bool { return f.exploit || injects }) {
		cells[name].Found++
	}
}

// matrix is the coverage as the report draws it.
func (c *coverage) matrix(e *explorer) *report.Matrix {
	if len(c.rows) == 0 {
		return nil
	}
	m := &report.Matrix{Moves: c.columns(), Notes: c.notes(e)}
	for _, k := range c.rows {
		row := report.Row{Call: k.call, Path: k.shape, Line: k.line, N: k.n, Cells: []report.Cell{}}
		for _, name := range m.Moves {
			cell := report.Cell{}
			if p := c.cells[k][name]; p != nil {
				cell = *p
			}
			row.Cells = append(row.Cells, cell)
		}
		m.Rows = append(m.Rows, row)
	}
	return m
}

// columns are the moves in the order of their list, then what was injected.
func (c *coverage) columns() []string {
	list := []string{} // where nothing was tried JSON has an empty list
	for _, name := range moveNames() {
		if slices.Contains(c.moves, name) {
			list = append(list, name)
		}
	}
	var rest []string
	for _, name := range c.moves {
		if !slices.Contains(list, name) {
			rest = append(rest, name)
		}
	}
	slices.Sort(rest)
	return append(list, rest...)
}

// notes say what was not tried, and why.
func (c *coverage) notes(e *explorer) []string {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if e.opt.verb.injects() {
		add("A cell without a number: the call cannot end so, or what comes of it was tried with another one.")
	} else {
		add("A cell without a number: the mode bits give the attacker no such power there, or it cannot know the name.")
		add("After a move that broke the victim no further one was made: it would find the same.")
		add("Up to %d moves in one schedule, each right before a call that looks its entry up: before any other call it comes to the same (partial-order reduction).", e.opt.depth)
		if !e.opt.unrelated {
			add("A further move was made on what an earlier one had moved, on what lies behind that, and at calls that the victim makes only because of it. The option Unrelated combines all.")
		}
		var left []string
		for _, m := range allMoves {
			if !e.opt.allows(m) {
				left = append(left, string(m))
			}
		}
		if left != nil {
			add("Left out by the option Moves: %s.", strings.Join(left, ", "))
		}
	}
	if c.missed > 0 {
		add("%d schedules were not reached: the victim takes another way each time.", c.missed)
	}
	if e.report.Shard != "" {
		add("This is shard %s: other schedules are run by the other shards.", e.report.Shard)
	}
	if len(e.opt.allow) > 0 {
		var ids []string
		for id, reason := range e.opt.allow {
			ids = append(ids, id+" ("+reason+")")
		}
		slices.Sort(ids)
		add("Accepted by the option Allow: %s.", strings.Join(ids, "; "))
	}
	return list
}

// artifactsWanted says that the test was run with -artifacts.
func artifactsWanted() bool {
	f := flag.Lookup("test.artifacts")
	return f != nil && f.Value.String() == "true"
}

// artifacts writes the report beside the test's other artifacts, under
// go test -artifacts.
func (e *explorer) artifacts(t testing.TB, n int) {
	t.Helper()
	if !artifactsWanted() {
		return
	}
	base := strings.ToLower(string(e.opt.verb))
	if n > 1 {
		base += "-" + strconv.Itoa(n)
	}
	if err := report.Write(t.ArtifactDir(), base, e.plain(t.Name(), n)); err != nil {
		t.Errorf("%v of %s: the report could not be written (-artifacts): %v", e.opt.verb, t.Name(), err)
	}
}

// plain is the report as data.
func (e *explorer) plain(test string, n int) *report.Report {
	r := e.report
	p := &report.Report{Tool: e.opt.verb.String(), Test: test, Package: callerPackage(), Complete: r.Complete, Shard: r.Shard,
		Boundaries: r.Boundaries, Schedules: r.Schedules, Seconds: r.Elapsed.Seconds(), Problems: r.Problems}
	failing, _ := e.opt.divide(r.Findings)
	switch {
	case len(failing) > 0:
		p.Verdict = report.Broken
	case len(r.Problems) > 0:
		p.Verdict = report.Inconclusive
	case e.opt.verb == race:
		p.Verdict = report.NotWon
	case r.untried() != "":
		p.Verdict, p.Untried = report.Untried, r.untried()
	default:
		p.Verdict = report.Clean
	}
	if o := e.odds; o != nil {
		p.Odds = &report.Odds{Attempts: o.Attempts, Hits: o.Hits, Wins: o.Wins, Low: o.Low, High: o.High}
	}
	for _, a := range r.Assumptions {
		p.Assumptions = append(p.Assumptions, report.Assumption{Kind: string(a.Kind), What: a.What, Why: a.Why})
	}
	if e.covered != nil {
		p.Matrix = e.covered.matrix(e)
	}
	dir, _ := os.Getwd()
	for _, f := range r.Findings {
		d := report.Finding{Rule: f.Rule.ID(), Title: f.Rule.Title(), CWE: f.Rule.CWE(), CERT: f.Rule.CERT(), Fix: f.Fix, Exploit: f.Exploit,
			Path: f.Path, Name: f.Name, Line: f.Line, Detail: f.Detail, Schedule: f.Schedule, Count: f.Count, Source: report.Excerpt(dir, f.Line)}
		if f.Schedule != "" {
			d.Command = replayCommand(test, n, f.Schedule)
		}
		for _, ev := range f.Events {
			d.Events = append(d.Events, report.Event(ev))
		}
		p.Findings = append(p.Findings, d)
	}
	return p
}
