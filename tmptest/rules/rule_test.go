package rules_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// TestForm keeps the texts quotable: one line, no full stop, an instruction as
// the fix; and the book in order, no rule twice.
func TestForm(t *testing.T) {
	id := regexp.MustCompile(`^[ECURXA]\d\d$`)
	cert := regexp.MustCompile(`^(FIO|POS)\d\d-(C|J)$`)
	titles, ids := make(map[string]rules.Rule), make(map[rules.Rule]bool)
	place := func(r rules.Rule) int { return strings.IndexByte("ECURXA", r.ID()[0]) }
	assert.True(t, slices.IsSortedFunc(rules.All(), func(a, b rules.Rule) int {
		if d := place(a) - place(b); d != 0 {
			return d
		}
		return strings.Compare(a.ID(), b.ID())
	}))
	for _, r := range rules.All() {
		assert.Regexp(t, id, r.ID())
		assert.False(t, ids[r], "%s stands twice", r.ID())
		ids[r] = true
		assert.True(t, r.Known())
		for _, text := range []string{r.Title(), r.Fix()} {
			assert.NotEmpty(t, text, r.ID())
			assert.NotContains(t, text, "\n", r.ID())
			assert.NotContains(t, text, "|", r.ID())
			assert.False(t, strings.HasSuffix(text, "."), "%s: %q ends with a full stop", r.ID(), text)
			assert.LessOrEqual(t, len(text), 140, "%s: %q", r.ID(), text)
			assert.Equal(t, strings.TrimSpace(text), text, r.ID())
		}
		assert.Empty(t, titles[r.Title()], "%s has the title of another rule", r.ID())
		titles[r.Title()] = r
		assert.True(t, slices.IsSorted(r.CWE()), r.ID())
		for _, c := range r.CERT() {
			assert.Regexp(t, cert, c, r.ID())
		}
	}
}

// TestCannotBeChanged: what a caller does with the slices that he was given does
// not change the book.
func TestCannotBeChanged(t *testing.T) {
	rules.X01.CWE()[0], rules.X01.CERT()[0] = 1, "x"
	assert.Equal(t, 59, rules.X01.CWE()[0])
	assert.Equal(t, "FIO21-C", rules.X01.CERT()[0])
	all := rules.All()
	all[0] = ""
	assert.Equal(t, rules.E01, rules.All()[0])
}

func TestOneLine(t *testing.T) {
	tests := map[string]struct {
		give fmt.Stringer
		want string
	}{
		"no CWE": {rules.E13, "E13 a test that changes TMPDIR, TMP, TEMP or GOTMPDIR restores them"},
		"CWEs": {
			rules.E05,
			"E05 the path holds no symbolic link but trusted ones: at most five, each owned by you or root in a secure directory (CWE-59, CWE-61)",
		},
		"level":            {rules.C17.Level(), "opt-in"},
		"level unknown":    {rules.Level(9), "Level(9)"},
		"level of no rule": {rules.Rule("").Level(), "fail"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, tt.give.String()) })
	}
	assert.Equal(t, "R13 no child lives (CWE-404, CWE-459)", rules.R13.Saying("no child lives"))
	unknown := rules.Rule("Z99")
	assert.False(t, unknown.Known())
	assert.Empty(t, unknown.Title()+unknown.Fix())
	assert.Empty(t, unknown.CWE())
}
