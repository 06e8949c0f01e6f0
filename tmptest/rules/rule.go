package rules

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Rule is one entry of the rule book: its id, such as "X01". The constants of
// this package are all that there are; the methods of any other value return
// nothing.
type Rule string

// entry is what the book says of a rule.
type entry struct {
	id    Rule
	level Level
	title string
	fix   string
	when  string // the letters that RULES.md explains
	how   string
	cwe   []int
	cert  []string
}

// Level says what a broken rule does to a test.
type Level int

const (
	// Fail is for rules that fail a test; the zero value, so that a rule is
	// strict unless it says otherwise.
	Fail Level = iota
	// Warn is for rules that are logged only: advice, and what depends on the
	// machine more than on the code.
	Warn
	// OptIn is for rules that are checked only where a test asks for them.
	OptIn
)

// String returns the word that the rule book uses for the level.
func (l Level) String() string {
	switch l {
	case Fail:
		return "fail"
	case Warn:
		return "warn"
	case OptIn:
		return "opt-in"
	}
	return fmt.Sprintf("Level(%d)", int(l))
}

// entries returns the whole book in its order.
func entries() []entry {
	return slices.Concat(environment, creation, use, removal, exploits, attacks)
}

var byID = sync.OnceValue(func() map[Rule]entry {
	m := make(map[Rule]entry)
	for _, e := range entries() {
		m[e.id] = e
	}
	return m
})

// All returns all rules in the order of the rule book: the environment (E),
// creation (C), use (U), removal (R), exploits (X) and attacks (A).
func All() []Rule {
	var list []Rule
	for _, e := range entries() {
		list = append(list, e.id)
	}
	return list
}

// Known reports whether the rule book has the rule.
func (r Rule) Known() bool {
	_, ok := byID()[r]
	return ok
}

// ID returns the id, such as "X01".
func (r Rule) ID() string { return string(r) }

// Title returns what must hold, for the X rules what damage was seen, and for
// the A rules the attack.
func (r Rule) Title() string { return byID()[r].title }

// Fix returns what to do about a broken rule, in one line.
func (r Rule) Fix() string { return byID()[r].fix }

// CWE returns Common Weakness Enumeration numbers, ascending.
func (r Rule) CWE() []int { return slices.Clone(byID()[r].cwe) }

// CERT returns SEI CERT secure coding rules, such as "FIO21-C".
func (r Rule) CERT() []string { return slices.Clone(byID()[r].cert) }

// Level returns what a violation of the rule does to a test by default.
func (r Rule) Level() Level { return byID()[r].level }

// String returns the id, the title and the CWE numbers in one line.
func (r Rule) String() string { return r.Saying(r.Title()) }

// Saying returns the line of String with another title, where that fits better
// what was seen.
func (r Rule) Saying(title string) string {
	var b strings.Builder
	b.WriteString(r.ID())
	b.WriteString(" ")
	b.WriteString(title)
	for i, c := range r.CWE() {
		if i == 0 {
			b.WriteString(" (")
		} else {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "CWE-%d", c)
	}
	if len(r.CWE()) > 0 {
		b.WriteString(")")
	}
	return b.String()
}
