package supervise

import (
	"encoding/binary"
	"hash/fnv"
	"path"

	"github.com/tmpproof/tmpproof/internal/still"
)

// Each program has a part of the tape of its own, by where it stands in the tree:
// whose program it is, by its name, and which one of that name. The order in
// which the programs of a pipeline begin is their scheduling.

// part is a program's place in the tree.
type part uint64

// ofChild is the part of the child itself.
const ofChild part = 1

// offspring are the programs of one name, "" for a mere fork, that a process
// starts.
type offspring struct {
	parent part
	name   string
}

// next is the part of the next program of those.
func (h *held) next(of offspring) part {
	sum := fnv.New64a()
	_, _ = sum.Write(binary.LittleEndian.AppendUint64(nil, uint64(of.parent)))
	_, _ = sum.Write(binary.LittleEndian.AppendUint64([]byte(of.name), uint64(h.begun[of])))
	return part(sum.Sum64())
}

// tapeOf is the tape of a part. What the kernel gives a program at its start and
// what it draws later are not the same.
func (t *Tree) tapeOf(p part, later bool) *still.Tape {
	if later {
		p = ^p
	}
	return still.NewTape(t.held.know.Tape, uint64(p))
}

// partOf is the part of a process in the present run.
func (t *Tree) partOf(pr *process) part {
	switch h := &pr.held; {
	case pr == &t.procs.child:
		return ofChild
	case h.partOf != t.held:
		t.begins(pr, t.parentOf(pr, h.program))
	}
	return pr.held.part
}

// parentOf says whose program a process is.
func (t *Tree) parentOf(pr *process, name string) offspring {
	of := offspring{name: name}
	switch pid := Parent(pr.pid); pid {
	case t.pid:
		of.parent = ofChild
	default:
		t.procs.mu.Lock()
		parent := t.procs.others[pid]
		t.procs.mu.Unlock()
		if parent != nil && parent != pr {
			of.parent = t.partOf(parent)
		}
	}
	return of
}

// begins gives a process its part.
func (t *Tree) begins(pr *process, of offspring) {
	h := &pr.held
	h.part, h.partOf, h.tape = t.held.next(of), t.held, nil
	t.held.begun[of]++
}

// runs notes the program that a process is about to run.
func (t *Tree) runs(ev *Event) {
	h := &ev.proc.held
	h.renewed, h.program = true, ""
	if len(ev.Paths) > 0 {
		h.program = path.Base(ev.Paths[0].Raw)
	}
}

// tape is the tape of a process in the present run.
func (t *Tree) tape(pr *process) *still.Tape {
	p := t.partOf(pr)
	if h := &pr.held; h.tape == nil || h.of != t.held {
		h.tape, h.of = t.tapeOf(p, true), t.held
	}
	return pr.held.tape
}
