package attack

import (
	"slices"
	"time"
)

// A target that is not what an undisturbed run leaves is damage only if
// undisturbed runs agree on what they leave. Of two or three runs that agreed by
// chance, more tell.
const (
	fewControls  = 100 // when the first such damage is seen
	mostControls = 300 // at the end
)

// fewAttempts are made whatever the budget, within grace: on a busy machine it
// can be over before the first one.
const (
	fewAttempts = 20
	grace       = 20 * time.Second
)

// over reports whether no further attempt is to be made.
func (e *explorer) over(tick func(*RaceReport, time.Duration)) bool {
	o, left := e.odds, time.Until(e.deadline)
	tick(o, left)
	late := left <= 0
	if o.Attempts < fewAttempts && e.opt.budgetBy == byBudget {
		late = left <= -grace
	}
	return late || e.opt.maxSchedules > 0 && o.Attempts >= e.opt.maxSchedules || (e.opt.expects || e.endsEarly()) && o.Wins > 0
}

// doubt holds damage back that is seen by comparing content alone.
type doubt struct {
	found    map[against]*findings
	attempts map[against]int // that have no other damage
	controls int             // undisturbed runs so far
}

func newDoubt() *doubt {
	d := &doubt{found: map[against]*findings{}, attempts: map[against]int{}}
	for _, kind := range []against{byPresence, byContent} {
		d.found[kind] = &findings{groups: map[string]*group{}}
	}
	return d
}

// split takes the facts out of a run that rest on a comparison of content, and
// reports whether there is other damage.
func (d *doubt) split(r *run, damage func(fact) bool) (compared []fact, won bool) {
	rest := func(f fact) bool { return f.against == byItself }
	compared = slices.DeleteFunc(slices.Clone(r.facts), rest)
	r.facts = slices.DeleteFunc(r.facts, func(f fact) bool { return !rest(f) })
	return compared, slices.ContainsFunc(r.facts, damage)
}

// judge takes an attempt over. left runs the victim undisturbed, and gives its
// targets.
func (e *explorer) judge(d *doubt, r *run, hit, acted bool, left func() ([]target, error)) error {
	damage := func(f fact) bool {
		return acted && f.exploit && e.opt.allow[f.rule.ID()] == "" && !e.plan.undisturbed[f.rule.ID()+" "+r.plan.names.shape(f.path)]
	}
	compared, won := d.split(r, damage)
	if slices.ContainsFunc(compared, e.stands) && acted {
		if err := e.control(d, fewControls, left); err != nil {
			return err
		}
	}
	compared = slices.DeleteFunc(compared, func(f fact) bool { return !acted || !e.stands(f) })
	if slices.ContainsFunc(compared, damage) && !won {
		kind := byContent
		if slices.ContainsFunc(compared, func(f fact) bool { return f.against == byPresence }) {
			kind = byPresence
		}
		d.attempts[kind]++
		won = true
	}
	e.odds.count(hit, won)
	e.record(r)
	all := e.found
	for kind, found := range d.found {
		r.facts = slices.DeleteFunc(slices.Clone(compared), func(f fact) bool { return f.against != kind })
		e.found = found
		e.record(r)
	}
	e.found = all
	return nil
}

// stands reports whether undisturbed runs agree on what a fact rests on.
func (e *explorer) stands(f fact) bool {
	switch f.against {
	case byContent:
		return e.plan.stableTargets && !e.plan.varying
	case byPresence:
		return !e.plan.varying
	}
	return true
}

// control runs the victim undisturbed until there were n such runs, or nothing is
// left that they agree on. left are the targets of one.
func (e *explorer) control(d *doubt, n int, left func() ([]target, error)) error {
	for d.controls < n && !e.plan.varying {
		now, err := left()
		if err != nil {
			return err
		}
		d.controls++
		e.compare(now)
	}
	return nil
}

// compare holds the targets of an undisturbed run against those of the first.
func (e *explorer) compare(left []target) {
	e.plan.stableTargets = e.plan.stableTargets && sameTargets(e.plan.targets, left)
	for i, t := range left {
		e.plan.varying = e.plan.varying || len(t.entries) != len(e.plan.targets[i].entries)
	}
}

// settleDoubt decides at the end of a race.
func (e *explorer) settleDoubt(d *doubt, left func() ([]target, error)) error {
	if len(d.found[byPresence].groups)+len(d.found[byContent].groups) == 0 {
		return nil
	}
	if err := e.control(d, mostControls, left); err != nil {
		return err
	}
	for kind, found := range d.found {
		if !e.stands(fact{against: kind}) {
			e.odds.Wins -= d.attempts[kind]
			continue
		}
		for k, g := range found.groups {
			if old := e.found.groups[k]; old != nil {
				old.finding.Count += g.finding.Count
			} else {
				e.found.groups[k] = g
			}
		}
	}
	return nil
}
