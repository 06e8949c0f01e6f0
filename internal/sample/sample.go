// Package sample says how much of its tables a run of our own tests takes. All
// of it, with TMPPROOF_LONG=1, is an hour; the usual run is a minute or two for
// each package, and -short and -race, under which each of the many processes that
// the tests start takes many times as long, have a part of that. What is left
// out is the same each time, and every run with TMPPROOF_LONG=1 has it.
package sample

import (
	"os"
	"testing"
)

// Long says that everything is asked for: TMPPROOF_LONG=1.
func Long() bool { return os.Getenv("TMPPROOF_LONG") == "1" }

// Short says that less than usual is: by -short, or by -race.
func Short() bool { return !Long() && (Race || testing.Short()) }

// Third is every third row of a table, where only that is wanted.
func Third[T any](table []T, only bool) []T {
	if !only {
		return table
	}
	var some []T
	for i := 0; i < len(table); i += 3 {
		some = append(some, table[i])
	}
	return some
}
