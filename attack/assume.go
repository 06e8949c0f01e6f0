package attack

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The kinds of assumptions, in the order in which a report has them.
const (
	assumedChance    = "chance"
	assumedNoMove    = "no move"
	assumedOutside   = "outside"
	assumedUnwatched = "unwatched"
	assumedRefused   = "refused"
	assumedState     = "state"
	assumedNumbers   = "numbers"
	assumedUnheld    = "unheld"
	assumedLive      = "live"
	assumedTargets   = "targets"
	assumedNotation  = "notation"
)

var everyAssumed = []string{assumedLive, assumedUnheld, assumedNumbers, assumedNotation, assumedChance, assumedNoMove, assumedOutside, assumedUnwatched, assumedRefused, assumedState, assumedTargets}

// Assumption is something that a verdict takes for granted, or leaves out: a
// clean one is as good as these are true. Kind is one of
//
//	chance     a name that was taken for chance: the attacker does not know it before it exists
//	no move    a boundary at which the attacker could do nothing
//	outside    a call to a place that the whole system shares, outside of the scene (C11)
//	unwatched  a process that works for the victim, and whose calls are not seen
//	refused    a call that fails here, so that what the victim does instead was attacked
//	live       the clock and chance are the machine's own, as Live asks for
//	unheld     something of time and chance that could not be held still here
//	notation   a name that differs, and is taken for what others know by its notation
//	targets    a target that is not compared byte for byte
//	numbers    process numbers that could not be held still
//	state      what the victim keeps in its process from one run to the next
//
// What names it, and Why says what it rests on.
type Assumption struct{ Kind, What, Why string }

// String is one line.
func (a Assumption) String() string { return fmt.Sprintf("%s: %s: %s", a.Kind, a.What, a.Why) }

// maxAssumed bounds the assumptions of one kind that a report keeps, and
// maxAssumedShown those that its text has.
const (
	maxAssumed      = 100
	maxAssumedShown = 8
)

// assume notes an assumption for the report, each once.
func (e *explorer) assume(list ...Assumption) {
	for _, a := range list {
		if !slices.Contains(e.assumed, a) {
			e.assumed = append(e.assumed, a)
		}
	}
}

// assumptions sorts and bounds what was assumed.
func (e *explorer) assumptions() []Assumption {
	e.assumeChance()
	e.assumeUnmoved()
	e.assumeOutside()
	e.assumeTargets()
	e.assumeRestart()
	slices.SortFunc(e.assumed, func(a, b Assumption) int {
		return cmp.Or(cmp.Compare(slices.Index(everyAssumed, a.Kind), slices.Index(everyAssumed, b.Kind)), cmp.Compare(a.What, b.What), cmp.Compare(a.Why, b.Why))
	})
	var list []Assumption
	for _, kind := range everyAssumed {
		of := slices.DeleteFunc(slices.Clone(e.assumed), func(a Assumption) bool { return a.Kind != kind })
		if n := len(of) - maxAssumed; n > 0 {
			of = append(of[:maxAssumed], Assumption{kind, fmt.Sprintf("%d more", n), "left out of the report"})
		}
		list = append(list, of...)
	}
	return list
}

// assumeChance notes the names that were taken for chance.
func (e *explorer) assumeChance() {
	if e.plan == nil || e.opt.verb.injects() {
		return
	}
	for _, p := range e.plan.names.patterns {
		switch {
		case p.guessed:
			e.assume(Assumption{assumedNotation, pretty(p.String()), "it differs although what others know was held still, and is taken for " + p.why + " by its notation"})
		case p.why == "":
			e.assume(Assumption{assumedChance, pretty(p.String()), e.whyChance()})
		}
	}
}

// whyChance says what it rests on that a name is taken for chance.
func (e *explorer) whyChance() string {
	switch {
	case e.plan.knows.held && !e.partlyHeld:
		return "it differs from run to run although what others know is held still"
	case e.plan.knows.held:
		return "it differs from run to run, and could be made of what is not held still here (unheld)"
	case e.opt.fake:
		return "it differs from run to run, has nothing that others know in a usual notation, and nothing is held still in one process (Fake)"
	}
	return "it differs from run to run, and is made of nothing that others are known to know"
}

// assumeUnmoved notes the boundaries that no schedule has a move at.
func (e *explorer) assumeUnmoved() {
	for k, why := range e.unmoved {
		if why != "" {
			e.assume(Assumption{assumedNoMove, k.call + " " + pretty(k.shape) + " at " + cmp.Or(k.line, "(no line)"), why})
		}
	}
}

// noteMoves notes whether a boundary has a move.
func (e *explorer) noteMoves(r *run, s *step, moved bool) {
	if e.unmoved == nil {
		e.unmoved = map[key]string{}
	}
	k := s.key
	k.n = 0 // one line for all occurrences
	if _, known := e.unmoved[k]; moved {
		e.unmoved[k] = ""
	} else if !known {
		e.unmoved[k] = r.whyNoMove(s)
	}
}

// whyNoMove says why the attacker can do nothing at a step.
func (r *run) whyNoMove(s *step) string {
	var all []string
	for j, a := range s.accesses() {
		if j >= len(s.reach) {
			break
		}
		why := ""
		switch reach, dir := s.reach[j], pretty(r.plan.names.shape(a.dir)); {
		case under(a.dir, dirHome) || a.path() == dirHome:
			why = "Home is the victim's own"
		case a.path() == dirShared:
			why = "Dir itself is out of the attacker's reach"
		case !under(a.dir, dirShared):
			why = dir + " is out of the attacker's reach"
		case !reach.names && !r.plan.names.predictable(a.name):
			why = "the name is taken for chance, and nobody has seen it"
		case !reach.names:
			why = "others may not look into " + dir
		case !a.node.exists() && !reach.plant:
			why = "others may not create in " + dir
		case a.node.exists() && !reach.replace:
			why = "what is there is not the attacker's, and others may not remove it from " + dir
		default:
			why = "the option Moves leaves nothing"
		}
		if !slices.Contains(all, why) {
			all = append(all, why)
		}
	}
	return strings.Join(all, "; ")
}

// untried says why a report has no schedule, "" when it has some.
func (r *Report) untried() string {
	if r.Schedules > 0 || r.Shard != "" {
		return ""
	}
	count := map[string]int{}
	for _, a := range r.Assumptions {
		if a.Kind == assumedNoMove {
			count[a.Why]++
		}
	}
	whys := sortedKeys(count)
	slices.SortStableFunc(whys, func(a, b string) int { return count[b] - count[a] })
	switch {
	case r.Boundaries == 0:
		return "the code made no call at which something could be tried"
	case len(whys) == 0:
		return "there is nothing that could be done at its calls"
	}
	const most = 3
	text := "no move is possible at any boundary: " + strings.Join(whys[:min(most, len(whys))], "; ")
	if len(whys) > most {
		text += fmt.Sprintf("; and %d more reasons", len(whys)-most)
	}
	return text
}

// assumedText is what was assumed, as a text.
func (r *Report) assumedText() string {
	if len(r.Assumptions) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("assumed:")
	shown := map[string]int{}
	for i, a := range r.Assumptions {
		if shown[a.Kind]++; shown[a.Kind] <= maxAssumedShown {
			fmt.Fprintf(&b, "\n  - %s", a)
		}
		if last := i+1 == len(r.Assumptions) || r.Assumptions[i+1].Kind != a.Kind; last && shown[a.Kind] > maxAssumedShown {
			fmt.Fprintf(&b, "\n  - %s: ... and %d more", a.Kind, shown[a.Kind]-maxAssumedShown)
		}
	}
	return b.String()
}

// outsideCall is a call that went to what is neither in the scene nor watched, or
// that was refused.
type outsideCall struct {
	kind, call, line, program string
	dir, name                 string // a shared directory and the name in it, or whom it reaches
}

// noteOutside counts in how many runs each call outside of the scene came.
func (e *explorer) noteOutside(r *run) {
	if e.outside == nil {
		e.outside = map[outsideCall]int{}
	}
	for _, o := range r.outcome.Outside {
		e.outside[o]++
	}
	for _, name := range r.outcome.Started {
		e.assume(Assumption{assumedUnwatched, name, "it was started before " + e.opt.verb.String() + ": its calls are not seen, and what the code leaves running is not told from it"})
	}
}

// assumeOutside notes the calls that went outside. Names that come in one run
// only are chance, or made of what differs.
func (e *explorer) assumeOutside() {
	chance := map[outsideCall][]string{}
	for o, runs := range e.outside {
		if name := o.name; runs > 1 {
			e.assume(o.assumption())
		} else {
			o.name = ""
			chance[o] = append(chance[o], name)
		}
	}
	for o, names := range chance {
		slices.Sort(names)
		o.name = maskNumbers(names[0])
		for _, name := range names[1:] {
			prefix, suffix := literal(names[0], name)
			o.name = prefix + "*" + suffix
		}
		e.assume(o.assumption())
	}
}

func (o outsideCall) assumption() Assumption {
	call := o.call
	if o.program != "" {
		call = o.program + ": " + call
	}
	at := " at " + cmp.Or(o.line, "(no line)")
	switch o.kind {
	case assumedRefused:
		return Assumption{o.kind, call + at, "it fails with ENOSYS, as on a kernel without it: what the code does where it works was not tried"}
	case assumedUnwatched:
		return Assumption{o.kind, call + " to " + o.name + at, "what it does for the code is done by a process whose calls are not seen"}
	}
	return Assumption{o.kind, call + " " + printable(strings.TrimSuffix(o.dir, "/")+"/"+o.name) + at,
		"everyone may create names in " + printable(o.dir) + " (C11), which is not the scene: nothing was tried there"}
}

// maskNumbers replaces long numbers, which differ from run to run.
func maskNumbers(s string) string { return longNumbers.ReplaceAllString(s, "*") }

var longNumbers = regexp.MustCompile(`\d{3,}`)
