package attack

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tmpproof/tmpproof/internal/report"
)

// explorer tries every schedule up to the depth, over every boundary that the
// undisturbed runs or an attacked one showed.
type explorer struct {
	opt      *options
	test     string
	open     func(start) (world, error)
	settle   func() (place, error) // nil: each world has its own
	places   []place
	worlds   *worlds
	first    *lane // runs everything as long as it is the only one
	spare    *lane // of the second process that the undisturbed runs had
	plan     *plan
	deadline time.Time
	report   *Report
	odds     *RaceReport // of a race alone
	found    *findings
	covered  *coverage // nil unless wanted
	progress func(done, known int)
	base     *run // the undisturbed one
	// keepsState says that the victim was seen to keep state from one schedule
	// to the next: each gets a process of its own from then on.
	keepsState atomic.Bool
	assumed    []Assumption
	partlyHeld bool // something of what others know could not be held still
	outside    map[outsideCall]int
	unmoved    map[key]string // boundaries, and why there is no move at them; "" where there is one
}

// explore is the whole proof.
func (e *explorer) explore() error {
	e.worlds = newWorlds()
	e.first, e.spare = &lane{e: e}, &lane{e: e}
	base, err := e.baselines()
	if err != nil {
		return err
	}
	e.base = base
	if e.opt.replay != "" {
		return e.replay(base)
	}
	if e.opt.live != "" {
		e.assume(Assumption{assumedLive, "time, process numbers and chance", "they are the machine's own: " + e.opt.live})
	}
	e.report.Boundaries = countNames(base)
	if e.plan.hopeless || base.outcome.Setup != "" || base.outcome.Removed || base.restarted != nil && !base.restarted.success() {
		return nil // said already: what it does is no ground for schedules
	}
	if e.opt.verb == kills {
		e.plan.fresh = true // each run but the first ends its process
		e.first.drop()
	}
	if artifactsWanted() {
		e.covered = &coverage{cells: map[key]map[string]*report.Cell{}}
		e.covered.boundaries(base)
	}
	return e.search(base)
}

// discover counts the boundaries that only an attacked run shows.
func (e *explorer) discover(r *run) {
	for _, s := range r.steps {
		if s.names() && !e.plan.known[s.key] {
			e.plan.known[s.key] = true
			e.report.Boundaries++
		}
	}
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

// extensions are the moves that can follow a schedule: each right before a call
// that looks its entry up, since moves commute with the calls that do not. A
// further one is on what was moved before, or at a call that no undisturbed run
// makes, unless Unrelated asks for all.
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
		fresh, before, refined := len(schedule) > 0 && !e.plan.known[s.key], len(list), false
		for j, a := range s.accesses() {
			if len(schedule) > 0 && !fresh && !e.opt.unrelated && len(e.plan.everywhere) == 0 && !touches(moved, a, r) {
				continue
			}
			if s.wanted(r, a) {
				refined = true // see refine
				continue
			}
			for _, m := range moves(a, s.reach[j], e.opt.allows) {
				list = append(list, placed{at: s.key, move: r.shaped(m)})
			}
		}
		some := len(list) > before || refined
		if a := (access{dir: s.listed, name: anyEntry, last: true}); s.open && (len(schedule) == 0 || fresh || e.opt.unrelated || touches(moved, a, r)) {
			m := entriesMove
			m.target = a.path()
			list = append(list, placed{at: s.key, move: r.shaped(m)})
		}
		if some || len(schedule) == 0 || fresh {
			e.noteMoves(r, s, some)
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

// attempt is the attempt at one schedule by the first lane.
func (e *explorer) attempt(j job) (*run, error) {
	res := e.first.attempt(j)
	for _, p := range res.problems {
		e.problem("%s", p)
	}
	e.report.Repeated = e.report.Repeated || res.repeated
	return res.run, res.err
}

func notReached(schedule []placed) string {
	return fmt.Sprintf("the boundary of a schedule was not reached in %d runs (the victim takes another way each time): %s", tries, scheduleString(schedule))
}

func (e *explorer) executeIn(l *lane, schedule []placed, full bool) (*run, error) {
	r, err := l.execute(schedule, full)
	if err != nil {
		return nil, err
	}
	for _, p := range r.problems {
		e.problem("%s", p)
	}
	e.noteOutside(r)
	return r, nil
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

// prepared takes stock of the scene before the victim runs.
func (r *run) prepared() error {
	r.disk.watchAnew()
	if r.guard.standing == nil {
		if err := r.guard.watch(".", dirVault, vaultFile); err != nil {
			return err
		}
		r.guard.standing = r.guard.snapshot()
	}
	if err := r.guard.begin(); err != nil {
		return err
	}
	for _, c := range r.plan.opt.canaries {
		name := dirHome + "/" + c
		if !r.disk.stat(name).exists() {
			return fmt.Errorf("Canary(%q): Setup made no such entry below Home", c)
		}
		if err := r.guard.watch(name); err != nil {
			return err
		}
	}
	for _, name := range []string{atticFile, atticDir} {
		n := r.disk.stat(name)
		r.attacker.own[n.id] = &plant{name: name, node: n, data: attackerData, dir: n.isDir()}
		if err := r.disk.watch(name, n); err != nil {
			return err
		}
	}
	if r.plan.opt.setup == nil {
		return nil
	}
	if r.plan.opt.verb.injects() {
		r.before = r.targetsOf(r.tree(dirShared, 0))
	}
	for _, name := range r.tree(dirShared, 0) {
		r.scene.initial[name], r.scene.before[r.disk.stat(name).id] = true, true
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

// closeWorlds ends all children.
func (e *explorer) closeWorlds() error {
	if e.worlds == nil {
		return nil
	}
	e.first.close()
	e.spare.close()
	err := e.worlds.closeAll()
	for _, p := range e.places {
		err = errors.Join(err, p.leave())
	}
	return err
}

// replay runs one schedule.
func (e *explorer) replay(base *run) error {
	schedule, err := parseSchedule(e.opt.replay)
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	for _, p := range schedule {
		if how := p.inject.of(); how != e.opt.verb {
			return fmt.Errorf("replay: %q is for %v, and this is %v", p.what(), how, e.opt.verb)
		}
	}
	j := job{schedule: schedule}
	if e.opt.verb.injects() {
		e.plan.follow(base)
	}
	for i := 1; i < len(schedule); i++ { // what its beginning teaches of names
		r, err := e.attempt(job{schedule: schedule[:i], taught: j.taught})
		if err != nil || r == nil {
			return err
		}
		if j.taught = e.taught(r); e.opt.verb.injects() {
			j.taught = r.teaches()
		}
	}
	r, err := e.attempt(j)
	if err == nil && !e.opt.fake && (r == nil || r.inError() && !r.first) { // perhaps for what the process has kept
		e.first.drop()
		e.report.Problems = slices.DeleteFunc(e.report.Problems, func(p string) bool { return p == notReached(schedule) })
		r, err = e.attempt(j)
	}
	if err != nil || r == nil {
		return err
	}
	e.report.Schedules++
	e.record(r)
	return nil
}

// leaf is the last element of a test's name.
func leaf(test string) string { return test[strings.LastIndexByte(test, '/')+1:] }
