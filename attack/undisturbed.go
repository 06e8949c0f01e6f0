package attack

import (
	"slices"
	"time"
)

// knowledge is what the runs of this verdict are given.
func (e *explorer) knowledge() knowledge {
	if e.settle == nil || e.opt.live != "" || e.opt.verb == race {
		return knowledge{}
	}
	return knowledge{held: true, at: time.Now().UnixNano()}
}

// undisturbed runs the victim without an attack: once in one process and twice
// in another. With knowledge held still they are in the same place, at the same
// time, with the same process numbers; each has another tape. No runs and no
// error says that something must not be held any more, and is not.
func (e *explorer) undisturbed() (runs []*run, err error) {
	other := e.spare
	if e.plan.knows.held {
		other = &lane{e: e, tape: firstTape}
		if err := other.settle(); err != nil {
			return nil, err
		}
		e.first.place = other.place
		other.ahead = other.begin()
	}
	e.first.ahead = e.first.begin() // while the other process runs
	for i, l := range []*lane{other, e.first, e.first} {
		var r *run
		if k := l.knows(); i == 2 && k.held {
			r, err = l.with(k.on(moreTapes), func() (*run, error) { return e.executeIn(l, nil, true) })
		} else {
			r, err = e.executeIn(l, nil, true)
		}
		if i == 0 && other != e.spare {
			other.leave() // before the next run, which is in its place
			other.close()
		}
		if err != nil {
			return nil, err
		}
		if e.gives(r.outcome) {
			e.first.leave()
			e.first.ruined() // for the next one is of other knowledge
			return nil, nil
		}
		runs = append(runs, r)
		if e.plan.hopeless = !e.comesBack(r); e.plan.hopeless {
			break
		}
	}
	return runs, nil
}

// gives lets the victim have what it could not do without, and says whether it
// was something.
func (e *explorer) gives(o *outcome) bool {
	k := &e.plan.knows
	misled, empty := o.Misled != "" && k.numbers >= 0, o.Drained && !k.devices
	if misled {
		k.numbers = -1
		e.assume(Assumption{assumedNumbers, "process numbers", "they are not held still: " + o.Misled})
	}
	if empty {
		k.devices = true
		e.assume(Assumption{assumedUnheld, "random devices", "they are the kernel's own: " + readsMuch})
	}
	return misled || empty
}

const readsMuch = "the victim reads more of /dev/urandom than is held ready (1 MiB)"

// learnNames sees which names are chance, and which are made of what others
// know. It returns the targets that were left under other knowledge.
func (e *explorer) learnNames(runs []*run) (left []target, err error) {
	n := e.plan.names
	var paths [][]string
	var contexts []context
	for _, r := range runs {
		paths, contexts = append(paths, r.subjects()), append(contexts, r.outcome.Context)
		e.unheld(r.outcome.Unheld)
	}
	if !e.plan.knows.held || len(runs) < 3 {
		n.learn(paths, contexts)
		return nil, nil
	}
	r, err := e.first.with(e.plan.knows.on(mainTape).elsewhere(), func() (*run, error) { return e.first.execute(nil, false) })
	if err != nil {
		return nil, err
	}
	var elsewhere []string
	if r.outcome.success() == runs[0].outcome.success() && r.outcome.End == returned {
		elsewhere, left = r.subjects(), r.left
	}
	n.learnHeld(paths, elsewhere, append(contexts, r.outcome.Context), e.partlyHeld)
	for tape := uint64(moreTapes + 1); tape < moreTapes+maxTapes && n.chances(); tape++ {
		r, err := e.first.with(e.plan.knows.on(tape), func() (*run, error) { return e.first.execute(nil, false) })
		if err != nil {
			return nil, err
		}
		if r.outcome.End != returned {
			break
		}
		n.drawn(elements(r.subjects()))
	}
	n.count()
	return left, nil
}

// maxTapes bounds how often a name of few characters is drawn again.
const maxTapes = 6

// unheld notes what could not be held still.
func (e *explorer) unheld(why []string) {
	for _, w := range slices.Compact(slices.Sorted(slices.Values(why))) {
		e.partlyHeld = true
		e.assume(Assumption{assumedUnheld, "time and chance", "they are not held still in each program: " + w})
	}
}
