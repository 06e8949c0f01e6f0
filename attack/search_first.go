package attack

import (
	"flag"
)

// failFast says that the test was run with -failfast.
func failFast() bool {
	f := flag.Lookup("test.failfast")
	return f != nil && f.Value.String() == "true"
}

// endsEarly reports whether the search ends at the first finding that fails the
// test. Code that is known to be broken is not tried less by -failfast, which is
// about tests that fail.
func (e *explorer) endsEarly() bool {
	return e.opt.firstFinding || failFast() && !e.opt.expects && !e.opt.reportOnly
}

// enough reports whether there is such a finding: damage, or a weakness that no
// schedule will turn into damage.
func (e *explorer) enough() bool {
	if !e.endsEarly() {
		return false
	}
	for _, g := range e.found.groups {
		f := g.finding
		if (f.Exploit || !g.isWeakness()) && e.opt.fails(f.Rule) && e.opt.allow[f.Rule.ID()] == "" {
			return true
		}
	}
	return false
}

// likely says how often a schedule breaks code, by its last move or injection: a
// link at a name that is created is what most fall for; an error of a write, or
// a kill before the rename, what most forget.
func likely(schedule []placed) int {
	last := schedule[len(schedule)-1]
	if !last.inject.none() {
		return likelyInjection(last)
	}
	switch {
	case last.move.family == Symlink && last.at.call == "openat":
		return 4
	case last.move.family == Symlink:
		return 3
	case last.move.family == Hardlink, last.move.family == Dir:
		return 2
	case last.move.family == FIFO:
		return 0 // takes its time
	}
	return 1
}

func likelyInjection(p placed) int {
	switch p.at.call {
	case "write", "pwrite64", "renameat", "rename", "fsync", "close":
		return 2
	case "unlinkat", "unlink", "rmdir":
		return 1
	}
	return 0
}
