package tmptest

import (
	"fmt"
	"strings"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// Violation is one broken rule and what broke it.
type Violation struct {
	Rule   rules.Rule
	Path   string // what broke it: a file, a directory, or a name
	Detail string // what was seen, in a few words

	advice bool // see Level
}

// Level is what the violation does to a test: the level of its rule, or Warn
// where the rule could not be checked or the answer is not sure. The detail
// says which.
func (v Violation) Level() rules.Level {
	if v.advice {
		return max(rules.Warn, v.Rule.Level())
	}
	return v.Rule.Level()
}

// unchecked names a rule that could not be checked, and why.
func unchecked(r rules.Rule, path, reason string) Violation {
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
