package attack

import "slices"

// A process serves many schedules. What the victim keeps in it from one run to
// the next can make a later one end in an error that has nothing to do with
// its move, and an error is a fine answer. So a run that ended in one, in a
// process that had served others before, is in doubt until an undisturbed run
// in that process has come out as it always does. Where it does not, the
// schedules in doubt are run again, each in a process of its own, and so are
// all that follow.

// unsure is a schedule whose result is in doubt.
type unsure struct {
	i   int // in the search
	job job
	res result
}

// doubts are those of a lane, in the order of their runs.
type doubts struct {
	list   []unsure
	erring int  // how many of them ended in an error
	now    bool // they are to be settled at once
	stale  bool // the process of one of them is gone
	asked  int  // how often they were settled
	uses   int  // runs that the lane's process has served
}

// atOnce is how many runs that end in an error are settled together. The
// numbers are prime: what a victim forgets after every second or third run
// does not come round with them.
var atOnce = []int{13, 17, 29, 31, 61}

// enough says that it is time to settle the lane's doubts.
func (d *doubts) enough() bool {
	return d.now || d.stale || d.erring >= atOnce[min(d.asked, len(atOnce)-1)]
}

// add takes a result over that is in doubt. What follows one is in doubt too.
func (d *doubts) add(i int, j job, res result, fresh bool) bool {
	errs := res.run == nil || res.run.inError()
	if fresh || res.err != nil || len(d.list) == 0 && (!errs || res.run != nil && res.run.first) {
		return false
	}
	d.list = append(d.list, unsure{i, j, res})
	if errs {
		d.erring++
	}
	d.now = d.now || res.run == nil // its boundary never came: the victim may have taken another way
	return true
}

// inError says that the run shows nothing but an error.
func (r *run) inError() bool {
	return r.outcome.End == returned && !r.outcome.Nil && len(r.facts) == 0
}

// fresh says that each schedule gets a process of its own.
func (e *explorer) fresh() bool { return e.plan.fresh || e.keepsState.Load() }

// settle posts the results that were in doubt.
func (s *search) settle(l *lane) {
	list, stale := l.doubts.list, l.doubts.stale
	erring := list[len(list)-1].res.run == nil || list[len(list)-1].res.run.inError()
	l.doubts.list, l.doubts.erring, l.doubts.now, l.doubts.stale = nil, 0, false, false
	l.doubts.asked++
	e := l.e
	if i := lastInError(list); !stale && !erring && i >= 0 {
		l.attempt(list[i].job) // what is forgotten with time is looked for right behind an error
		stale = l.doubts.stale
	}
	same := !stale || e.opt.fake
	var err error
	lost := false
	if same {
		same, err = l.unchanged()
	}
	switch {
	case err != nil:
		list[0].res = result{err: err}
	case same:
	case e.opt.fake:
		// What the others ended in, and what is left to try, says nothing.
		list, lost = list[:1], true
		list[0].res = result{problems: []string{keepsStateFake}}
	default:
		keeps := !stale && l.startsSame()
		if keeps {
			e.keepsState.Store(true)
		}
		for i := range list {
			l.drop()
			list[i].res = l.attempt(list[i].job)
			list[i].res.keepsState = keeps
		}
		l.drop()
	}
	l.doubts.stale = false
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range list {
		if !s.over {
			s.post(d.i, d.res)
		}
	}
	if lost {
		s.over = true
		s.moved.Broadcast()
	}
	if l == e.first && !s.over {
		s.widen()
	}
}

func lastInError(list []unsure) int {
	for i := len(list) - 1; i >= 0; i-- {
		if r := list[i].res.run; r == nil || r.inError() {
			return i
		}
	}
	return -1
}

const (
	keepsStateFake = "the victim keeps state: after a schedule that ended in an error, an undisturbed run did not come out as before. " +
		"What later schedules ended in says nothing then, and one process (Fake) cannot give each run a fresh start: " +
		"let the victim make what it works with anew, or leave Fake out"
	keepsStateWhy = "after a schedule that ended in an error, an undisturbed run in the same process did not come out as before: " +
		"that schedule and those after it were run in a process of their own each"
	keepsStateFrom = "the undisturbed runs in one process did not come out the same: each schedule was run in a process of its own"
)

// unchanged says that an undisturbed run in the lane's process comes out as it
// did before all schedules.
func (l *lane) unchanged() (bool, error) {
	w, err := l.get()
	if err != nil {
		return false, err
	}
	exact := w.exact()
	r, err := l.execute(nil, true)
	if err != nil {
		return false, err
	}
	return r.asBefore(l.e.base, exact), nil
}

// startsSame says the same of a new process. Where that is not so it is chance
// that decides, and not what the process has kept.
func (l *lane) startsSame() bool {
	l.drop()
	same, err := l.unchanged()
	return err == nil && same
}

// asBefore compares an undisturbed run with the first one: the result, the
// calls, and what it leaves. Where a call can be shown twice, how often one
// came says nothing.
func (r *run) asBefore(base *run, exact bool) bool {
	p := r.plan
	calls := (*run).keys
	if !exact {
		calls = (*run).callSites
	}
	return r.outcome.End == base.outcome.End && r.outcome.success() == base.outcome.success() &&
		(p.concurrent || p.coarse || slices.Equal(calls(r), calls(base))) &&
		(!p.stableTargets || sameTargets(r.left, base.left))
}

// callSites are the run's boundaries, whatever their number.
func (r *run) callSites() []string {
	var all []string
	for _, s := range r.steps {
		if s.names() {
			all = append(all, s.key.site())
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
