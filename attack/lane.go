package attack

import (
	"cmp"
	"errors"
	"path"
	"runtime"
	"slices"
	"sync"
)

// lane is a world, and what is kept from one run in it to the next. Runs of
// different lanes have nothing in common but the plan, which does not change
// while they run.
type lane struct {
	e        *explorer
	world    world
	taught   *plan    // what is known of the way that the schedule takes; nil: the explorer's
	ahead    *opening // the next world, for a victim that needs a new one for each run
	place    place    // where its worlds are, one after the other; nil: not chosen
	tape     uint64   // of its runs; 0: that of all attacked ones
	other    *knowledge
	canaries *snapshot // as long as nothing touches them
	doubts   doubts
	near     bool  // of a world that sees each write
	nearer   *lane // one that does, for runs in which what was written cannot be told in the end
	again    *lane // whose worlds are for Restart, each for one run
	restarts bool  // it is such a one
	// improvise is what a race on the fake disk does at each boundary.
	improvise func(r *run, b *boundary, at key)
}

// opening is a world that comes to be.
type opening struct {
	done  chan struct{}
	world world
	err   error
}

// worlds keeps track of what was opened.
type worlds struct {
	kept    sync.WaitGroup // goroutines whose threads the children hang on
	over    chan struct{}
	closing sync.WaitGroup
	slots   chan struct{} // bounds how many close at once

	mu     sync.Mutex
	closed map[world]chan struct{}
	errs   []error
}

func newWorlds() *worlds {
	return &worlds{over: make(chan struct{}), slots: make(chan struct{}, 4), closed: map[world]chan struct{}{}}
}

// begin opens a world beside whatever else goes on. A child dies with the
// thread that started it, so that the thread is kept as long as the world.
func (l *lane) begin() *opening {
	e, o := l.e, &opening{done: make(chan struct{})}
	ws := e.worlds
	if o.err = l.settle(); o.err != nil {
		close(o.done)
		return o
	}
	s := start{knows: l.knows(), in: l.place, near: l.near, again: l.restarts}
	if e.opt.fake { // a moment's work, and nothing hangs on a thread
		o.world, o.err = e.open(s)
		close(o.done)
		return o
	}
	ws.kept.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		o.world, o.err = e.open(s)
		closed := make(chan struct{})
		if o.err == nil {
			ws.mu.Lock()
			ws.closed[o.world] = closed
			ws.mu.Unlock()
		} else {
			close(closed)
		}
		close(o.done)
		select {
		case <-closed:
		case <-ws.over:
		}
	})
	return o
}

// end closes a world beside whatever else goes on.
func (ws *worlds) end(w world) (ended chan struct{}) {
	ended = make(chan struct{})
	ws.slots <- struct{}{}
	ws.closing.Go(func() {
		err := w.close()
		ws.mu.Lock()
		if err != nil {
			ws.errs = append(ws.errs, err)
		}
		if closed := ws.closed[w]; closed != nil {
			close(closed)
			delete(ws.closed, w)
		}
		ws.mu.Unlock()
		close(ended)
		<-ws.slots
	})
	return ended
}

// closeAll waits until every world is closed.
func (ws *worlds) closeAll() error {
	ws.closing.Wait()
	close(ws.over)
	ws.kept.Wait()
	return errors.Join(ws.errs...)
}

// get is the lane's world, opened if it has none.
func (l *lane) get() (world, error) {
	if l.world != nil {
		return l.world, nil
	}
	if l.ahead == nil && l.takesSpare() {
		return l.world, nil
	}
	if l.ahead == nil {
		l.ahead = l.begin()
	}
	<-l.ahead.done
	w, err := l.ahead.world, l.ahead.err
	l.ahead = nil
	if err != nil {
		return nil, err
	}
	l.world = w
	if l.fresh() {
		l.ahead = l.begin()
	}
	return w, nil
}

// fresh says that each run gets a world of its own.
func (l *lane) fresh() bool { return l.restarts || l.e.fresh() }

// takesSpare takes the world of the second process over, as long as no lane of
// its own works there.
func (l *lane) takesSpare() bool {
	e := l.e
	if l != e.first || e.spare.world == nil || e.fresh() {
		return false
	}
	l.world, l.canaries, l.doubts.uses = e.spare.world, e.spare.canaries, e.spare.doubts.uses
	l.place = e.spare.place
	e.spare = &lane{e: e}
	return true
}

// settle chooses the place of the lane's worlds.
func (l *lane) settle() error {
	if l.place != nil || l.e.settle == nil {
		return nil
	}
	p, err := l.e.settle()
	if err != nil {
		return err
	}
	l.place = p
	l.e.worlds.mu.Lock()
	defer l.e.worlds.mu.Unlock()
	l.e.places = append(l.e.places, p)
	return nil
}

// knows is the knowledge of the lane's next run.
func (l *lane) knows() knowledge {
	if l.other != nil {
		return *l.other
	}
	return l.e.plan.knows.on(cmp.Or(l.tape, mainTape))
}

// with lets one run have other knowledge.
func (l *lane) with(k knowledge, run func() (*run, error)) (*run, error) {
	if l.e.fresh() {
		l.discard() // it has begun with another
		defer l.discard()
	}
	l.other = &k
	defer func() { l.other = nil }()
	return run()
}

// ruined leaves the place, which the victim has made unfit for another run.
func (l *lane) ruined() {
	l.discard()
	l.place = nil
}

// discard closes the world that was opened ahead.
func (l *lane) discard() {
	if l.ahead != nil {
		if <-l.ahead.done; l.ahead.err == nil {
			<-l.e.worlds.end(l.ahead.world)
		}
		l.ahead = nil
	}
}

// leave closes the lane's world and waits for it: what runs on there must not
// meet the next one, which is in the same place.
func (l *lane) leave() {
	if l.world != nil {
		<-l.e.worlds.end(l.world)
		l.doubts.stale = true
	}
	l.world, l.canaries, l.doubts.uses = nil, nil, 0
}

// drop closes the lane's world.
func (l *lane) drop() {
	if l.world != nil {
		l.e.worlds.end(l.world)
		l.doubts.stale = true
	}
	l.world, l.canaries, l.doubts.uses = nil, nil, 0
}

// close closes the one that was opened ahead, too.
func (l *lane) close() {
	for _, other := range []*lane{l.nearer, l.again} {
		if other != nil {
			other.close()
		}
	}
	l.drop()
	l.discard()
}

// tries bounds how often a schedule is run whose boundary was not reached.
const tries = 3

// result is what the attempt at a schedule came to.
type result struct {
	run      *run // nil when its boundaries never came
	problems []string
	repeated bool // it was run twice where it was clean
	// keepsState says that it was run in a process of its own since the victim
	// was seen to keep state.
	keepsState bool
	err        error
}

// plan is what is known of the way that the schedule takes.
func (l *lane) plan() *plan {
	if l.taught != nil {
		return l.taught
	}
	return l.e.plan
}

// attempt runs a schedule. A victim that takes another way each time may not
// come to its boundaries.
func (l *lane) attempt(j job) (res result) {
	schedule := j.schedule
	if l.e.opt.verb.injects() {
		return l.injected(schedule, j.taught)
	}
	l.taught = j.taught
	defer func() { l.taught = nil }()
	for range tries {
		l := l
		r, err := l.execute(schedule, false)
		if err == nil && r.unclear {
			l = l.closer()
			r, err = l.execute(schedule, false)
		}
		if err != nil {
			return result{err: err}
		}
		res.problems = append(res.problems, r.problems...)
		if r.next < len(schedule) {
			continue
		}
		if err := l.recognise(r); err != nil {
			return result{err: err}
		}
		if len(r.facts) == 0 {
			sure, err := l.confirm(r, &res)
			if err != nil {
				return result{err: err}
			}
			if !sure {
				continue
			}
			res.run = r
			return res
		}
		res.run = r
		res.err = l.detail(&res)
		return res
	}
	if !j.refined { // else what is in a directory has kept the victim from coming to a later move
		res.problems = append(res.problems, notReached(schedule))
	}
	return res
}

// recognise sees which names of an attacked run are chance, where it went a way
// that no undisturbed run goes: a fall-back to os.CreateTemp, say.
func (l *lane) recognise(r *run) error {
	if r.outcome.End == endless || !r.newNames() {
		return nil
	}
	if err := l.goAgain(r); err != nil {
		return err
	}
	r.attacker.names = r.plan.names
	r.rekey()
	l.taught = r.plan
	return nil
}

// newNames reports whether a run has names that no undisturbed run used.
func (r *run) newNames() bool {
	for _, s := range r.steps {
		if r.plan.known[s.key] {
			continue
		}
		for _, l := range s.lookups {
			if under(l.given, dirShared) && r.plan.names.strange(elements([]string{l.given})) && !r.ofMoves(l.given) {
				return true
			}
		}
	}
	return false
}

// ofMoves reports whether a name is the attacker's to choose.
func (r *run) ofMoves(name string) bool {
	if path.Base(name) == path.Base(vaultKept) {
		return true
	}
	_, rel, ok := r.inBase(name)
	return ok && slices.ContainsFunc(r.schedule, func(p placed) bool {
		return slices.ContainsFunc(p.move.things(), func(t thing) bool { return t.at == rel })
	})
}

// closer is the lane in whose world each write is seen. It costs time, and few
// runs need it.
func (l *lane) closer() *lane {
	if l.nearer == nil {
		l.nearer = &lane{e: l.e, near: true}
	}
	l.nearer.taught = l.taught
	return l.nearer
}

// detail runs a broken schedule again, with the line of every call and the
// canaries watched. Where one call can be shown twice, it is run until two runs
// agree, call by call, so that the interleaving has no call that was not made.
func (l *lane) detail(res *result) error {
	w, err := l.get()
	if err != nil {
		return err
	}
	res.repeated = !w.exact()
	schedule := res.run.schedule
	ways := [][]string{res.run.calls()}
	for range tries {
		again, err := l.execute(schedule, true)
		if err != nil {
			return err
		}
		res.problems = append(res.problems, again.problems...)
		if again.next < len(schedule) || len(again.facts) == 0 {
			return nil
		}
		res.run = again
		way := again.calls()
		if w.exact() || slices.ContainsFunc(ways, func(one []string) bool { return slices.Equal(one, way) }) {
			return nil
		}
		ways = append(ways, way)
	}
	return nil
}

// confirm runs a schedule that was clean, or in which something was injected, a
// second time where a signal can show the parent one call twice: before Linux
// 5.19, and rarely. Only what two runs agree on, call by call, has been tried as
// it was meant: what is injected into the first of the two is lost.
func (l *lane) confirm(r *run, res *result) (bool, error) {
	w, err := l.get()
	if err != nil || w.exact() {
		return err == nil, err
	}
	res.repeated = true
	again, err := l.execute(r.schedule, r.full)
	if err != nil {
		return false, err
	}
	res.problems = append(res.problems, again.problems...)
	if again.next == len(r.schedule) && r.plan.opt.verb.injects() && r.strange() {
		r.compare(again) // or two names of a way that no other run took would tell the runs apart
	}
	return again.next == len(r.schedule) && len(again.facts) == len(r.facts) && slices.Equal(r.calls(), again.calls()), nil
}

// execute is one run.
func (l *lane) execute(schedule []placed, full bool) (*run, error) {
	return l.watched(schedule, full, nil)
}

// watched calls pause at each boundary, while the victim stands at it.
func (l *lane) watched(schedule []placed, full bool, pause func(step int)) (*run, error) {
	w, err := l.get()
	if err != nil {
		return nil, err
	}
	opt, plan := l.e.opt, l.plan()
	if plan.names.root == "" {
		plan.names.place(w.disk().abs(""))
	}
	r := l.newRun(w.disk(), schedule, full)
	r.pause = pause
	r.first = l.doubts.uses == 0 && !opt.fake
	l.doubts.uses++
	o, err := w.run(r.attacker, hooks{prepared: r.prepared, at: r.at, returned: r.returned, wrote: r.wroteTo, cut: r.cutTo, locks: r.waitsForLock, knows: l.knows()})
	if err != nil {
		l.leave() // it is of no use to a schedule that comes before the search is over
		return nil, err
	}
	if r.finish(o); r.asking() {
		r.facts = nil
	}
	if len(schedule) == 0 && full && o.End == returned && o.Setup == "" {
		r.goesOn = opt.restart != nil
	}
	if len(opt.targets) > 0 && len(schedule) == 0 {
		r.left = r.targets()
	}
	w.settled(r.guard.touched)
	l.keep(r)
	if why := w.disk().unheard(); why != "" {
		r.problems = append(r.problems, why)
	}
	if o.Refused != "" {
		r.problems = append(r.problems, "the victim "+o.Refused+": that was refused, and what it did then is no ground for a verdict")
	}
	if o.Misled != "" && len(schedule) > 0 { // before, the real numbers are taken: see undisturbed
		r.problems = append(r.problems, "the victim used a process number that was made up, where it cannot be translated ("+o.Misled+"): give it the real ones with attack.Live")
	}
	if o.Drained && len(schedule) > 0 {
		r.problems = append(r.problems, readsMuch+": give it the kernel's own with attack.Live")
	}
	switch {
	case o.End != returned && o.At == "", // where it would wait at a FIFO it was turned away, and came back
		o.Spent, o.Processes > 0, o.Goroutines > 0:
		l.leave()
	case l.e.fresh():
		l.drop()
	}
	if o.Removed {
		l.ruined()
	} else if r.goesOn {
		if err := l.restart(r, w); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// newRun is a run that has not begun.
func (l *lane) newRun(d disk, schedule []placed, full bool) *run {
	opt, plan := l.e.opt, l.plan()
	r := &run{plan: plan, disk: d, full: full, last: len(schedule) >= opt.depth, schedule: schedule,
		attacker: &attacker{disk: d, sameGroup: opt.sameGroup, names: plan.names},
		guard:    newGuard(d, l.canaries), scene: &sceneState{hostile: map[id]bool{}, initial: map[string]bool{}, before: map[id]bool{}},
		counts: map[key]int{}, exposed: map[id]*exposure{}, absent: map[string]int{}, steps: make([]*step, 0, 8), open: make([]int, 0, 8), writes: map[id]int64{}, cuts: map[id]bool{}, gone: map[id]bool{}, near: l.near || opt.fake, writesFIFO: -1}
	r.guard.coarse, r.guard.loose, r.improvise = plan.coarse, opt.verb == race && !opt.fake, l.improvise
	r.attacker.reset()
	return r
}

// keep notes how the canaries stand after a run, for the next one.
func (l *lane) keep(r *run) {
	if r.guard.touched || r.guard.moved {
		l.canaries = nil
	} else if l.canaries == nil {
		l.canaries = r.guard.standing
	}
}
