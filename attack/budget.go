package attack

import (
	"testing"
	"time"
)

// The budget where no option says one.
const (
	proofBudget = time.Minute
	raceBudget  = 3 * time.Second
)

// startWait is the time for a child to come to the call.
func (o *options) startWait() time.Duration { return 20 * time.Second * time.Duration(max(o.slow, 1)) }

// budget is the time for the whole exploration: what the option says, or usual,
// of which half of what the test has left is the most.
func budget(t testing.TB, opt *options, usual time.Duration) time.Duration {
	slow := time.Duration(opt.slow)
	if opt.budget > 0 {
		return opt.budget * slow
	}
	b := usual * slow
	if d, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if at, ok := d.Deadline(); ok {
			b = min(b, time.Until(at)/2)
		}
	}
	return b
}
