package attack

import (
	"os"
	"testing"
	"time"
)

// Long is asked for with TMPPROOF_LONG=1: all 224 pairs and their twins, the
// slow rows of the tables, the bounds that users have, and whatever is run
// twice to see that it says the same. It takes minutes.
var Long = os.Getenv("TMPPROOF_LONG") == "1"

// Sample is every third row of a table; a long run takes them all.
func Sample[T any](table []T) []T { return third(table, !Long) }

// ShortSample is every third row of a table in a short run.
func ShortSample[T any](table []T) []T { return third(table, testing.Short()) }

func third[T any](table []T, only bool) []T {
	if !only {
		return table
	}
	var some []T
	for i := 0; i < len(table); i += 3 {
		some = append(some, table[i])
	}
	return some
}

// Slow is the factor of TMPPROOF_SLOW, for what bounds a test.
var Slow = func() time.Duration {
	n, err := slowness(os.Getenv)
	if err != nil {
		panic(err)
	}
	return time.Duration(n)
}()

// FewCalls lets a victim that calls without end be ended sooner.
var FewCalls = optionFunc(func(o *options) {
	if !Long {
		o.calls = 2000
	}
})
