package attack

import (
	"slices"
	"strings"
	"syscall"
)

// injections are the schedules that go on from one, each by an injection at a
// step that has not been a boundary before. After a fault there are such
// steps where the code goes on another way, as with a fallback; that way is
// tried if it leads to success. What follows every fault is tried by failing
// all of it.
func (e *explorer) injections(r *run, schedule []placed) [][]placed {
	at := e.plan.deathsAt
	if e.opt.verb == faults {
		at = e.plan.faultsAt
	}
	var list [][]placed
	if len(schedule) == 0 {
		e.plan.known = map[key]bool{}
		e.plan.follow(r)
	} else if last := schedule[len(schedule)-1].inject; last.of() != faults || last.on || len(schedule) > 1 || !r.outcome.success() {
		return nil
	}
	for _, s := range r.steps {
		if e.plan.known[s.key] || len(schedule) > 0 && e.plan.occurrences[s.key.site()] > 0 {
			continue // a further try at a call that was failed is none of another kind
		}
		e.plan.known[s.key] = true
		for _, in := range at(&s.boundary) {
			list = append(list, append(slices.Clone(schedule), placed{at: s.key, inject: in}))
		}
	}
	e.report.Boundaries = len(e.plan.known)
	if e.plan.concurrent {
		slices.SortStableFunc(list, func(a, b []placed) int { return strings.Compare(scheduleString(a), scheduleString(b)) })
	}
	return list
}

// injected runs a schedule of injections. names are those of the way that it
// takes, nil for that of the undisturbed run.
func (l *lane) injected(schedule []placed, taught *plan) (res result) {
	l.taught = taught
	defer func() { l.taught = nil }()
	for range tries {
		r, err := l.execute(schedule, len(schedule) > 1) // with the lines of another way, which nothing has shown before
		if err != nil {
			return result{err: err}
		}
		res.problems = append(res.problems, r.problems...)
		if r.next < len(schedule) {
			continue
		}
		sure, err := l.confirm(r, &res)
		if err == nil && sure {
			err = l.learn(r)
		}
		if err != nil {
			return result{err: err}
		}
		if !sure {
			continue
		}
		res.run = r
		return res
	}
	res.problems = append(res.problems, notReached(schedule))
	return res
}

// learn sees which names of a way that the undisturbed runs did not take are
// chance, by going it once more.
func (l *lane) learn(r *run) error {
	if r.outcome.End == endless || len(r.facts) == 0 && !r.outcome.success() || !r.strange() {
		return nil
	}
	return l.goAgain(r)
}

// goAgain makes a run once more, with other chance, and takes what differs for
// chance.
func (l *lane) goAgain(r *run) error {
	again, err := l.with(l.knows().on(moreTapes), func() (*run, error) { return l.execute(r.schedule, r.full) })
	if err != nil {
		return err
	}
	r.compare(again)
	return nil
}

// strange reports whether the run used names that no undisturbed run did.
func (r *run) strange() bool { return r.plan.names.strange(elements(r.subjects())) }

// compare learns from a second run under one schedule which names are chance,
// for both.
func (r *run) compare(again *run) {
	taught := *r.plan
	taught.names = r.plan.names.clone()
	taught.names.learnMore(elements(r.subjects()), elements(again.subjects()), r.outcome.Context, again.outcome.Context)
	for _, one := range []*run{r, again} {
		one.plan = &taught
		one.nameSteps()
	}
}

// follow takes in what the undisturbed run says of those that go on from it,
// searched or replayed.
func (p *plan) follow(base *run) {
	p.occurrences, p.looks, p.passing = base.occurrences(), looksOf(base), passingOf(base)
}

// teaches is the plan for the schedules that go on from this run's.
func (r *run) teaches() *plan {
	p := *r.plan
	p.occurrences, p.looks = r.occurrences(), looksOf(r).and(p.looks)
	return &p
}

// endsAlike is what runs have in common that find the same by not coming
// back: one of them is enough, for each takes its time.
func endsAlike(schedule []placed) string {
	last := schedule[len(schedule)-1]
	return last.at.String() + map[bool]string{true: "-on"}[last.inject.on]
}

// maxSteps bounds what is kept of a run in which all calls fail.
const maxSteps = 4096

// inject is called at a boundary of a run under Faults or Kills.
func (r *run) inject(b *boundary, s *step) {
	switch {
	case r.next < len(r.schedule) && r.schedule[r.next].at == s.key:
		in := r.schedule[r.next].inject
		r.next++
		r.struck = append(r.struck, len(r.steps))
		b.answer = in.answer
		if in.on {
			r.sticky = &in
		}
	case r.sticky != nil:
		b.answer = r.sticky.follows(b)
		if b.answer.errno == syscall.EEXIST {
			r.tries++
			b.answer.alike = r.tries > 64
		}
	}
	s.answer = b.answer
}

// injectedAt is the step of the schedule's last injection, -1 for none.
func (r *run) injectedAt() int {
	if len(r.struck) == 0 {
		return -1
	}
	return r.struck[len(r.struck)-1]
}

// site is a boundary wherever in the run it comes.
func (k key) site() string { return k.call + " " + k.shape + " " + k.line }

// occurrences counts how often each boundary came.
func (r *run) occurrences() map[string]int {
	n := map[string]int{}
	for _, s := range r.steps {
		n[s.key.site()]++
	}
	return n
}
