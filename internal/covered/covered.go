// Package covered counts, for go test -cover, what a test binary covers in
// processes that tests start for purposes of their own: as a user's test run, as
// a command. Package testing counts this process alone, up to the end of
// testing.M.Run. It is for tests; rerun counts its children by itself.
package covered

import (
	"fmt"
	"os"
	"runtime/coverage"
	"testing"

	"github.com/tmpproof/tmpproof/internal/rerun"
)

// Also gives the argument with which a test run in a process of its own counts
// too. done comes when it has ended.
func Also() (args []string, done func(), err error) {
	own, done, err := apart()
	if own == "" {
		return nil, done, err
	}
	return []string{"-test.gocoverdir=" + own}, done, nil
}

// Program gives the variable with which a program counts too that is in the test
// binary and ends by os.Exit, without package testing.
func Program() (env string, done func(), err error) {
	own, done, err := apart()
	return "GOCOVERDIR=" + own, done, err
}

// apart is a directory for one process; to add to the one of the run is slow
// where there are many, see rerun.
func apart() (own string, done func(), err error) {
	dir := rerun.CoverDir()
	if dir == "" {
		return "", func() {}, nil
	}
	own, err = os.MkdirTemp(dir, "child-")
	return own, func() { rerun.TakeCounters(own, dir) }, err
}

// Write adds what this process has covered, once more: before it ends in another
// way than by testing.M.Run, or a good while later. Only with -covermode=atomic.
func Write() {
	if dir := rerun.CoverDir(); dir != "" && testing.CoverMode() == "atomic" {
		if err := coverage.WriteCountersDir(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}
