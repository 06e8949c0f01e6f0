package attack

import (
	"cmp"
	"strings"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// fix is what to do about a finding, where the case says more than the rule.
type fix uint8

const (
	fixOfRule fix = iota // as the rule book has it
	fixFIFO
	fixLock
	fixPanic
	fixGoroutine
	fixExit
	fixEndless
	fixWait
	fixDirectory
	fixSocket
	fixFile
	fixInPlace
	fixCreate
	fixNameOfDirectory
	fixNameOfSocket
	fixNameOfFile
	fixTraversal
	fixSwapped
	fixProcess
	fixKilled
	fixPublic
	fixStart
	fixStartEnds
	fixes // how many there are
)

// fixTexts are all that can be said: each has a row in the tests, whose victim
// follows it to the letter.
var fixTexts = [fixes]string{
	fixFIFO:            "create with O_EXCL, or open existing names with O_NONBLOCK and refuse what is no regular file",
	fixLock:            "ask for the lock without waiting (LOCK_NB, F_SETLK) and return an error where it is held, or keep the file where only its owner can open it",
	fixPanic:           "check the error before the result is used, and return it: a panic ends the program with what it has left",
	fixGoroutine:       "hand the error of the goroutine to the one who waits for it: a panic there ends the program, and nothing that is deferred elsewhere runs",
	fixExit:            "return the error instead of log.Fatal or os.Exit, which skip what is deferred",
	fixEndless:         "bound every retry, and return the last error",
	fixWait:            "wait with a deadline (context.WithTimeout), and return its error",
	fixDirectory:       "remove the directory with os.RemoveAll in a defer right after os.MkdirTemp, or name it with Target if it is meant to stay",
	fixSocket:          "close the listener in a defer right after net.Listen, which removes the socket, or name it with Target if it is meant to stay",
	fixFile:            "remove the file in a defer right after its creation, or name it with Target if it is meant to stay",
	fixInPlace:         "write a temporary file in the same directory, check every error up to that of Close, and rename it to the target (os.CreateTemp, os.Rename); fill a directory before it is renamed",
	fixCreate:          "write a file of os.CreateTemp in the same directory, and rename it to the name; a lock file needs os.O_EXCL, and an existing one is an error",
	fixNameOfDirectory: "use os.MkdirTemp with a * in the pattern; a directory that serves as a lock has a fixed name, and an existing one is an error",
	fixNameOfSocket:    "make the socket in a directory of os.MkdirTemp, and tell its path to those who connect",
	fixNameOfFile:      "use os.CreateTemp with a * in the pattern; a lock file has a fixed name, and an existing one is an error",
	fixTraversal:       "refuse names that lead out of the directory (filepath.IsLocal), or work through os.Root, which refuses them too",
	fixSwapped:         "open the directory once (os.OpenRoot), see that it is the one that was made (Root.Stat, its owner), and do everything relative to it",
	fixProcess:         "end the process on every path and wait for it before the return: exec.CommandContext with a context that is cancelled, then cmd.Wait",
	fixKilled:          "use a file without a name (O_TMPFILE), or remove the name right after the creation; for a file that needs its name, remove at the next start what an earlier run left, and say so with Allow(R07, ...)",
	fixStart:           "let the start of the code cope with what a cut write leaves: give each record its length and a checksum, and truncate the log behind the last whole one; or write a temporary file and rename it (os.CreateTemp, os.Rename)",
	fixStartEnds:       "let the start of the code cope with each state that a cut write and a kill can leave: bound what it reads and waits for, and return an error that says what is wrong",
	fixPublic:          "write it under a name of os.CreateTemp, give it its mode with f.Chmod when all is written, and rename it",
}

// of is the text for a finding of a rule.
func (f fix) of(rule rules.Rule) string { return cmp.Or(fixTexts[f], rule.Fix()) }

// fix is what lets the code come back.
func (o *outcome) fix() fix {
	switch {
	case o.At != "" && o.Text == atFIFO(o.At):
		return fixFIFO
	case o.At != "":
		return fixLock
	case o.End == panicked:
		return fixPanic
	case o.End == exited && strings.HasPrefix(o.Text, "a goroutine that it started crashed"):
		return fixGoroutine
	case o.End == exited:
		return fixExit
	case o.End == endless:
		return fixEndless
	case o.End == hung:
		return fixWait
	}
	return fixOfRule
}

// fixOfLeftover is by what stays.
func fixOfLeftover(rule rules.Rule, n node) fix {
	if rule != rules.R01 {
		return fixOfRule
	}
	switch n.kindName() {
	case "directory":
		return fixDirectory
	case "socket":
		return fixSocket
	}
	return fixFile
}

// fixOfInjected is for damage that comes of an error or of a kill.
func fixOfInjected(rule rules.Rule) fix {
	switch rule.ID() {
	case rules.X05.ID():
		return fixInPlace
	case rules.R07.ID():
		return fixKilled
	}
	return fixOfRule
}

// fixOfAdopted is for a directory of the attacker's that the code uses at step i:
// it stands where the code had made its own, or was there before.
func (r *run) fixOfAdopted(dir string, i int) fix {
	for _, s := range r.steps[:i+1] {
		if s.kind != supervise.Mkdir || len(s.lookups) == 0 {
			continue
		}
		if a, ok := s.lookups[len(s.lookups)-1].final(); ok && a.path() == dir && !a.node.exists() {
			return fixSwapped
		}
	}
	return fixOfRule
}

// fixOfCreate is for a create that takes what is there.
func (r *run) fixOfCreate(p string) fix {
	if r.plan.isTarget(p) {
		return fixCreate
	}
	return fixOfRule
}

// fixOfName is for a name that can be foretold.
func fixOfName(s *step) fix {
	switch {
	case s.kind == supervise.Mkdir:
		return fixNameOfDirectory
	case s.call == "bind":
		return fixNameOfSocket
	case s.exclusive():
		return fixNameOfFile
	}
	return fixOfRule
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
// attacker had put at a name for what it was to make itself; or else the last
// that used it, where that is asked for; or else the first that found it there.
func (r *run) adopted(name string, last int, used bool) int {
	use, look := -1, -1
	for i, s := range r.steps[:last+1] {
		for _, a := range s.accesses() {
			switch {
			case !a.last || a.path() != name || !r.attacker.owns(a.node):
			case s.kind == supervise.Mkdir || s.kind == supervise.Open && s.create:
				return i
			case s.kind == supervise.Check && look < 0:
				look = i
			case s.kind != supervise.Check && used:
				use = i
			}
		}
	}
	switch {
	case use >= 0:
		return use
	case look >= 0:
		return look
	case last < len(r.steps)-1:
		return last
	}
	return r.lastUse(name)
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
