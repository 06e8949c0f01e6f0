package attack

import (
	"fmt"
	"testing"
	"time"
)

// The budget where no option says one.
const (
	proofBudget = time.Minute
	raceBudget  = 3 * time.Second
)

// byBudget is what bounds an attack where the test's own timeout does not.
const byBudget = "Budget"

// startWait is the time for a child to come to the call.
func (o *options) startWait() time.Duration { return 20 * time.Second * time.Duration(max(o.slow, 1)) }

// usedUp says that the budget ended a run.
func (o *options) usedUp(phase string) error {
	return fmt.Errorf("the budget is used up, and %s was still running (%s)", phase, o.budgetBy)
}

// setBudget sets the time for the whole exploration: what the option says, or
// usual, of which half of what the test has left is the most. An option gets
// four fifths: a tenth is between the end of a child's test and of this one.
func (o *options) setBudget(t testing.TB, usual time.Duration) {
	asked := o.budget > 0
	if !asked {
		o.budget = usual
	}
	o.budget, o.budgetBy = o.budget*time.Duration(max(o.slow, 1)), byBudget
	d, ok := t.(interface{ Deadline() (time.Time, bool) })
	if !ok {
		return
	}
	at, ok := d.Deadline()
	if !ok {
		return
	}
	share, by := time.Until(at)/2, "-timeout, of which it is half; Budget"
	if asked {
		share, by = time.Until(at)*4/5, "-timeout, of which Budget gets four fifths at most"
	}
	if share < o.budget {
		o.budget, o.budgetBy = share, by
	}
}
