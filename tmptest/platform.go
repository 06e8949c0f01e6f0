package tmptest

import "github.com/tmpproof/tmpproof/tmptest/rules"

// skippedRule is a rule that a system gives no means to check.
type skippedRule struct {
	rule   rules.Rule
	reason string
}

// uncheckedHere names the rules that cannot be checked on this system.
func uncheckedHere(path string) []Violation {
	var found []Violation
	for _, s := range platformUnchecked {
		found = append(found, unchecked(s.rule, path, s.reason))
	}
	return found
}
