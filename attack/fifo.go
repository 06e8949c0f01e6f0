package attack

import "github.com/tmpproof/tmpproof/internal/supervise"

// A FIFO that the attacker planted, and that nobody else opens, holds whoever
// opens it for ever. For the victim's own goroutine that is known at the
// boundary: its call is not let go. Another goroutine, or a program that the
// victim started, might be set free by the rest of the victim, so that it is
// let go, and hangs when nothing else moves either.

// atFIFO is the outcome of such a wait, the same either way.
func atFIFO(name string) string {
	return "it waits at the attacker's FIFO " + pretty(name) + ", which nobody else opens"
}

// waitsAt gives the attacker's FIFO at which an open would wait.
func (a *attacker) waitsAt(b *boundary) (string, bool) {
	if b.kind != supervise.Open || b.nowait || b.excl || b.onlyDir {
		return "", false
	}
	for _, l := range b.lookups {
		if acc, ok := l.final(); ok && acc.node.kindName() == "FIFO" && a.owns(acc.node) && !a.own[acc.node.id].heard {
			return acc.path(), true
		}
	}
	return "", false
}
