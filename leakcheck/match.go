package leakcheck

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/tmpproof/tmpproof/internal/leftover"
)

// trial is a test that was run again, alone.
type trial struct {
	left   []*leak // with line and via
	made   []*leak // in the package's directory, whether it was there before or not
	traced bool    // which part of a name os has drawn is not known
	lost   bool    // the root was removed
}

// items are the things that the trial has left.
func (t *trial) items() []*leak { return slices.Concat(t.left, t.made) }

// fits reports whether another run of the test can have given the leak's name to
// the item: the same name but for the parts that os has drawn, or that were seen
// to differ from run to run.
func (item *leak) fits(l *leak, traced bool) bool {
	switch {
	case item.kind != l.kind || item.typ != l.typ:
		return false
	case item.name == l.name:
		return true
	case item.elems == nil:
		return traced && item.shape() == l.shape()
	}
	parts := strings.Split(l.name, "/")
	return slices.EqualFunc(item.elems, parts, leftover.Elem.Match)
}

// twins are what a second run of the test has made by the same call, at the same
// line, in the same order. The parts in which their names differ are not the
// same in each run.
func (t *trial) twins(second *trial) {
	key := func(l *leak) string {
		return strings.Join([]string{fmt.Sprint(l.kind, l.typ), l.line, l.via, l.call}, "\x00")
	}
	of := map[string][]*leak{}
	for _, l := range second.items() {
		of[key(l)] = append(of[key(l)], l)
	}
	for _, list := range of {
		bySeq(list)
	}
	items := t.items()
	bySeq(items)
	for _, l := range items {
		k := key(l)
		if len(of[k]) == 0 {
			continue
		}
		twin := of[k][0]
		of[k] = of[k][1:]
		a, b := strings.Split(l.name, "/"), strings.Split(twin.name, "/")
		if len(a) != len(b) {
			continue
		}
		elems := slices.Clone(l.elems)
		if elems == nil {
			elems = make([]leftover.Elem, len(a))
			for i := range a {
				elems[i] = leftover.Elem{Before: a[i]}
			}
		}
		for i := range a {
			if a[i] != b[i] && !elems[i].Star {
				elems[i] = leftover.Compare(a[i], b[i])
			}
		}
		l.elems = elems
	}
}

func bySeq(list []*leak) {
	slices.SortStableFunc(list, func(a, b *leak) int { return cmp.Compare(a.seq, b.seq) })
}

// claims gives leaks to tests by what their trials have left.
type claims struct {
	s    *session
	open []*leak // to which no test was found
	// what was left at a name: several findings of one file are of one test
	kinds  map[string]string
	maker  map[string]string
	byName map[string][]*leak
}

func newClaims(s *session, found []*leak) *claims {
	c := &claims{s: s, open: slices.Clone(found), kinds: kindsOf(found), maker: map[string]string{}, byName: map[string][]*leak{}}
	for _, l := range found {
		c.byName[l.name] = append(c.byName[l.name], l)
	}
	return c
}

// kindsOf tells by name in which ways a file was left: there, open, mapped.
func kindsOf(list []*leak) map[string]string {
	kinds := map[string]string{}
	for _, l := range list {
		if l.kind != process && l.kind != elsewhere {
			kinds[l.name] += fmt.Sprint(l.kind, " ")
		}
	}
	return kinds
}

// by claims for a test what its trial has left, one leak for each time that the
// test has run, and for a benchmark any number.
func (c *claims) by(test string, tr *trial) {
	times := c.s.spans.times(test)
	if strings.HasPrefix(test, "Benchmark") {
		times = len(c.open)
	}
	kinds := kindsOf(tr.items())
	for _, item := range tr.items() {
		for item.claimed < times && c.claim(test, tr, item, kinds) {
			item.claimed++
		}
	}
	// Of a process, one of the two may not have come to its program yet.
	for _, item := range tr.items() {
		if item.kind != process || item.claimed >= times {
			continue
		}
		if i := slices.IndexFunc(c.open, func(l *leak) bool { return l.kind == process && !l.taken && c.may(test, l) }); i >= 0 {
			c.take(c.open[i], test, item)
			item.claimed++
		}
	}
	c.open = slices.DeleteFunc(c.open, func(l *leak) bool { return l.taken })
}

// claim finds the leak that is likest to the item.
func (c *claims) claim(test string, tr *trial, item *leak, kinds map[string]string) bool {
	best, found := 0, (*leak)(nil)
	for _, list := range [][]*leak{c.byName[item.name], c.open} {
		for _, l := range list {
			if l.taken || !item.fits(l, tr.traced) || !c.may(test, l) {
				continue
			}
			own := l.window == nil || l.window.test == test // what appeared while another test ran alone comes last
			n := rank(item.name == l.name, kinds[item.name] == c.kinds[l.name], own, l.window != nil, item.perm == l.perm && item.what == l.what, item.size == l.size)
			if n > best {
				best, found = n, l
			}
			if n >= rank(false, true, true, true, true, true) || item.name == l.name && own {
				break
			}
		}
		if found != nil && found.name == item.name {
			break
		}
	}
	if found != nil {
		c.take(found, test, item)
	}
	return found != nil
}

// rank weighs what two things have in common, the weightiest first.
func rank(alike ...bool) int {
	n := 1
	for _, a := range alike {
		n <<= 1
		if a {
			n++
		}
	}
	return n
}

// may reports whether nothing speaks against it that the test has left l.
func (c *claims) may(test string, l *leak) bool {
	if owner, ok := c.maker[l.name]; ok && l.kind != process && l.kind != elsewhere && owner != test {
		return false // another finding of a file that another test has made
	}
	return !c.s.spans.replaced(test, l) && c.s.spans.can(test, l)
}

func (c *claims) take(l *leak, test string, item *leak) {
	l.taken = true
	if l.kind != process && l.kind != elsewhere {
		c.maker[l.name] = test
	}
	l.test, l.line, l.via, l.renamed, l.doubt = test, item.line, item.via, item.renamed, item.doubt
	if item.test == test || strings.HasPrefix(item.test, test+"/") {
		l.test = item.test
	}
	if item.name != l.name {
		a, b := path.Split(item.name)
		x, y := path.Split(l.name)
		if a == x {
			l.masked = x + leftover.Common(b, y)
		} else {
			l.masked = leftover.Common(item.name, l.name)
		}
	}
}
