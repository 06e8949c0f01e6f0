//go:build !linux

package attack

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/internal/rerun"
)

// mechanism says why schedules cannot be run on this system.
func mechanism() string {
	return "stopping system calls at their boundary needs Linux, and this is " + runtime.GOOS
}

func serve(t *testing.T, _ *rerun.Call, _ Victim, _ *options) { t.SkipNow() }

func newPlace(*options) (place, error) { return nil, errors.ErrUnsupported }

func openOS(*testing.T, *rerun.Call, *options, start, time.Time) (world, error) {
	return nil, &unsupportedError{mechanism()}
}
