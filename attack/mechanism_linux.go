package attack

import (
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

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
	return ""
}

// modules are the paths of the modules that this binary was built from.
var modules = sync.OnceValue(func() []string {
	bi, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	list := []string{bi.Main.Path}
	for _, m := range bi.Deps {
		list = append(list, m.Path)
	}
	return list
})

// ownModule says that a package belongs to a module, not to the standard
// library.
func ownModule(pkg string) bool {
	for _, m := range modules() {
		if m != "" && (pkg == m || strings.HasPrefix(pkg, m+"/")) {
			return true
		}
	}
	return false
}
