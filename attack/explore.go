package attack

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// explorer tries every schedule up to the depth, over every boundary that the
// undisturbed runs or an attacked one showed.
type explorer struct {
	opt      *options
	test     string
	open     func(fresh bool) (world, error)
	worlds   []world // the live ones
	plan     *plan
	deadline time.Time
	report   *Report
	found    *findings
	canaries *snapshot // of the live world, as long as nothing touches them
	progress func(done, known int)
}

// explore is the whole proof.
func (e *explorer) explore() error {
	base, err := e.baselines()
	if err != nil {
		return err
	}
	if e.opt.replay != "" {
		return e.replay(base)
	}
	type job struct {
		schedule []placed
	}
	var queue []job
	extend := func(r *run, schedule []placed) {
		for _, p := range e.extensions(r, schedule) {
			queue = append(queue, job{schedule: append(slices.Clone(schedule), p)})
		}
	}
	e.report.Boundaries = countNames(base)
	if e.plan.hopeless || base.outcome.Setup != "" || base.outcome.Removed {
		return nil // said already: what it does is no ground for schedules
	}
	extend(base, nil)
	for done := 0; len(queue) > 0; done++ {
		if e.opt.maxSchedules > 0 && done >= e.opt.maxSchedules {
			e.problem("%d schedules were run, %d more are known and were not (Schedules)", done, len(queue))
			return nil
		}
		if time.Now().After(e.deadline) {
			e.problem("the budget is used up after %d schedules; %d more are known and were not tried (Budget)", done, len(queue))
			return nil
		}
		j := queue[0]
		queue = queue[1:]
		r, err := e.attempt(j.schedule)
		if err != nil {
			return fmt.Errorf("schedule %s: %w", scheduleString(j.schedule), err)
		}
		e.report.Schedules++
		e.progress(done+1, done+1+len(queue))
		if r == nil {
			continue // not reached: said already
		}
		if e.record(r) {
			continue // broken as it is: a further move would find the same
		}
		if len(j.schedule) < e.opt.depth {
			extend(r, j.schedule)
		}
		if r.last {
			continue
		}
		for _, s := range r.steps {
			if s.names() && !e.plan.known[s.key] {
				e.plan.known[s.key] = true
				e.report.Boundaries++
			}
		}
	}
	return nil
}

// countNames counts the boundaries at which names are looked up.
func countNames(r *run) int {
	n := 0
	for _, s := range r.steps {
		if s.names() {
			n++
		}
	}
	return n
}

// problem is a reason why the run proves nothing.
func (e *explorer) problem(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(e.report.Problems, text) {
		e.report.Problems = append(e.report.Problems, text)
	}
}

// extensions are the moves that can follow a schedule: right before a call
// that looks the moved entry up. Moves on entries that a call does not touch
// commute with it, and are tried before the call that does.
func (e *explorer) extensions(r *run, schedule []placed) []placed {
	start := 0
	moved := map[string]bool{} // names the attacker has touched
	if len(schedule) > 0 {
		for i, s := range r.steps {
			for _, m := range s.moves {
				moved[m.path] = true
				start = i + 1
			}
		}
	}
	var list []placed
	for _, s := range r.steps[start:] {
		if !s.names() {
			continue
		}
		fresh := len(schedule) > 0 && !e.plan.known[s.key]
		for j, a := range s.accesses() {
			if len(schedule) > 0 && !fresh && len(e.plan.everywhere) == 0 && !touches(moved, a, r) {
				continue
			}
			for _, m := range moves(a, s.reach[j], e.opt.allows) {
				m.target = e.plan.names.shape(m.target)
				list = append(list, placed{s.key, m})
			}
		}
	}
	if e.plan.concurrent {
		slices.SortStableFunc(list, func(a, b placed) int { return strings.Compare(a.at.String(), b.at.String()) })
	}
	return list
}

// touches says that an entry is, or lies behind, something the attacker has
// moved already.
func touches(moved map[string]bool, a access, r *run) bool {
	p := a.path()
	if under(p, dirAttic) {
		return true
	}
	for m := range moved {
		if under(p, m) || under(m, p) {
			return true
		}
	}
	return r.attacker.owns(a.node)
}

// tries bounds how often a schedule is run whose boundary was not reached.
const tries = 3

// attempt runs a schedule. nil when its boundaries never came: a victim that
// takes another way each time.
func (e *explorer) attempt(schedule []placed) (*run, error) {
	for range tries {
		r, err := e.execute(schedule, false)
		if err != nil {
			return nil, err
		}
		if r.next < len(schedule) {
			continue
		}
		if len(r.facts) == 0 {
			sure, err := e.confirm(r)
			if err != nil {
				return nil, err
			}
			if !sure {
				continue
			}
			return r, nil
		}
		// Again, with the line of every call and the canaries watched.
		again, err := e.execute(schedule, true)
		if err != nil {
			return nil, err
		}
		if again.next == len(schedule) && len(again.facts) > 0 {
			return again, nil
		}
		return r, nil
	}
	e.problem("the boundary of a schedule was not reached in %d runs (the victim takes another way each time): %s", tries, scheduleString(schedule))
	return nil, nil
}

// confirm runs a clean schedule a second time where a signal can show the
// parent one call twice: before Linux 5.19, and rarely. Only what two runs
// agree on, call by call, has been tried as it was meant.
func (e *explorer) confirm(r *run) (bool, error) {
	w, err := e.world()
	if err != nil || w.exact() {
		return err == nil, err
	}
	e.report.Repeated = true
	again, err := e.execute(r.schedule, false)
	if err != nil {
		return false, err
	}
	return again.next == len(r.schedule) && len(again.facts) == 0 && slices.Equal(r.calls(), again.calls()), nil
}

// calls are the run's calls without their lines, in an order of their own:
// goroutines reorder.
func (r *run) calls() []string {
	var all []string
	for _, s := range r.steps {
		all = append(all, s.call+" "+r.plan.names.shape(s.subject()))
	}
	slices.Sort(all)
	return all
}

// execute is one run.
func (e *explorer) execute(schedule []placed, full bool) (*run, error) {
	w, err := e.world()
	if err != nil {
		return nil, err
	}
	r := e.newRun(w.disk(), schedule, full)
	o, err := w.run(r.attacker, hooks{prepared: r.prepared, at: r.at, returned: r.returned})
	if err != nil {
		return nil, err
	}
	r.finish(o)
	if len(e.opt.targets) > 0 && len(schedule) == 0 {
		r.left = r.targets()
	}
	w.settled(r.guard.touched)
	e.keep(r)
	if o.Refused != "" {
		e.problem("the victim %s: that was refused, and what it did then is no ground for a verdict", o.Refused)
	}
	if e.plan.fresh || o.End != returned || o.Spent || o.Processes > 0 || o.Goroutines > 0 {
		if err := e.closeWorlds(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// newRun is a run that has not begun.
func (e *explorer) newRun(d disk, schedule []placed, full bool) *run {
	r := &run{plan: e.plan, disk: d, full: full, last: len(schedule) >= e.opt.depth, schedule: schedule,
		attacker: &attacker{disk: d, sameGroup: e.opt.sameGroup, names: e.plan.names},
		guard:    newGuard(d, e.canaries), scene: &sceneState{hostile: map[id]bool{}, initial: map[string]bool{}},
		counts: map[key]int{}, exposed: map[id]*exposure{}, absent: map[string]int{}}
	r.guard.coarse = e.plan.coarse
	r.attacker.reset()
	return r
}

// keep notes how the canaries stand after a run, for the next one.
func (e *explorer) keep(r *run) {
	if r.guard.touched {
		e.canaries = nil
	} else if e.canaries == nil {
		e.canaries = r.guard.standing
	}
}

// prepared takes stock of the scene before the victim runs.
func (r *run) prepared() error {
	if r.guard.standing == nil {
		r.guard.watch(".", dirVault, vaultFile)
		r.guard.standing = r.guard.snapshot()
	}
	for _, c := range r.plan.opt.canaries {
		name := dirHome + "/" + c
		if !r.disk.stat(name).exists() {
			return fmt.Errorf("Canary(%q): Setup made no such entry below Home", c)
		}
		r.guard.watch(name)
	}
	for _, name := range []string{atticFile, atticDir} {
		n := r.disk.stat(name)
		r.attacker.own[n.id] = &plant{name: name, node: n, data: attackerData, dir: n.isDir()}
	}
	if r.plan.opt.setup == nil {
		return nil
	}
	for _, name := range r.tree(dirShared, 0) {
		r.scene.initial[name] = true
	}
	for _, h := range r.plan.opt.hostile {
		name := dirShared + "/" + h
		if !r.disk.stat(name).exists() {
			return fmt.Errorf("Hostile(%q): Setup made no such entry below Dir", h)
		}
		for _, at := range append([]string{name}, r.tree(name, 0)...) {
			n := r.disk.stat(at)
			r.attacker.own[n.id] = &plant{name: at, node: n, dir: n.isDir()}
			r.scene.hostile[n.id] = true
		}
	}
	return nil
}

func (e *explorer) world() (world, error) {
	if len(e.worlds) == 0 {
		w, err := e.open(e.plan.fresh)
		if err != nil {
			return nil, err
		}
		e.worlds = append(e.worlds, w)
		e.plan.names.root = strings.TrimSuffix(w.disk().abs(""), "/")
	}
	return e.worlds[0], nil
}

func (e *explorer) closeWorlds() error {
	var errs []error
	for _, w := range e.worlds {
		errs = append(errs, w.close())
	}
	e.worlds, e.canaries = nil, nil
	return errors.Join(errs...)
}

// replay runs one schedule.
func (e *explorer) replay(*run) error {
	schedule, err := parseSchedule(e.opt.replay)
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	r, err := e.attempt(schedule)
	if err != nil || r == nil {
		return err
	}
	e.report.Schedules++
	e.record(r)
	return nil
}

// leaf is the last element of a test's name.
func leaf(test string) string { return test[strings.LastIndexByte(test, '/')+1:] }
