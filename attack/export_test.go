package attack

import (
	"math"
	"time"

	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/internal/sample"
)

// Long is asked for with TMPPROOF_LONG=1: all 224 pairs and their twins, the
// slow rows of the tables, the bounds that users have, and whatever is run
// twice to see that it says the same. It takes minutes.
var Long = sample.Long()

// Sample is every third row of a table, every ninth in a short run; a long run
// takes them all.
func Sample[T any](table []T) []T { return ShortSample(sample.Third(table, !Long)) }

// ShortSample is every third row of a table in a short run.
func ShortSample[T any](table []T) []T { return sample.Third(table, sample.Short()) }

// RaceSample is every third row of a table under -race.
func RaceSample[T any](table []T) []T { return sample.Third(table, sample.Race && !Long) }

// Slow is the factor of TMPPROOF_SLOW, for what bounds a test.
var Slow = func() time.Duration {
	n, err := rerun.Slowness()
	if err != nil {
		panic(err)
	}
	return time.Duration(n)
}()

// ManyCalls leaves it to the budget to end a victim that calls without end.
var ManyCalls = optionFunc(func(o *options) { o.calls = math.MaxInt })

// FewCalls lets a victim that calls without end be ended sooner.
var FewCalls = optionFunc(func(o *options) {
	if !Long {
		o.calls = 2000
	}
})

// RaceRuns reports whether a race on the system's own disk can be run here.
var RaceRuns = raceMissing() == ""

// Told calls f with each schedule that was run.
func Told(f func(schedule string)) Option {
	return optionFunc(func(o *options) { o.ran = func(s []placed) { f(scheduleString(s)) } })
}

// FixTexts are all that a failure can say to do about it, besides what the rule
// book has.
var FixTexts = fixTexts[fixOfRule+1:]
