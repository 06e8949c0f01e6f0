package attack

import (
	"runtime"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// mechanism says why schedules cannot be run on this system; empty when they
// can, as far as that shows without a child.
func mechanism() string {
	switch runtime.GOARCH {
	case "amd64", "arm64":
	default:
		return "linux/" + runtime.GOARCH + " has no table of system calls yet: use amd64 or arm64"
	}
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, "/", 0, unix.STATX_BASIC_STATS, &st); err != nil {
		return "statx: " + err.Error() + " (a sandbox refuses it)"
	}
	return supervise.MissingProc()
}
