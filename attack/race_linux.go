package attack

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tmpproof/tmpproof/internal/rerun"
	"golang.org/x/sys/unix"
)

// racer holds a race.
type racer struct {
	*explorer
	lane     *lane // keeps the canaries
	call     *rerun.Call
	world    *raceWorld
	line     string // of the victim
	tick     func(*RaceReport, time.Duration)
	movers   []*mover
	rand     *rand.Rand
	list     []*tactic
	placings []placing
	believed bool // the attacker's things have an owner of their own
	doubt    *doubt
}

// threads of the attacker's.
const threads = 2

// runRace fills the report in. believed: the attacker's things had an owner of
// their own.
func runRace(e *explorer, call *rerun.Call, line string, tick func(*RaceReport, time.Duration)) (believed bool, err error) {
	r := &racer{explorer: e, doubt: newDoubt(), lane: &lane{e: e}, call: call, line: line, tick: tick}
	err = r.race()
	return r.believed, errors.Join(err, r.close())
}

// race is the whole race.
func (r *racer) race() error {
	d, err := newScene(r.opt)
	if err != nil {
		return err
	}
	d.nodes, d.lists = nil, nil
	r.world = &raceWorld{call: r.call, opt: r.opt, d: d}
	r.believed = d.ownCanaries
	seed := uint64(r.opt.shard.index) * 100 // each shard has a luck of its own
	r.rand = rand.New(rand.NewPCG(seed, 2))
	marks, err := r.undisturbed()
	if err != nil || len(r.report.Problems) > 0 {
		return err
	}
	for _, m := range marks {
		r.list = append(r.list, tactics(m, r.opt.allows)...)
	}
	r.list = append(r.list, hunts(r.opt.unsticky, r.opt.allows)...)
	if r.opt.tactics != nil {
		r.list = slices.DeleteFunc(r.list, func(t *tactic) bool { return !r.opt.tactics(t) })
	}
	if len(r.list) == 0 {
		r.odds.Untried = fmt.Sprintf("the moves %v leave nothing to race with (Moves)", r.opt.moves)
		return nil
	}
	for i := range threads {
		r.movers = append(r.movers, newMover(d, seed+uint64(i)+3))
	}
	r.placings = placings()
	odds := r.odds
	for i := 0; ; i++ {
		if r.over(r.tick) {
			break
		}
		if err := r.attempt(r.next()); err != nil {
			return fmt.Errorf("attempt %d: %w", i+1, err)
		}
	}
	if err := r.settleDoubt(r.doubt, r.controlled); err != nil {
		return fmt.Errorf("an undisturbed run: %w", err)
	}
	odds.Low, odds.High = bounds(odds.Wins, odds.Attempts)
	switch {
	case odds.Attempts == 0:
		r.problem("the budget was used up before the first attempt counted (%s)", r.opt.budgetBy)
	case odds.Hits == 0:
		odds.Untried = fmt.Sprintf("in none of %d attempts could the attacker act on a name while the code ran", odds.Attempts)
	}
	return nil
}

// next is the tactic on which the least time was spent: a maze costs a hundred
// times what a plain act does.
func (r *racer) next() *tactic {
	return slices.MinFunc(r.list, func(a, b *tactic) int { return cmp.Compare(a.spent, b.spent) })
}

// close ends the threads and the child, and removes the scene.
func (r *racer) close() error {
	for _, m := range r.movers {
		close(m.jobs)
	}
	if r.world == nil {
		return nil
	}
	r.world.stop(true)
	return r.world.d.destroy()
}

// unprotected says that the kernel treats links, files and FIFOs of another
// user in a sticky directory as it does one's own.
func unprotected() bool {
	for _, name := range []string{"symlinks", "regular", "fifos"} {
		b, err := os.ReadFile("/proc/sys/fs/protected_" + name)
		if err == nil && strings.TrimSpace(string(b)) != "0" {
			return false
		}
	}
	return true
}

// once is one run of the victim. set builds what the attacker needs; nil is
// for a run that is not attacked.
func (r *racer) once(set func(*run) error) (*run, *runTimes, error) {
	return r.drive(set, nil, nil)
}

// runTimes are the moments of an attempt.
type runTimes struct {
	begin   int64 // it was let go, ns since 1970
	took    time.Duration
	void    bool
	outcome *outcome
}

// drive runs the victim once. started lets the attacker's threads go, halted
// stops them and says whether the attempt counts.
func (r *racer) drive(set func(*run) error, started func(begin int64), halted func(one *run, end int64) (void bool)) (*run, *runTimes, error) {
	w := r.world
	if err := errors.Join(w.d.clear(r.opt, w.touched), buildMaze(w.d)); err != nil {
		return nil, nil, fmt.Errorf("clearing the scene: %w", err)
	}
	w.touched = false
	one := r.lane.newRun(w.d, nil, false)
	times := &runTimes{}
	stopped := false
	stop := func(end int64) {
		if !stopped && halted != nil {
			times.void = halted(one, end)
		}
		stopped = true
	}
	o, err := w.run(raceHooks{
		prepared: func() error {
			err := one.prepared()
			if err == nil && set != nil {
				err = set(one)
			}
			return err
		},
		started: func() {
			times.begin = time.Now().UnixNano()
			if started != nil {
				started(times.begin)
			}
		},
		returned: func(end int64) {
			if stop(end); !times.void {
				one.returned()
			}
		},
		silent: func() string { return waitsAtFIFO(one) },
	})
	if err != nil {
		stop(0)
		w.stop(false)
		return nil, nil, err
	}
	times.took, times.outcome = time.Duration(time.Now().UnixNano()-times.begin), o
	end := o.Context.End
	if end == 0 {
		end = time.Now().UnixNano()
	}
	stop(end)
	if one.outcome != nil {
		one.outcome.Context = o.Context
	}
	if !times.void {
		one.finish(o)
		if len(r.opt.targets) > 0 && set == nil {
			one.left = one.targets()
		}
	}
	if w.touched = one.guard.touched || times.void; w.touched {
		one.guard.touched = true
	}
	r.lane.keep(one)
	if o.End != returned || o.Spent || o.Processes > 0 || o.Goroutines > 0 {
		w.stop(false)
	}
	return one, times, nil
}

// attempt is one attempt by a tactic.
func (r *racer) attempt(t *tactic) error {
	if t.rhythm.length == 0 {
		t.rhythm.length = 200 * time.Microsecond
	}
	began := time.Now()
	defer func() { t.spent += time.Since(began) }()
	var s *stage
	var all []done
	place := r.placings[int(time.Now().UnixNano()/int64(placingTime))%len(r.placings)]
	one, times, err := r.drive(func(one *run) error {
		s = &stage{run: one, tactic: t}
		if err := s.set(r.rand); err != nil {
			return err
		}
		r.disown(one)
		r.pin(place)
		for i, p := range s.parts {
			p.own = func(oid id) bool { return one.attacker.own[oid] != nil }
			p.others = t.mark.others
			m := r.movers[i]
			m.begin.Store(0)
			m.stop.Store(false)
			m.doze.Store(place.doze)
			m.cpus.Store(place.attacker)
			m.jobs <- p
		}
		return nil
	}, func(begin int64) {
		for i := range s.parts {
			r.movers[i].begin.Store(begin)
		}
	}, func(one *run, end int64) (void bool) {
		for i := range s.parts {
			p := r.movers[i].halt()
			void = void || p.void || p.last > end && t.mark.others
			all = append(all, p.done...)
			if p.acted {
				s.tactic = &tactic{mark: mark{name: p.seen, others: t.mark.others}, how: t.how}
			}
		}
		s.settle()
		slices.SortStableFunc(all, func(a, b done) int { return cmp.Compare(a.at, b.at) })
		r.trace(one, s, all, end)
		return void
	})
	if err != nil {
		return err
	}
	ctx := times.outcome.Context
	from := max(ctx.Begin, times.begin)
	hit := slices.ContainsFunc(all, func(d done) bool { return d.at >= from && (ctx.End == 0 || d.at <= ctx.End) })
	t.rhythm.learn(times.took, hit)
	if times.void {
		r.odds.Void++
		return nil
	}
	r.judgeUse(one)
	return r.judge(r.doubt, one, hit, one.next > 0, r.controlled)
}

// controlled gives the targets of an undisturbed run, now and then in another
// process.
func (r *racer) controlled() ([]target, error) {
	if r.doubt.controls%50 == 0 {
		r.world.stop(true)
	}
	one, _, err := r.once(nil)
	if err != nil {
		return nil, err
	}
	return one.left, nil
}

// disown gives the attacker's things an owner of their own.
func (r *racer) disown(one *run) {
	if !r.believed {
		return
	}
	for oid, p := range one.attacker.own {
		if one.scene.hostile[oid] || p.node.uid == attackerID() {
			continue
		}
		if unix.Fchownat(r.world.d.fd, p.name, int(attackerID()), int(attackerID()), unix.AT_SYMLINK_NOFOLLOW) == nil {
			p.node.uid, p.node.gid = attackerID(), attackerID()
		}
	}
}
