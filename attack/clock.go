package attack

import (
	"cmp"
	"time"
)

// The ways in which a run can end other than by the victim's return, and the
// bounds that make sure that it does end.

const (
	runWait   = 10 * time.Second      // for the victim's next call or its return, where the budget has room for it
	glance    = 50 * time.Millisecond // between two looks at a child that is silent; one that sleeps longer than two, then opens the other end of a FIFO, is taken for hung
	lateWait  = glance                // for a call of a goroutine that the victim has left running
	lastPause = 20 * time.Millisecond // for goroutines to end, after as much again in shorter ones
	exitWait  = 3 * time.Second       // for the exit status of a child that has ended
	fewCalls  = 64                    // a run of fewer comes to its end, whatever the budget
	busyCalls = 1000                  // within the time of a run: a victim that makes so many is at work
	maxCalls  = 60_000                // of one run; more than the 10,000 tries of a bounded retry
)

// maxCalls is the bound that ends a run which goes on calling.
func (o *options) maxCalls() int { return cmp.Or(o.calls, maxCalls) }

// The phases of a run.
const (
	inSetup   = "Setup"
	inVictim  = "the victim"
	inEnsure  = "Ensure"
	inRestart = "Restart"
)

// clock bounds one run.
type clock struct {
	patience time.Duration // for the next call
	next     time.Time     // the next call must have come
	last     time.Time     // the run must be over
	budget   time.Time     // the whole exploration must be over
	lent     int           // how often the kernel got more time
}

const maxLent = 4

// newClock leaves room for several runs that do not come back: a tenth of the
// budget for each call.
func newClock(opt *options, deadline time.Time) clock {
	p := min(runWait, opt.budget/10)
	if opt.verb == race {
		p = runWait // its budget is no measure of a run
	}
	if p > time.Second {
		p = p.Truncate(time.Second)
	}
	return clock{patience: p, budget: deadline}
}

// start begins a run.
func (c *clock) start() {
	c.lent = 0
	c.progress()
	c.last = c.next.Add(2 * c.patience)
}

// progress notes that the victim did something.
func (c *clock) progress() { c.next = time.Now().Add(c.patience) }
