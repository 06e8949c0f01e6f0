package attack

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// Report is what an attack came to.
type Report struct {
	Findings   []Finding
	Boundaries int  // distinct calls that name something in the scene, those of attacked paths included
	Schedules  int  // runs of the victim under attack
	Complete   bool // every schedule within the bound was run; only then is a clean report a proof
	Elapsed    time.Duration
	Problems   []string // why the report is not complete
	Shard      string   // "1/2" where the schedules are split among processes: Complete is of this part
	Ended      bool     // at the first finding: see FirstFinding
	Repeated   bool     // each schedule was run twice or more: before Linux 5.19 a signal can show one call twice
	// Assumptions are what the verdict takes for granted or leaves out, sorted.
	Assumptions []Assumption
}

// ofShard is what a verdict says of its part.
func (r *Report) ofShard() string {
	if r.Shard == "" {
		return ""
	}
	return " (shard " + r.Shard + ")"
}

// Finding is a broken rule with its evidence.
type Finding struct {
	Rule     rules.Rule
	Exploit  bool    // carried out, and the damage seen; otherwise a weakness of the trace
	Path     string  // the object that was damaged or exposed, relative to the scene
	Name     string  // the victim's name for it
	Line     string  // the victim's line, "file.go:12 < caller.go:3"
	Detail   string  // what was seen
	Fix      string  // what to do about it: that of the rule, or a nearer one
	Schedule string  // as Replay takes it; empty when the undisturbed run shows it
	Count    int     // schedules with the same root cause
	Events   []Event // the interleaving
}

// Event is one line of an interleaving: a call of the victim or a move of the
// attacker.
type Event struct {
	Call   string // the system call; empty for a move
	Path   string // what it names
	Found  string // what was there
	Line   string
	Move   string // the attacker's move; with a call, what was injected into it
	Damage string // seen right after the call
}

// String draws the finding: the rule and the line, the interleaving, the
// damage and the fix.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", f.Rule)
	at := f.Line
	if at == "" {
		at = "(no line)"
	}
	fmt.Fprintf(&b, "    at %s: %s\n", at, f.Detail)
	if len(f.Events) > 0 {
		b.WriteString(drawEvents(f.Events))
	}
	if f.Count > 1 {
		fmt.Fprintf(&b, "    %d schedules end this way\n", f.Count)
	}
	if f.Fix != "" {
		fmt.Fprintf(&b, "    fix: %s\n", f.Fix)
	}
	return b.String()
}

// maxDrawn bounds the calls that a drawing shows.
const maxDrawn = 24

func drawEvents(events []Event) string {
	// The calls around the moves matter; of a long way there, the end does.
	var cut int
	if len(events) > maxDrawn {
		cut = len(events) - maxDrawn
		for i, e := range events {
			if e.Move != "" {
				cut = min(cut, max(0, i-maxDrawn/2))
				break
			}
		}
	}
	width := len("victim")
	rows := make([]string, len(events))
	for i, e := range events {
		if e.Call != "" {
			rows[i] = e.Call + " " + e.Path
			if e.Found != "" {
				rows[i] += " (" + e.Found + ")"
			}
			if e.Line != "" {
				rows[i] += "  " + e.Line
			}
		}
	}
	end := min(len(events), cut+maxDrawn)
	for _, row := range rows[cut:end] {
		width = max(width, min(len(row), 72))
	}
	var b strings.Builder
	by := "attacker"
	if slices.ContainsFunc(events, func(e Event) bool { return e.Call != "" && e.Move != "" }) {
		by = "injected"
	}
	fmt.Fprintf(&b, "    %-*s | %s\n", width, "victim", by)
	if cut > 0 {
		fmt.Fprintf(&b, "    ... %d calls before\n", cut)
	}
	for i, e := range events[cut:end] {
		fmt.Fprintf(&b, "    %-*s | %s\n", width, rows[cut+i], e.Move)
		if e.Damage != "" {
			fmt.Fprintf(&b, "    %-*s | \n", width, "  => "+e.Damage)
		}
	}
	if end < len(events) {
		fmt.Fprintf(&b, "    ... %d more\n", len(events)-end)
	}
	return strings.ReplaceAll(b.String(), " | \n", "\n")
}

// findings groups what the runs showed: one per root cause, which is the same
// rule at the same line of the victim.
type findings struct {
	groups map[string]*group
	taken  map[string]bool // see noteTaken
}

type group struct {
	finding Finding
	moves   int
	shapes  map[string]bool // of the victim's names
	known   bool            // all of them are meant to be known
	order   int
}

// record takes a run's facts over, and says whether one of them is damage that
// is not allowed.
func (e *explorer) record(r *run) bool {
	broken := false
	e.noteTaken(r)
	slices.SortFunc(r.facts, func(a, b fact) int {
		if e.plan.concurrent { // the steps come in any order
			return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(r.mask(a.path), r.mask(b.path)), cmp.Compare(r.mask(a.text), r.mask(b.text)), cmp.Compare(a.step, b.step))
		}
		return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.step, b.step), cmp.Compare(a.path, b.path), cmp.Compare(a.text, b.text))
	})
	r.facts = slices.DeleteFunc(r.facts, func(f fact) bool { return !e.opt.verb.judges(f.rule) })
	counted := map[string]bool{}
	for _, f := range r.facts {
		// What Allow accepts leads nobody astray: the code goes on, and so do the moves.
		broken = broken || f.exploit && r.moved() && !e.opt.verb.injects() && e.opt.allow[f.rule.ID()] == ""
	}
	for _, f := range r.facts {
		if broken && !f.exploit {
			continue // a consequence: the code was already led astray
		}
		line, chain := "", ""
		if f.step >= 0 && f.step < len(r.steps) {
			line, chain = r.steps[f.step].line, r.steps[f.step].chain
		}
		k := f.rule.ID() + "\x00" + line
		if f.cause != "" {
			k = f.rule.ID() + "\x00\x00" + f.cause
		}
		g := e.found.groups[k]
		if g == nil {
			g = &group{moves: 1 << 30, order: len(e.found.groups), shapes: map[string]bool{}}
			e.found.groups[k] = g
		}
		g.shapes[r.plan.names.shape(f.name)] = true
		g.known = (g.known || len(g.shapes) == 1) && f.known
		if counted[k] {
			continue
		}
		counted[k] = true
		if g.finding.Count++; e.plan.concurrent && e.opt.verb.injects() {
			g.finding.Count = 1 // what others have done by then is chance
		}
		if len(r.schedule) < g.moves {
			g.moves = len(r.schedule)
			count := g.finding.Count
			g.finding = Finding{Rule: f.rule, Exploit: f.exploit, Path: r.mask(f.path), Name: r.mask(f.name), Line: chain,
				Detail: r.mask(f.text), Fix: f.fix.of(f.rule), Schedule: scheduleString(r.schedule), Count: count, Events: r.events(f)}
		}
	}
	return broken
}

// events draws the run up to the step of a fact. Calls of other goroutines
// that have nothing to do with it are left out: when they come is chance.
func (r *run) events(f fact) []Event {
	var list []Event
	about := []string{f.path, f.name}
	for _, s := range r.steps {
		for _, m := range s.moves {
			about = append(about, m.path)
		}
	}
	for i, s := range r.steps {
		if i > f.step && f.step >= 0 && !r.plan.opt.verb.injects() {
			break
		}
		if s.side && len(s.moves) == 0 && !s.concerns(about) {
			continue
		}
		for _, m := range s.moves {
			list = append(list, Event{Move: r.mask(m.text)})
		}
		if s.call == "" {
			continue // a race knows the moves alone
		}
		e := Event{Move: s.answer.text(), Call: s.call, Line: s.line, Path: r.mask(pretty(s.subject())), Found: s.found()}
		if s.program != "" {
			e.Call = s.program + ": " + s.call
		}
		if s.kind.TwoPaths() && len(s.lookups) == 2 {
			e.Path += " -> " + r.mask(pretty(s.lookups[1].given))
		}
		var ds []string
		for _, d := range s.damage {
			ds = append(ds, r.mask(pretty(d.path)+": "+d.text))
		}
		e.Damage = strings.Join(ds, "; ")
		list = append(list, e)
	}
	if r.plan.opt.verb.injects() {
		list = fold(list)
	}
	return shorten(list)
}

// fold keeps the first calls of many that are the same.
func fold(list []Event) []Event {
	const keep = 2
	var folded []Event
	for i := 0; i < len(list); {
		j := i
		for j < len(list) && list[j] == list[i] {
			j++
		}
		folded = append(folded, list[i:min(j, i+keep)]...)
		if j > i+keep {
			folded = append(folded, Event{Call: "...", Path: "the same again and again"})
		}
		i = j
	}
	return folded
}

// maxEvents bounds what a finding keeps of a long run: its start, what is
// around the first move, and its end.
const maxEvents = 300

func shorten(list []Event) []Event {
	if len(list) <= maxEvents {
		return list
	}
	first := max(0, slices.IndexFunc(list, func(e Event) bool { return e.Move != "" }))
	from := max(0, min(first-maxEvents/3, len(list)-maxEvents))
	kept := slices.Clone(list[from : from+2*maxEvents/3])
	return append(kept, list[len(list)-maxEvents/3:]...)
}

// concerns says that the call looks one of the names up.
func (s *step) concerns(names []string) bool {
	return slices.Contains(names, s.object) || slices.ContainsFunc(s.accesses(), func(a access) bool { return slices.Contains(names, a.path()) })
}

// found says what the call met.
func (s *step) found() string {
	for _, l := range s.lookups {
		if a, ok := l.entry(); ok {
			if !a.node.exists() {
				return "absent"
			}
			if a.node.isLink() {
				return "symlink"
			}
			return a.node.kindName() + " " + octal(a.node.perm)
		}
	}
	return ""
}

// mask replaces what differs from run to run, so that the same failure prints
// the same text.
func (r *run) mask(text string) string {
	text = strings.ReplaceAll(text, r.disk.abs(""), "")
	text = strings.ReplaceAll(text, strings.TrimSuffix(r.disk.abs(""), "/"), "(the scene)")
	for ; r.masked < len(r.steps); r.masked++ { // each step once: a run can be long
		s := r.steps[r.masked]
		for _, a := range s.accesses() {
			if a.dir != "." {
				r.maskName(a.name)
			}
		}
		if s.point { // about what no call has named yet, perhaps
			for name := range strings.SplitSeq(s.object, "/") {
				r.maskName(name)
			}
		}
	}
	for _, c := range r.chance {
		text = strings.ReplaceAll(text, c[0], c[1])
	}
	return withoutIDs(text)
}

func (r *run) maskName(name string) {
	if p, ok := r.plan.names.pattern(name); ok && !slices.ContainsFunc(r.chance, func(c [2]string) bool { return c[0] == name }) {
		r.chance = append(r.chance, [2]string{name, p.String()})
	}
}

// turned says that a weakness was turned into damage, under each name that
// it has.
func turned(g *group, attacked map[string]bool) bool {
	for shape := range g.shapes {
		if !attacked[shape] {
			return false
		}
	}
	return true
}

// isWeakness reports whether a group is about a way to do damage, which the
// damage itself makes plain. What stays behind is something else.
func (g *group) isWeakness() bool {
	return !g.finding.Exploit && !strings.HasPrefix(g.finding.Rule.ID(), "R")
}

// guarded reports whether a name that can be foretold is no weakness: it is
// always the same, is made exclusively, and where somebody else had made it the
// code returned an error. A lock file is such a name.
func (e *explorer) guarded(g *group) bool {
	if g.finding.Rule != rules.C06 || !g.known {
		return false
	}
	for shape := range g.shapes {
		if e.found.taken[shape] {
			return false
		}
	}
	return true
}

// noteTaken remembers the names that the code went on with though it was to make
// them, and they were there.
func (e *explorer) noteTaken(r *run) {
	if !r.outcome.success() || !r.moved() || e.opt.verb.injects() {
		return
	}
	for _, s := range r.steps {
		if !s.exclusive() || len(s.lookups) == 0 {
			continue
		}
		if a, ok := s.lookups[len(s.lookups)-1].final(); ok && r.attacker.owns(a.node) {
			if e.found.taken == nil {
				e.found.taken = map[string]bool{}
			}
			e.found.taken[r.plan.names.shape(a.path())] = true
		}
	}
}

// finish sorts the findings and drops weaknesses that were turned into
// damage. That others could open a file makes nothing plain of how it came by
// its name.
func (e *explorer) finish() {
	attacked, exposed := map[string]bool{}, map[string]bool{}
	for _, g := range e.found.groups {
		switch id := g.finding.Rule.ID(); {
		case !g.finding.Exploit:
		case id == rules.X04.ID() || id == rules.X09.ID():
			maps.Copy(exposed, g.shapes)
		default:
			maps.Copy(attacked, g.shapes)
		}
	}
	maps.Copy(exposed, attacked)
	var list []Finding
	for _, g := range e.found.groups {
		plain := attacked
		if g.finding.Rule == rules.C03 {
			plain = exposed
		}
		if g.isWeakness() && turned(g, plain) && !e.opt.verb.injects() || e.opt.allow[g.finding.Rule.ID()] != "" || e.guarded(g) {
			continue
		}
		list = append(list, g.finding)
	}
	slices.SortFunc(list, func(a, b Finding) int {
		exploitsFirst := func(f Finding) int {
			if f.Exploit {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(exploitsFirst(a), exploitsFirst(b)), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name))
	})
	e.report.Findings = list
	e.report.Assumptions = e.assumptions()
	e.report.Complete = len(e.report.Problems) == 0 && !e.report.Ended
}
