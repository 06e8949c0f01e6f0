package tmptest

import (
	"fmt"
	"slices"
	"strings"
)

// Rule is one entry of the rule book: what "safe temporary file" means, as
// something that can be checked while code runs. The rules are the variables
// of this package (E06, C01, X01, ...), and [Rules] lists them.
type Rule struct {
	ID    string   // E06, C01, X01, ...
	Title string   // what must hold; for the X rules what damage was seen, for the A rules the attack
	Fix   string   // what to do about it, in one line
	CWE   []int    // Common Weakness Enumeration numbers, ascending
	CERT  []string // CERT secure coding rules, such as "FIO21-C"

	level Level
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

// String is the word that the rule book uses for the level.
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

// Level is what a violation of the rule does to a test by default.
func (r Rule) Level() Level { return r.level }

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

// Rules returns all rules in the order of the rule book: the environment (E),
// creation (C), use (U), removal (R), exploits (X) and attacks (A). The slice
// is the caller's own.
func Rules() []Rule {
	return slices.Concat(
		environmentRules(), creationRules(), useRules(), removalRules(),
		exploitRules(), attackRules(),
	)
}

// Violation is one broken rule and what broke it.
type Violation struct {
	Rule   Rule
	Path   string // what broke it: a file, a directory, or a name
	Detail string // what was seen, in a few words

	advice bool // see Level
}

// Level is what the violation does to a test: the level of its rule, or Warn
// where the rule could not be checked or the answer is not sure. The detail
// says which.
func (v Violation) Level() Level {
	if v.advice {
		return max(Warn, v.Rule.level)
	}
	return v.Rule.level
}

// unchecked names a rule that could not be checked, and why.
func unchecked(r Rule, path, reason string) Violation {
	return Violation{Rule: r, Path: path, Detail: "not checked: " + reason, advice: true}
}

// String is one line: the rule, the path quoted as Go quotes a string, so that
// odd names stay on the line, and the detail.
func (v Violation) String() string {
	return fmt.Sprintf("%s: %q: %s", v.Rule, v.Path, oneLine(v.Detail))
}

// oneLine escapes line breaks and other control characters.
func oneLine(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			fmt.Fprintf(&b, `\x%02x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
