package attack

import (
	"slices"
	"strings"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// Some things that the attacker plants do something: he reads the FIFO, listens
// at the socket, holds the lock. A socket is met by a listener in any case. For
// the others that is a schedule of its own, which follows the one in which the
// code was seen to do what it matters for: it opens the FIFO to write, or waits
// for the lock.

const (
	variantRead   = "read"   // of FIFO: the attacker reads it
	variantLocked = "locked" // of File and Dir: the attacker holds its locks
)

// livelyMoves are no part of lastPlants: see livelier.
var livelyMoves = []move{
	{family: FIFO, variant: variantRead},
	{family: File, variant: variantLocked},
	{family: Dir, variant: variantLocked},
}

// plain gives the move that m is a variant of.
func (m move) plain() move {
	if m.variant == variantRead || m.variant == variantLocked {
		m.variant = ""
	}
	return m
}

// livelier are the schedules that follow from what the code did with what was
// planted: the same, but that the thing does something. A FIFO that he reads
// adds nothing where the line is known to write into what he made.
func (e *explorer) livelier(r *run) (all [][]placed) {
	reads := r.writesFIFO >= 0 && !e.foundAt(rules.X10.ID(), r.steps[r.writesFIFO].line)
	for i, p := range r.schedule {
		m := p.move
		m.variant = livelier(m.family, m.variant, reads, r.waitsLock)
		things := m.things()
		for j, t := range things {
			family, variant, _ := strings.Cut(t.kind, "-")
			if v := livelier(Move(family), variant, reads, r.waitsLock); v != variant && Move(family) != Dir {
				things[j].kind = family + "-" + v
			}
		}
		if m.inside = insideString(things); !fits(m, things) { // another user's directory
			m.inside = p.move.inside
		}
		if m != p.move {
			next := slices.Clone(r.schedule)
			next[i].move = m
			all = append(all, next)
		}
	}
	return all
}

// livelier is the variant of a thing that does what the code was seen to need.
func livelier(family Move, variant string, reads, waits bool) string {
	switch {
	case variant != "":
	case family == FIFO && reads:
		return variantRead
	case (family == File || family == Dir) && waits:
		return variantLocked
	}
	return variant
}

// foundAt reports whether a rule was found broken at a line of the victim's.
func (e *explorer) foundAt(rule, line string) bool { return e.found.groups[rule+"\x00"+line] != nil }

// opensToWrite reports whether a call would open a FIFO of the attacker's to
// write.
func (a *attacker) opensToWrite(b *boundary) bool {
	if !b.write || b.kind != supervise.Open || b.onlyDir || b.excl {
		return false
	}
	return slices.ContainsFunc(b.lookups, func(l lookup) bool {
		acc, ok := l.final()
		return ok && acc.node.kindName() == "FIFO" && a.owns(acc.node)
	})
}

// wroteTo is told of a write to an object that the attacker made.
func (r *run) wroteTo(o id, n int64) {
	if was, ok := r.writes[o]; n < 0 || ok && was < 0 {
		r.writes[o] = -1
	} else {
		r.writes[o] = was + n
	}
}

func (r *run) cutTo(o id) { r.cuts[o] = true }

// waitsForLock is told that the code is about to wait for a lock of an object that
// the attacker made.
func (r *run) waitsForLock() { r.waitsLock = true }
