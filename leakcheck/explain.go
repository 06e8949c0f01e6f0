package leakcheck

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tmpproof/tmpproof/internal/leftover"
)

// Budgets of an explanation, besides watchedTimes what a test took.
const (
	explainTime  = 30 * time.Second // for all tests that are run again
	oneTest      = 10 * time.Second // for one of them
	watchedTimes = 4                // as long as by itself
)

// errUnsupported says why tests cannot be run again under a supervisor.
type errUnsupported struct{ reason string }

func (e *errUnsupported) Error() string { return e.reason }

// trial is a test that was run again, alone.
type trial struct {
	left []*leak // with line and via
	made []*leak // in the package's directory, whether it was there before or not
}

// explain runs the tests that may have made the leaks again, each alone in a
// child process, until each leak has been seen to be made. It returns what it
// could not do.
func (s *session) explain(found []*leak) string {
	open := slices.Clone(found)
	slow := time.Duration(s.opt.slow)
	budget := slow * (explainTime + watchedTimes*s.spans.took(""))
	deadline := time.Now().Add(budget)
	tried := map[string]bool{}
	var failed []string
	broken := map[string]bool{} // tests of which it is not known what they leave
	why := s.whyTraced()
	for len(open) > 0 {
		tests := s.next(open, tried)
		if len(tests) == 0 {
			break
		}
		if !time.Now().Before(deadline) {
			failed = append(failed, fmt.Sprintf("not all tests were run again to explain this: %v were over", budget.Round(time.Second)))
			break
		}
		trials, errs := make([]*trial, len(tests)), make([]error, len(tests))
		var wg sync.WaitGroup
		for i, test := range tests {
			tried[test] = true
			wg.Go(func() {
				trials[i], errs[i] = s.again(test, earlier(deadline, slow*(oneTest+watchedTimes*s.spans.took(test))))
			})
		}
		wg.Wait()
		for i, test := range tests {
			if trials[i] != nil {
				open = trials[i].claim(test, s.spans.times(test), open)
			}
			if errs[i] != nil {
				broken[test] = true
				failed = append(failed, fmt.Sprintf("running %s again: %v", test, errs[i]))
			}
		}
		if why = s.whyTraced(); why != "" { // whether a name that is there is made again is not seen
			open = slices.DeleteFunc(open, func(l *leak) bool { return l.kind == source })
		}
	}
	for _, l := range open {
		switch {
		case l.kind == source:
			l.foreign = len(failed) == 0
		case l.window != nil && broken[l.window.test]:
			l.test, l.doubt = l.window.test, "appeared while this test ran alone"
		case len(tried) == len(broken):
		case l.window != nil:
			l.test = l.window.test
			l.doubt = "appeared while this test ran alone; run again by itself the test does not leave it: it leaks only together with other tests, or not in each run"
		default:
			l.doubt = fmt.Sprintf("run again alone, %s it: it leaks only together with other tests, or not in each run",
				leftover.Count(len(tried)-len(broken), "test does not leave", "tests do not leave"))
		}
	}
	if why != "" {
		failed = append(failed, "run again with runtime/trace, which names a line where only one call can have made it: "+why)
	}
	return strings.Join(failed, "\n  ")
}

func earlier(deadline time.Time, d time.Duration) time.Time {
	if at := time.Now().Add(d); at.Before(deadline) {
		return at
	}
	return deadline
}

// next are the tests to run again, the likeliest for the first leak that is
// open first. It is one, or some that may run at the same time: tests that were
// parallel, where nothing was left in the directory that they share.
func (s *session) next(open []*leak, tried map[string]bool) []string {
	most := runtime.GOMAXPROCS(0)
	if slices.ContainsFunc(open, func(l *leak) bool { return l.kind == source }) {
		most = 1
	}
	var tests []string
	for _, l := range open {
		for _, test := range s.spans.candidates(l, func(test string) bool { return slices.Contains(l.likely, test) }) {
			if tried[test] || slices.Contains(tests, test) {
				continue
			}
			shared := s.spans.parallel(test)
			if len(tests) == 0 || shared {
				tests = append(tests, test)
			}
			if !shared || len(tests) >= most {
				return tests
			}
		}
	}
	return tests
}

// claim gives to each leak of the trial those that are open and look the same:
// one for each time that the test has run, first those that are alike in all,
// then those that have the same shape. It returns what remains open.
func (t *trial) claim(test string, times int, open []*leak) []*leak {
	for range times {
		open = t.claimOnce(test, open)
	}
	return open
}

func (t *trial) claimOnce(test string, open []*leak) []*leak {
	claimed := map[*leak]bool{}
	for _, alike := range []func(a, b *leak) bool{
		same,
		func(a, b *leak) bool { return a.shape() == b.shape() },
		// One of the two may not have come to its program yet.
		func(a, b *leak) bool { return a.kind == process && b.kind == process },
	} {
		for _, mine := range slices.Concat(t.left, t.made) {
			if claimed[mine] {
				continue
			}
			// What appeared while this test ran alone is its own first, what
			// appeared while another did comes last.
			i := slices.IndexFunc(open, func(l *leak) bool { return l.window != nil && l.window.test == test && alike(l, mine) })
			if i < 0 {
				i = slices.IndexFunc(open, func(l *leak) bool { return l.window == nil && alike(l, mine) })
			}
			if i < 0 {
				i = slices.IndexFunc(open, func(l *leak) bool { return alike(l, mine) })
			}
			if i < 0 {
				continue
			}
			l := open[i]
			claimed[mine] = true
			l.test, l.line, l.via, l.doubt = test, mine.line, mine.via, mine.doubt
			open = slices.Delete(open, i, i+1)
		}
	}
	return open
}

// same says that two leaks are alike in all that two runs have in common.
func same(a, b *leak) bool {
	return a.shape() == b.shape() && a.what == b.what && a.size == b.size && a.perm == b.perm
}
