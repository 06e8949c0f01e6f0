package attack

import (
	"strings"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/tmptest"
)

// What to do about a finding, where the case says more than the rule.

// fix is what lets the code come back.
func (o *outcome) fix() string {
	switch {
	case o.At != "" || o.End == hung && strings.Contains(o.Text, "FIFO"):
		return "create with O_EXCL, or open existing names with O_NONBLOCK and refuse what is no regular file"
	case o.End == panicked:
		return "check the error before the result is used, and return it: a panic ends the program with what it has left"
	case o.End == exited && strings.HasPrefix(o.Text, "a goroutine that it started crashed"):
		return "hand the error of the goroutine to the one who waits for it: a panic there ends the program, and nothing that is deferred elsewhere runs"
	case o.End == exited:
		return "return the error instead of log.Fatal or os.Exit, which skip what is deferred"
	case o.End == endless:
		return "bound every retry, and return the last error"
	case o.End == hung:
		return "wait with a deadline (context.WithTimeout), and return its error"
	}
	return ""
}

// fixOfLeftover is by what stays.
func fixOfLeftover(rule tmptest.Rule, n node) string {
	if rule.ID != tmptest.R01.ID {
		return ""
	}
	switch n.kindName() {
	case "directory":
		return "remove the directory with os.RemoveAll in a defer right after os.MkdirTemp, or name it with Target if it is meant to stay"
	case "socket":
		return "close the listener in a defer right after net.Listen, which removes the socket, or name it with Target if it is meant to stay"
	}
	return "remove the file in a defer right after its creation, or name it with Target if it is meant to stay"
}

// fixOfInjected is for damage that comes of an error or of a kill.
func fixOfInjected(rule tmptest.Rule) string {
	if rule.ID == tmptest.X05.ID {
		return "write a temporary file in the same directory, check every error up to that of Close, and rename it to the target (os.CreateTemp, os.Rename); fill a directory before it is renamed"
	}
	return ""
}

// fixOfCreate is for a create that takes what is there.
func (r *run) fixOfCreate(p string) string {
	if r.plan.isTarget(p) {
		return "write a file of os.CreateTemp in the same directory, and rename it to the name; a lock file needs os.O_EXCL, and an existing one is an error"
	}
	return ""
}

// fixOfName is for a name that can be foretold.
func fixOfName(s *step) string {
	switch {
	case s.kind == supervise.Mkdir:
		return "use os.MkdirTemp with a * in the pattern; a directory that serves as a lock has a fixed name, and an existing one is an error"
	case s.call == "bind":
		return "make the socket in a directory of os.MkdirTemp, and tell its path to those who connect"
	case s.exclusive():
		return "use os.CreateTemp with a * in the pattern; a lock file has a fixed name, and an existing one is an error"
	}
	return ""
}

// exclusive reports whether a call makes a name only where there is none.
func (s *step) exclusive() bool {
	switch s.kind {
	case supervise.Open:
		return s.create && s.excl
	case supervise.Mkdir, supervise.Mknod, supervise.Symlink, supervise.Link:
		return true
	}
	return false
}

// meantToBeKnown reports whether a name that can be foretold is made so that
// others find it: it is always the same, or the same for a user or a host. One that
// is made of what differs from run to run is to be found by nobody.
func meantToBeKnown(why string) bool {
	return strings.HasSuffix(why, "the same in every run") || strings.Contains(why, "the user's") || strings.Contains(why, "the host's")
}

// adopted is the step, up to the given one, at which the code took what the
// attacker had put at a name for what it was to make itself, or found it there.
func (r *run) adopted(name string, last int) int {
	for i, s := range r.steps[:last+1] {
		makes := s.kind == supervise.Mkdir || s.kind == supervise.Open && s.create
		if !makes && (last == len(r.steps)-1 || s.kind != supervise.Check) {
			continue
		}
		for _, a := range s.accesses() {
			if a.last && a.path() == name && r.attacker.owns(a.node) {
				return i
			}
		}
	}
	if last == len(r.steps)-1 {
		return r.lastUse(name)
	}
	return last
}

// leaked is the step that opened the descriptor which is still open: the last one
// that no close belongs to.
func (r *run) leaked(name string) int {
	var open []int
	for i, s := range r.steps {
		switch {
		case s.topic() != name || s.answer.act == fail && s.kind == supervise.Open:
		case s.kind == supervise.Open:
			open = append(open, i)
		case s.kind == supervise.Close && len(open) > 0:
			open = open[:len(open)-1]
		}
	}
	if len(open) == 0 {
		return r.lastUse(name)
	}
	return open[len(open)-1]
}
