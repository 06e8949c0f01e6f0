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

// Also gives the arguments for a test binary with which it counts too. done
// comes when it has ended.
func Also() (args []string, done func(), err error) {
	dir := rerun.CoverDir()
	if dir == "" {
		return nil, func() {}, nil
	}
	own, err := os.MkdirTemp(dir, "child-")
	if err != nil {
		return nil, nil, err
	}
	return []string{"-test.gocoverdir=" + own}, func() { rerun.TakeCounters(own, dir) }, nil
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
