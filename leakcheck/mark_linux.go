package leakcheck

import (
	"math"
	"math/rand/v2"

	"golang.org/x/sys/unix"
)

// mark is a limit that every process inherits which this one starts, and its
// descendants, whatever they do to their environment, session, descriptors and
// parents: of real-time CPU without a break, in microseconds, and so high that
// nothing comes to it.
type mark struct {
	value uint64 // 0: none
	was   unix.Rlimit
}

const lowestMark = 1 << 60 // 36,000 years

// set marks what this process starts from now on.
func (m *mark) set() {
	if unix.Getrlimit(unix.RLIMIT_RTTIME, &m.was) != nil || m.was.Max != math.MaxUint64 || m.was.Cur < lowestMark {
		return // somebody uses it
	}
	value := lowestMark + rand.Uint64N(lowestMark)
	if unix.Setrlimit(unix.RLIMIT_RTTIME, &unix.Rlimit{Cur: value, Max: m.was.Max}) == nil {
		m.value = value
	}
}

// unset takes it back where nobody has changed it.
func (m *mark) unset() {
	var now unix.Rlimit
	if m.value != 0 && unix.Getrlimit(unix.RLIMIT_RTTIME, &now) == nil && now.Cur == m.value {
		_ = unix.Setrlimit(unix.RLIMIT_RTTIME, &m.was)
	}
}

// on reports whether a process has it.
func (m *mark) on(pid int) bool {
	var lim unix.Rlimit
	return m.value != 0 && unix.Prlimit(pid, unix.RLIMIT_RTTIME, nil, &lim) == nil && lim.Cur == m.value
}
