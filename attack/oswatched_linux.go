package attack

import (
	"os"
	"strconv"
	"strings"

	"github.com/tmpproof/tmpproof/internal/supervise"
)

// unsupportedReason is why the supervisor does not work here. One that is there
// already is named where it is ours.
func unsupportedReason(un *supervise.UnsupportedError) string {
	if strings.Contains(un.Reason, "another seccomp listener") && hasAncestor(os.Getpid(), "tmpleak") {
		return "tmpleak supervises this test already, and the kernel takes one supervisor only: run the tests that call package attack without -exec tmpleak"
	}
	return un.Reason
}

// hasAncestor says that a process was started by a program of that name, or by
// one that was.
func hasAncestor(pid int, name string) bool {
	for range 64 {
		if pid = supervise.Parent(pid); pid <= 1 {
			return false
		}
		comm, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
		if err == nil && strings.TrimSpace(string(comm)) == name {
			return true
		}
	}
	return false
}
