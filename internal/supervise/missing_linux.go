package supervise

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// MissingProc says why processes cannot be looked at here; empty when they can.
// Everything that is known of a stopped thread comes from /proc.
func MissingProc() string {
	var st unix.Statfs_t
	if err := unix.Statfs("/proc", &st); err != nil || st.Type != unix.PROC_SUPER_MAGIC {
		return "there is no /proc: mount it (mount -t proc proc /proc)"
	}
	if pid, err := os.Readlink("/proc/self"); err != nil || pid != strconv.Itoa(os.Getpid()) {
		return "/proc is that of other processes: mount that of this PID namespace (mount -t proc proc /proc)"
	}
	return ""
}
