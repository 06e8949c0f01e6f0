//go:build linux

package attack_test

import (
	"maps"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/sample"
)

// skipMissing skips a pair whose calls the system does not let the test make.
func (p pair) skipMissing(t *testing.T) {
	for _, call := range []string{p.check, p.use} {
		if why := missing()[call]; p.private() && why != "" {
			t.Skip(why)
		}
	}
}

// eachPair runs f for each pair, those of one set below each other: a child
// looks for its test in one set, not in 224 names. Not each run takes all of
// them: one in five, and a short run one in nine, of all sets.
func eachPair(t *testing.T, f func(t *testing.T, p pair)) {
	every := 5
	switch {
	case attack.Long || os.Getenv("TMPPROOF_UPDATE") == "1":
		every = 1
	case sample.Short():
		every = 9
	}
	sets := map[string][]pair{}
	for i, p := range allPairs() {
		if i%every == 0 {
			sets[p.set()] = append(sets[p.set()], p)
		}
	}
	for _, set := range slices.Sorted(maps.Keys(sets)) {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			for _, p := range sets[set] {
				t.Run(p.calls(), func(t *testing.T) {
					t.Parallel()
					p.skipMissing(t)
					f(t, p)
				})
			}
		})
	}
}

// TestPairs breaks each pair for which damage is possible, and says the same
// of each as testdata/pairs.md, which TMPPROOF_UPDATE=1 writes.
func TestPairs(t *testing.T) {
	table := readPairs(t)
	var mu sync.Mutex
	rows := map[string]string{}
	t.Run("all", func(t *testing.T) {
		eachPair(t, func(t *testing.T, p pair) {
			r := attack.Prove(t, p.victim, attack.Setup(p.setup), attack.Target(pairName), attack.Unsticky(), attack.Depth(1), attack.ReportOnly())
			show(t, r)
			row := verdictOn(r, useLine())
			switch {
			case p.harmless() == "":
				assert.NotEmpty(t, row, "damage is possible, and no schedule did any")
			case p.check == "rename":
				// By itself it takes whatever stands at the name into
				// the private directory; the use adds nothing.
				for _, f := range r.Findings {
					assert.Equal(t, "X03", f.Rule.ID(), f.Detail)
					assert.NotContains(t, f.Line, useLine())
				}
			default:
				assert.Empty(t, r.Findings, "no damage should be possible (%s)", p.harmless())
			}
			if os.Getenv("TMPPROOF_UPDATE") != "1" {
				assert.Equal(t, table[p.String()], p.row(row), "testdata/pairs.md says otherwise; if it is right now, write it anew with TMPPROOF_UPDATE=1")
			}
			mu.Lock()
			defer mu.Unlock()
			rows[p.String()] = row
		})
	})
	if os.Getenv("TMPPROOF_UPDATE") == "1" && len(rows) == 224 && !t.Failed() {
		require.NoError(t, os.WriteFile(pairsFile, []byte(pairsTable(rows)), 0o644))
	}
}

// TestPairTwins proves each pair's safe twin against every single move. At the
// default depth, two moves, it takes three times as long:
//
//	TMPPROOF_LONG=1 TMPPROOF_DEEP=1 go test -run '^TestPairTwins$' ./attack
func TestPairTwins(t *testing.T) {
	opts := []attack.Option{attack.Unsticky()}
	if os.Getenv("TMPPROOF_DEEP") != "1" {
		opts = append(opts, attack.Depth(1))
	}
	eachPair(t, func(t *testing.T, p pair) { attack.Prove(t, p.twin, opts...) })
}
