package attack

import (
	"slices"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// restart runs Restart on what a run has left, and judges what comes of it. Where
// the world is a process, that is another one, which is ready by now.
func (l *lane) restart(r *run, w world) error {
	again := w
	if !l.e.opt.fake {
		if l.again == nil {
			l.again = &lane{e: l.e, restarts: true, other: &knowledge{}}
		}
		if l.again.place != l.place {
			l.again.discard()
			l.again.place = l.place
		}
		var err error
		if again, err = l.again.get(); err != nil {
			return err
		}
	}
	o, err := again.restart()
	if !l.e.opt.fake {
		if err != nil || o.End != returned || o.Processes > 0 || o.Goroutines > 0 {
			l.again.leave()
		} else {
			l.again.drop()
		}
	} else if err != nil || o.Spent {
		l.leave()
	}
	if err != nil {
		return err
	}
	w.settled(true) // it may have touched anything
	l.canaries = nil
	r.judgeRestart(o)
	return nil
}

// restartJudges reports whether it is for Restart to say what a target, or a
// pattern of Target, may hold. After an error that the code has overcome, success
// is held against Ensure, or against what an undisturbed run leaves.
func (r *run) restartJudges(target string) bool {
	opt := r.plan.opt
	switch {
	case opt.restart == nil, opt.verb == faults && r.outcome.success() && opt.ensure == nil:
		return false
	case len(opt.covers) == 0, slices.Contains(opt.covers, target):
		return true
	}
	return targetMatch(opt.covers, dirShared+"/"+target)
}

// judgeRestart takes what Restart said of what a run had left.
func (r *run) judgeRestart(o *outcome) {
	r.restarted = o
	at := r.injectedAt()
	switch {
	case at < 0: // see explorer.useless
	case o.success():
		reclaimed := func(f fact) bool { return f.rule == rules.R07 && !r.disk.stat(f.path).exists() }
		r.facts = slices.DeleteFunc(r.facts, reclaimed)
	default:
		r.injectedFact(rules.X05, at, r.steps[at].subject(), "the code "+r.outcome.String()+", and Restart, on what was left, "+o.String())
		last := &r.facts[len(r.facts)-1]
		last.cause, last.fix = r.mask(o.String()), fixOfRestart(o)
	}
}

// neverEnds reports whether a run took all the time that it was given.
func (r *run) neverEnds() bool {
	ends := r.outcome.End
	return ends == hung || ends == endless || r.restarted != nil && (r.restarted.End == hung || r.restarted.End == endless)
}

// fixOfRestart is for what the code's own start does not cope with.
func fixOfRestart(o *outcome) fix {
	if o.End != returned {
		return fixStartEnds
	}
	return fixStart
}

// assumeRestart notes the targets that are Restart's to judge.
func (e *explorer) assumeRestart() {
	if e.opt.restart == nil || len(e.opt.targets) == 0 {
		return
	}
	of := e.opt.covers
	if len(of) == 0 {
		of = e.opt.targets
	}
	for _, pattern := range of {
		e.assume(Assumption{assumedTargets, pretty(dirShared + "/" + pattern), "what it holds after an error or a kill is for Restart to judge"})
	}
}
