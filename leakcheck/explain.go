package leakcheck

import (
	"errors"
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

// explain runs the tests that may have made the leaks again, each alone in a
// child process, until each leak has been seen to be made. It returns what it
// could not do.
func (s *session) explain(found []*leak) string {
	e := &explanation{s: s, claims: newClaims(s, found), trials: map[string]*trial{}, tried: map[string]bool{}, broken: map[string]bool{}, slow: time.Duration(s.opt.slow)}
	e.budget = e.slow * (explainTime + watchedTimes*s.spans.took(""))
	e.deadline = time.Now().Add(e.budget)
	e.each()
	e.twice()
	e.doubts()
	if e.why != "" {
		e.failed = append(e.failed, "run again with runtime/trace, which names a line where only one call can have made it: "+e.why)
	}
	return strings.Join(e.failed, "\n  ")
}

// explanation is the search for the tests that left something.
type explanation struct {
	*claims
	s        *session
	slow     time.Duration
	budget   time.Duration
	deadline time.Time
	trials   map[string]*trial
	order    []string // of trials
	tried    map[string]bool
	broken   map[string]bool // tests of which it is not known what they leave
	failed   []string
	why      string // there is no supervisor
}

// blame says which test removed the root, where one does so when it runs again
// by itself: first the one that ran alone when it went.
func (s *session) blame(err error, first *span) string {
	lost := (*lostError)(nil)
	if !errors.As(err, &lost) || !s.opt.explain {
		return err.Error()
	}
	slow := time.Duration(s.opt.slow)
	deadline := time.Now().Add(slow * (explainTime + watchedTimes*s.spans.took("")))
	text := err.Error()
	if first != nil {
		text += "\n    at that time ran only: " + first.test
	}
	tests := s.spans.candidates(&leak{window: first}, func(string) bool { return false })
	for i, test := range tests {
		if !time.Now().Before(deadline) {
			return text + "\n    not all tests were run again to explain this"
		}
		tr, err := s.again(test, 0, nil, earlier(deadline, slow*(oneTest+watchedTimes*s.spans.took(test))))
		switch {
		case tr != nil && tr.lost:
			return test + " " + lost.what() + "\n  repeat: " + repeat([]string{test})
		case err != nil && i == 0:
			text += fmt.Sprintf("\n    running %s again: %v", test, err)
		}
	}
	return text
}

// each runs one test after the other again, until each leak has been seen to be
// made.
func (e *explanation) each() {
	e.why = e.s.whyTraced()
	for len(e.open) > 0 {
		tests := e.s.next(e.open, e.tried)
		if len(tests) == 0 {
			return
		}
		if !time.Now().Before(e.deadline) {
			e.failed = append(e.failed, fmt.Sprintf("not all tests were run again to explain this: %v were over", e.budget.Round(time.Second)))
			return
		}
		for i, tr := range e.again(tests) {
			if tr != nil {
				e.trials[tests[i]] = tr
				e.order = append(e.order, tests[i])
				e.by(tests[i], tr)
			}
		}
		if e.why = e.s.whyTraced(); e.why != "" { // whether a name that is there is made again is not seen
			e.open = slices.DeleteFunc(e.open, func(l *leak) bool { return l.kind == source })
		}
	}
}

// again runs tests again, at the same time.
func (e *explanation) again(tests []string) []*trial {
	trials, errs := make([]*trial, len(tests)), make([]error, len(tests))
	var wg sync.WaitGroup
	for i, test := range tests {
		e.tried[test] = true
		linger := e.s.spans.linger(test, e.open)
		limit := e.slow * (oneTest + linger + watchedTimes*e.s.spans.took(test))
		wg.Go(func() { trials[i], errs[i] = e.s.again(test, linger, e.open, earlier(e.deadline, limit)) })
	}
	wg.Wait()
	for i, test := range tests {
		if errs[i] != nil {
			e.broken[test] = true
			e.failed = append(e.failed, fmt.Sprintf("running %s again: %v", test, errs[i]))
		}
	}
	return trials
}

// twice runs those tests again that have left something which fits no name, to
// see what of its name changes from run to run.
func (e *explanation) twice() {
	for _, test := range e.order {
		first := e.trials[test]
		if !slices.ContainsFunc(first.items(), func(item *leak) bool { return item.claimed == 0 && e.resembles(test, item) }) {
			continue
		}
		if !time.Now().Before(e.deadline) {
			e.failed = append(e.failed, fmt.Sprintf("not all tests were run again to explain this: %v were over", e.budget.Round(time.Second)))
			return
		}
		second := e.again([]string{test})[0]
		if second == nil {
			continue
		}
		first.twins(second)
		e.by(test, first)
	}
}

// resembles reports whether a leak could be what the item was in the first run,
// if its name were another one each time.
func (e *explanation) resembles(test string, item *leak) bool {
	return slices.ContainsFunc(e.open, func(l *leak) bool {
		return item.kind == l.kind && item.typ == l.typ && strings.Count(item.name, "/") == strings.Count(l.name, "/") && e.may(test, l)
	})
}

// doubts says of the leaks that are left why no test is named. Nobody is blamed
// by the time alone.
func (e *explanation) doubts() {
	for _, l := range e.open {
		owner := e.maker[l.name]
		switch {
		case l.kind == source:
			l.foreign = len(e.failed) == 0
		case owner != "" && l.kind != process && l.kind != elsewhere:
			l.doubt = "run again alone, " + owner + ", which made it, does not leave it so"
		case len(e.tried) == len(e.broken), l.window != nil && e.broken[l.window.test]:
		default:
			l.doubt = fmt.Sprintf("run again alone, %s it: it leaks only together with other tests, or not in each run",
				leftover.Count(len(e.tried)-len(e.broken), "test does not leave", "tests do not leave"))
		}
	}
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
