package attack

import "runtime"

// mechanism says why schedules cannot be run on this system; empty when they
// can, as far as that shows without a child.
func mechanism() string {
	switch runtime.GOARCH {
	case "amd64", "arm64":
		return ""
	}
	return "linux/" + runtime.GOARCH + " has no table of system calls yet: use amd64 or arm64"
}
