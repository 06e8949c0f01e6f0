//go:build !linux

package attack

import (
	"runtime"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/internal/rerun"
)

// raceMissing says why races cannot be run on this system.
func raceMissing() string {
	return "racing with renames that exchange two names, and with watched directories, needs Linux, and this is " + runtime.GOOS
}

func serveRace(t testing.TB, _ *rerun.Call, _ Victim, _ *options) { t.SkipNow() }

func runRace(*explorer, *rerun.Call, string, func(*RaceReport, time.Duration)) (bool, error) {
	return false, &unsupportedError{raceMissing()}
}

// tactic is one way to race.
type tactic struct{}
