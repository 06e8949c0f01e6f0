package attack

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// maxLots is the greatest number of moves that an attempt makes on average.
const maxLots = 4

// raceOnFake is Race on the fake disk: before each operation of the victim the
// attacker draws whether to act, and what to do. Operations there are atomic,
// so that no other moment is of any interest.
func (e *explorer) raceOnFake(tick func(*RaceReport, time.Duration)) error {
	e.worlds, e.first, e.spare = newWorlds(), &lane{e: e}, &lane{e: e}
	err := e.drawLots(tick)
	if closed := e.closeWorlds(); err == nil {
		err = closed
	}
	return err
}

func (e *explorer) drawLots(tick func(*RaceReport, time.Duration)) error {
	base, err := e.baselines()
	if err != nil || len(e.report.Problems) > 0 {
		return err
	}
	e.report.Boundaries = countNames(base)
	rnd := rand.New(rand.NewPCG(uint64(e.opt.shard.index), 2)) // each shard has a luck of its own
	odds, doubt := e.odds, newDoubt()
	e.plan.undisturbed = map[string]bool{}
	for _, f := range base.facts {
		e.plan.undisturbed[f.rule.ID()+" "+e.plan.names.shape(f.path)] = true
	}
	controlled := func() ([]target, error) {
		e.first.improvise = nil
		r, err := e.executeIn(e.first, nil, true)
		if err != nil {
			return nil, err
		}
		return r.left, nil
	}
	for {
		if e.over(tick) {
			break
		}
		// A victim is not to fail at once each time: some attempts have one move.
		act := float64(1+rnd.IntN(maxLots)) / float64(max(1, len(base.steps)))
		e.first.improvise = func(r *run, b *boundary, at key) {
			if rnd.Float64() >= act {
				return
			}
			if all := r.possible(b); len(all) > 0 {
				r.schedule = append(r.schedule, placed{at: at, move: all[rnd.IntN(len(all))]})
			}
		}
		r, err := e.executeIn(e.first, nil, true)
		if err != nil {
			return fmt.Errorf("attempt %d: %w", odds.Attempts+1, err)
		}
		if err := e.judge(doubt, r, r.moved(), r.moved(), controlled); err != nil {
			return fmt.Errorf("an undisturbed run: %w", err)
		}
	}
	if err := e.settleDoubt(doubt, controlled); err != nil {
		return fmt.Errorf("an undisturbed run: %w", err)
	}
	odds.Low, odds.High = bounds(odds.Wins, odds.Attempts)
	switch {
	case odds.Attempts == 0:
		e.problem("the budget was used up before the first attempt (%s)", e.opt.budgetBy)
	case odds.Hits == 0:
		odds.Untried = fmt.Sprintf("in none of %d attempts was there anything for the attacker to do", odds.Attempts)
	}
	return nil
}

// possible are the moves that the attacker can make before a call, on what the
// call looks up.
func (r *run) possible(b *boundary) []move {
	var all []move
	for _, a := range b.accesses() {
		r.attacker.see(a)
		for _, m := range moves(a, r.reach(b, a), r.plan.opt.allows) {
			all = append(all, r.shaped(m))
		}
	}
	return all
}
