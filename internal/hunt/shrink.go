package hunt

import (
	"slices"
	"strings"
)

// Shrink makes a program smaller for as long as it is still wanted.
func Shrink(p *Program, wanted func(*Program) bool) *Program {
	for {
		smaller := shrinkOnce(p, wanted)
		if smaller == nil {
			return p
		}
		p = smaller
	}
}

func shrinkOnce(p *Program, wanted func(*Program) bool) *Program {
	for _, q := range smaller(p) {
		if wanted(q) {
			return q
		}
	}
	return nil
}

// smaller are the programs that are one step simpler, the simplest first.
func smaller(p *Program) []*Program {
	var list []*Program
	add := func(change func(q *Program)) {
		q := &Program{Before: slices.Clone(p.Before), Ops: slices.Clone(p.Ops)}
		change(q)
		list = append(list, q)
	}
	for i := range p.Ops {
		if len(p.Ops) > 1 {
			add(func(q *Program) { q.Ops = slices.Delete(q.Ops, i, i+1) })
		}
	}
	for i := range p.Before {
		add(func(q *Program) { // with what is in it
			q.Before = slices.DeleteFunc(q.Before, func(b string) bool {
				return b == p.Before[i] || strings.HasSuffix(p.Before[i], "/") && strings.HasPrefix(b, p.Before[i])
			})
		})
	}
	for i, o := range p.Ops {
		for _, simpler := range simplerOps(o) {
			add(func(q *Program) { q.Ops[i] = simpler })
		}
	}
	return list
}

// simplerOps are an operation's plainer forms.
func simplerOps(o Op) []Op {
	var list []Op
	add := func(change func(*Op)) {
		s := o
		change(&s)
		list = append(list, s)
	}
	if o.Form != Absolute {
		add(func(s *Op) { s.Form = Absolute })
	}
	if k := o.Do.known(); k.mode != o.Mode {
		add(func(s *Op) { s.Mode = k.mode })
	}
	if !o.Heed && !o.Do.known().check {
		add(func(s *Op) { s.Heed = true })
	}
	return list
}
