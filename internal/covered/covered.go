// Package covered counts, for go test -cover, what a test binary covers in
// processes that tests start for purposes of their own: as a user's test run, as
// a command. Package testing counts this process alone, up to the end of
// testing.M.Run. It is for tests; rerun counts its children by itself.
package covered

import (
	"fmt"
	"os"
	"os/exec"
	"runtime/coverage"
	"slices"
	"testing"

	"github.com/tmpproof/tmpproof/internal/rerun"
)

// Test makes a command that is a test run count too.
func Test(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if own := apart(t); own != "" {
		cmd.Args = slices.Insert(cmd.Args, 1, "-test.gocoverdir="+own)
	}
}

// Program makes a command count too that is in the test binary and ends by
// os.Exit, without package testing.
func Program(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	cmd.Env = append(cmd.Environ(), "GOCOVERDIR="+apart(t))
}

// apart is a directory for one process; to add to the one of the run is slow
// where there are many, see rerun.
func apart(t testing.TB) string {
	t.Helper()
	dir := rerun.CoverDir()
	if dir == "" {
		return ""
	}
	own, err := os.MkdirTemp(dir, "child-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rerun.TakeCounters(own, dir) })
	return own
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
