package attack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// baselines runs the victim undisturbed, and learns what each run has alike.
func (e *explorer) baselines() (*run, error) {
	e.plan = &plan{opt: e.opt, names: &names{test: leaf(e.test)}, knows: e.knowledge(), made: map[string]bool{}, left: map[string]bool{}, leftOpen: map[string]bool{}, publishes: map[string]bool{}, known: map[key]bool{}, everywhere: e.opt.everywhere}
	runs, err := e.undisturbed()
	if err != nil {
		return nil, err
	}
	for runs == nil { // something cannot be held, and is not any more
		if runs, err = e.undisturbed(); err != nil {
			return nil, err
		}
	}
	elsewhere, err := e.learnNames(runs)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(runs, func(r *run) bool { return r.outcome.success() }); i > 0 && !e.opt.refuses && !e.plan.hopeless {
		runs[0], runs[i] = runs[i], runs[0] // what fails now and then is not judged by its failure
	}
	first := runs[0]
	e.plan.names.learnEntries(elements(first.subjects()))
	for _, r := range runs {
		for _, s := range r.steps {
			e.plan.concurrent = e.plan.concurrent || s.side
			e.plan.coarse = e.plan.coarse || !s.main
		}
	}
	// Judged again with the names now known.
	for _, r := range runs {
		r.rekey()
	}
	var left [][]target
	for _, r := range runs {
		e.plan.names.rename(r.left)
		left = append(left, r.left)
	}
	for _, name := range first.public {
		e.plan.publishes[e.plan.names.shape(name)] = true
	}
	e.plan.names.rename(elsewhere)
	e.plan.learnTargets(left, elsewhere)
	e.plan.wentOn, e.plan.programs = first.outcome.WentOn, len(first.outcome.Context.Programs)
	for _, r := range runs[1:] {
		if !slices.Equal(first.keys(), r.keys()) || !endAlike(runs) {
			e.plan.fresh = true
		}
	}
	if e.plan.fresh && !e.plan.concurrent && !e.plan.coarse {
		e.assume(Assumption{assumedState, "the code keeps state in its process", keepsStateFrom})
	}
	if alone := e.opt.fake && e.plan.fresh && !e.plan.concurrent && e.opt.verb != race; alone && !endAlike(runs) {
		e.problem("without any attack, the victim returned nil in one run and an error in another: it keeps state from run to run, " +
			"and one process (Fake) cannot give each run a fresh start: let the victim make what it works with anew, or leave Fake out")
	} else if alone {
		e.problem("without any attack, the victim made other calls in one run than in another: it keeps state from run to run, or leaves something to chance, " +
			"and one process (Fake) cannot give each run a fresh start: let the victim make what it works with anew, or leave Fake out")
	}
	e.plan.fresh = e.plan.fresh || e.plan.names.alike
	if e.plan.fresh || first.outcome.Goroutines > 0 {
		e.plan.fresh = true
		e.first.drop()
		e.spare.drop()
	}
	e.plan.sites = first.sites()
	for _, s := range first.steps {
		if s.names() {
			e.plan.known[s.key] = true
		}
		if s.kind == supervise.Mkdir {
			e.plan.made[s.key.shape] = true
		}
		if s.opaque != "" {
			e.problem("a call could not be looked into: %s (%s)", s.call, s.opaque)
		}
	}
	e.judgeBaseline(first)
	if !e.plan.hopeless { // of one run alone it is not known which names are chance
		e.record(first)
	}
	for _, name := range first.outcome.Open {
		e.plan.leftOpen[e.plan.names.shape(name)] = true
	}
	for _, f := range first.facts {
		if f.rule == rules.R01 || f.rule == rules.R05 {
			e.plan.left[e.plan.names.shape(f.path)] = true
		}
	}
	return first, nil
}

// endAlike says that all runs returned nil, or all an error.
func endAlike(runs []*run) bool {
	return !slices.ContainsFunc(runs, func(r *run) bool { return r.outcome.success() != runs[0].outcome.success() })
}

// comesBack sees that the undisturbed victim ends in a way that allows a
// verdict.
func (e *explorer) comesBack(r *run) bool {
	o := r.outcome
	switch o.End {
	case returned:
		return true
	default:
		e.problem("without any attack, the victim %s", r.mask(o.String()))
		return false
	}
}

func (e *explorer) judgeBaseline(r *run) {
	o := r.outcome
	switch {
	case e.useless(r):
	case countNames(r) == 0 && o.End == returned && (o.Processes == 0 || e.opt.allow[rules.R13.ID()] != ""):
		// A process left running may make them yet, and is a finding itself
		// unless that is allowed: a run without boundaries never passes.
		e.problem("the victim made no call that names anything in the scene: use %s", map[bool]string{
			false: "Scene.Dir, Scene.Home or os.TempDir()",
			true:  "Scene.FS, for with Fake the disk is in memory, and what calls package os does not come to it"}[e.opt.fake])
	}
}

// useless says that what the undisturbed victim came to is no ground for an
// attack, and notes why.
func (e *explorer) useless(r *run) bool {
	o := r.outcome
	switch {
	case o.Setup != "":
		e.problem("Setup failed: %s", r.mask(o.Setup))
	case o.Removed:
		e.problem("without any attack, the victim removed the scene itself")
	case o.End == returned && o.Nil && e.opt.refuses:
		e.problem("without any attack, the victim returned nil, and by the option Refuses it was to return an error: what it should refuse, it took")
	case o.End == returned && !o.Nil && len(e.opt.hostile) == 0 && !e.opt.refuses:
		e.problem("without any attack, the victim %s: what always fails is not proved by failing. "+
			"Where the refusal is the right answer, as with hostile input, say so with the option attack.Refuses()", r.mask(o.String()))
	case r.restarted != nil && !r.restarted.success():
		e.problem("without any error or kill, Restart, on what the victim had left, %s", r.mask(r.restarted.String()))
	default:
		return false
	}
	return true
}

// nameSteps names the boundaries by the patterns that are known.
func (r *run) nameSteps() {
	r.counts = map[key]int{}
	for _, s := range r.steps {
		s.key = r.keyOf(&s.boundary)
	}
}

// rekey names the boundaries anew when the patterns of names are known.
func (r *run) rekey() {
	r.nameSteps()
	// What was said of names before they were known.
	var kept []fact
	for _, f := range r.facts {
		if f.rule != rules.C06 && f.rule != rules.C08 {
			kept = append(kept, f)
		}
	}
	r.facts = kept
	seen := map[string]bool{} // at an earlier boundary
	r.attacker.seen = seen
	for i, s := range r.steps {
		if s.newName && len(s.lookups) > 0 { // the scene of the run is no longer there to be asked
			if a, ok := s.lookups[0].final(); ok {
				r.judgeName(a, i)
			}
		}
		var wants []want
		for _, w := range s.wants {
			if w, ok := w.foretold(r.plan.names.predictable); ok {
				wants = append(wants, w)
			}
		}
		s.wants = wants
		all := s.accesses()
		for j, a := range all[:min(len(all), len(s.reach))] {
			can := &s.reach[j]
			if can.names = a.node.exists() || r.attacker.knows(a.path()); can.names {
				for i, w := range can.ways {
					can.ways[i] = w.knownPart(a.path(), r.attacker.knows)
				}
			} else {
				*can = reach{shows: can.shows}
			}
		}
		for j, a := range all[:min(len(all), len(s.reach))] {
			if s.reach[j].shows {
				seen[a.path()] = true
			}
		}
		if s.shown != "" {
			seen[s.shown] = true
		}
	}
}

// subjects are the names that the run's boundaries are about, in order.
func (r *run) subjects() []string {
	var all []string
	for _, s := range r.steps {
		for _, l := range s.lookups {
			all = append(all, l.given)
		}
	}
	return all
}

func (r *run) keys() []string {
	var all []string
	for _, s := range r.steps {
		if s.names() {
			all = append(all, s.key.String())
		}
	}
	slices.Sort(all) // goroutines reorder
	return all
}

func sameTargets(a, b []target) bool {
	content := func(ts []target) string {
		var b strings.Builder
		for _, t := range ts {
			var es []string
			for _, e := range t.entries {
				es = append(es, e.kind+e.file.line()+e.dir)
			}
			slices.Sort(es)
			fmt.Fprintf(&b, "%q", es)
		}
		return b.String()
	}
	return content(a) == content(b)
}
