package rulebook

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/tmptest/parity"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// TestWholeBook: the rules that tmptest's tests leave to others have their
// programs where its list says.
func TestWholeBook(t *testing.T) {
	text, err := os.ReadFile("../../tmptest/testdata/elsewhere.txt")
	require.NoError(t, err)
	shown := map[string]func(id string) bool{
		"attacked": func(id string) bool {
			return slices.ContainsFunc(underAttack, func(r attacked) bool { return r.rule.ID() == id })
		},
		"left": func(id string) bool {
			return slices.ContainsFunc(leaves, func(r left) bool { return r.rule.ID() == id })
		},
		"swept": func(id string) bool { return id == rules.R07.ID() },
		"parity": func(id string) bool {
			return slices.ContainsFunc(parity.TemporaryFile, func(r parity.Row[parity.CreateFunc]) bool { return r.Rule.ID() == id })
		},
		"other": func(id string) bool { return reasons[id] != "" },
	}
	for line := range strings.Lines(string(text)) {
		id, where, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || id == "#" {
			continue
		}
		if has := shown[where]; assert.NotNil(t, has, line) {
			assert.True(t, has(id), "%s is not %s", id, where)
		}
	}
}

// reasons are for the rules and attacks that no program here can show.
var reasons = map[string]string{
	"A09": "a removal removes the attacker's entry, which is no damage; R10 has what is",
	"A10": "an attack on comparisons of inode numbers: the engine plants new inodes",
	"A14": "a variant of A07 with one more move",
	"A15": "makes a race longer; where each order is set there is none",
}

// TestReasonsAreNeeded: what is shown needs no reason.
func TestReasonsAreNeeded(t *testing.T) {
	for id := range reasons {
		assert.False(t, slices.ContainsFunc(underAttack, func(r attacked) bool { return r.rule.ID() == id }), id)
	}
}
