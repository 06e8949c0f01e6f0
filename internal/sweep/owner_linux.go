package sweep

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// owner is a line that tells this process from all others of this host: the
// start of the system, the namespace that its number is of, the number, and
// when it started. It is empty where /proc does not say.
var owner = sync.OnceValue(func() string {
	at, ok := started(os.Getpid())
	if host := host(); ok && host != "" {
		return fmt.Sprintf("%s %d %s\n", host, os.Getpid(), at)
	}
	return ""
})

// host is the start of the system, and the namespace of process numbers.
var host = sync.OnceValue(func() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	ns, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(boot)) + " " + ns
})

// started is when a process was started, in ticks since the system was.
func started(pid int) (string, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", false
	}
	const startTime = 22 - 3 // field 22, counted from the third, which follows the name
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) <= startTime {
		return "", false
	}
	return string(fields[startTime]), true
}

// ended reports that the process of an owner's line is of this host and lives no
// more. Its locks may outlive it: a child that was forked has them until it runs
// its program.
func ended(line string) bool {
	var boot, ns, at string
	var pid int
	if n, _ := fmt.Sscanf(line, "%s %s %d %s\n", &boot, &ns, &pid, &at); n != 4 || host() == "" || host() != boot+" "+ns {
		return false
	}
	if now, ok := started(pid); ok {
		return now != at
	}
	return unix.Kill(pid, 0) == unix.ESRCH
}
