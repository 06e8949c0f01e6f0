package tmptest

import (
	"fmt"
	"strings"
)

// Rule is one entry of the rule book: what "safe temporary file" means, as
// something that can be checked while code runs.
type Rule struct {
	ID    string   // E06, C01, X01, ...
	Title string   // what must hold, or for the X rules what damage was seen
	Fix   string   // what to do about it, in one line
	CWE   []int    // Common Weakness Enumeration numbers
	CERT  []string // CERT secure coding rules, such as "FIO21-C"
}

// String gives the id, the title and the CWE numbers in one line.
func (r Rule) String() string {
	var b strings.Builder
	b.WriteString(r.ID)
	b.WriteString(" ")
	b.WriteString(r.Title)
	for i, c := range r.CWE {
		if i == 0 {
			b.WriteString(" (")
		} else {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "CWE-%d", c)
	}
	if len(r.CWE) > 0 {
		b.WriteString(")")
	}
	return b.String()
}

// Violation is one broken rule and what broke it.
type Violation struct {
	Rule   Rule
	Path   string
	Detail string
}

// String is one line: the rule, the path quoted where it has odd characters,
// and the detail.
func (v Violation) String() string {
	return fmt.Sprintf("%s: %q: %s", v.Rule, v.Path, v.Detail)
}
