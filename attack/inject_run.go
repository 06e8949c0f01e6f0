package attack

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"
)

// exploreInjections is the whole of Faults and Kills: each injection at each
// boundary of the undisturbed run. Where the code goes on another way after a
// fault and reports success, as with a fallback, the calls of that way are
// boundaries too.
func (e *explorer) exploreInjections(base *run) error {
	e.plan.occurrences = base.occurrences()
	queue := e.injections(nil, base.steps)
	e.report.Boundaries = len(e.plan.known)
	lost := map[string]bool{} // boundaries at which a run did not come back
	for done := 0; len(queue) > 0; done++ {
		if e.opt.maxSchedules > 0 && done >= e.opt.maxSchedules {
			e.problem("%d schedules were run, %d more are known and were not (Schedules)", done, len(queue))
			return nil
		}
		if time.Now().After(e.deadline) {
			e.problem("the budget is used up after %d schedules; %d more are known and were not tried (Budget)", done, len(queue))
			return nil
		}
		schedule := queue[0]
		queue = queue[1:]
		last := schedule[len(schedule)-1]
		id := fmt.Sprint(last.at, last.inject.on)
		if lost[id] {
			continue // found already, and each such run takes its time
		}
		r, err := e.injected(schedule)
		if err != nil {
			return fmt.Errorf("schedule %s: %w", scheduleString(schedule), err)
		}
		e.report.Schedules++
		e.progress(done+1, done+1+len(queue))
		if r == nil {
			continue
		}
		if err := e.learnFrom(r, schedule); err != nil {
			return err
		}
		e.record(r)
		switch r.outcome.End {
		case hung, endless:
			lost[id] = true
		case returned:
			if r.outcome.Nil && len(schedule) == 1 && !last.inject.on {
				queue = append(queue, e.injections(schedule, r.steps)...)
				e.report.Boundaries = len(e.plan.known)
			}
		}
	}
	return nil
}

// injections are the schedules that end at one of the steps which has not
// been a boundary before.
func (e *explorer) injections(before []placed, steps []*step) [][]placed {
	var list [][]placed
	if before == nil {
		e.plan.known = map[key]bool{}
	}
	for _, s := range steps {
		if e.plan.known[s.key] || before != nil && e.plan.occurrences[s.key.site()] > 0 {
			continue // a further try at a call that was failed is none of another kind
		}
		e.plan.known[s.key] = true
		at := deathsAt
		if e.opt.verb == faults {
			at = faultsAt
		}
		for _, in := range at(&s.boundary) {
			list = append(list, append(slices.Clone(before), placed{at: s.key, inject: in}))
		}
	}
	if e.plan.concurrent {
		slices.SortStableFunc(list, func(a, b []placed) int { return strings.Compare(scheduleString(a), scheduleString(b)) })
	}
	return list
}

// injected runs a schedule of injections. nil when its boundaries never came.
func (e *explorer) injected(schedule []placed) (*run, error) {
	for range tries {
		r, err := e.execute(schedule, e.opt.verb == kills || len(schedule) > 1)
		if err != nil {
			return nil, err
		}
		if r.next == len(schedule) {
			return r, nil
		}
	}
	e.problem("the boundary of a schedule was not reached in %d runs (the victim takes another way each time): %s", tries, scheduleString(schedule))
	return nil, nil
}

// learnFrom sees which names of a way that the undisturbed runs did not take
// are chance, by going it once more.
func (e *explorer) learnFrom(r *run, schedule []placed) error {
	if len(r.facts) == 0 && !r.outcome.success() || !e.plan.names.strange(elements(r.subjects())) {
		return nil
	}
	again, err := e.execute(schedule, r.full)
	if err != nil {
		return err
	}
	e.plan.names.learnMore(elements(r.subjects()), elements(again.subjects()), r.outcome.Context, again.outcome.Context)
	r.nameSteps()
	return nil
}

// inject is called at a boundary of a run under Faults or Kills.
func (r *run) inject(b *boundary, s *step) {
	switch {
	case r.next < len(r.schedule) && r.schedule[r.next].at == s.key:
		in := r.schedule[r.next].inject
		r.next++
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

// injectedAt is the first step at which something was injected, -1 for none.
func (r *run) injectedAt() int {
	return slices.IndexFunc(r.steps, func(s *step) bool { return s.answer.act != goOn })
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
