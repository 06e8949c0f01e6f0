//go:build linux

package attack_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
)

// skipMissing skips a pair whose calls the system does not let the test make.
func (p pair) skipMissing(t *testing.T) {
	for _, call := range []string{p.check, p.use} {
		if why := missing()[call]; p.private() && why != "" {
			t.Skip(why)
		}
	}
}

// TestPairs breaks each pair for which damage is possible, and says the same
// of each as testdata/pairs.md, which TMPPROOF_UPDATE=1 writes.
func TestPairs(t *testing.T) {
	table := readPairs(t)
	var mu sync.Mutex
	rows := map[string]string{}
	t.Run("all", func(t *testing.T) {
		for _, p := range allPairs() {
			t.Run(p.String(), func(t *testing.T) {
				t.Parallel()
				p.skipMissing(t)
				r := attack.Prove(t, p.victim, attack.Setup(p.setup), attack.Target(pairName), attack.Unsticky(), attack.Depth(1), attack.ReportOnly())
				row := verdictOn(r)
				if p.harmless() == "" {
					assert.NotEmpty(t, row, "damage is possible, and no schedule did any")
				} else {
					assert.Empty(t, r.Findings, "no damage should be possible (%s)", p.harmless())
				}
				if os.Getenv("TMPPROOF_UPDATE") != "1" {
					assert.Equal(t, table[p.String()], p.row(row), "testdata/pairs.md says otherwise; if it is right now, write it anew with TMPPROOF_UPDATE=1")
				}
				mu.Lock()
				defer mu.Unlock()
				rows[p.String()] = row
			})
		}
	})
	if os.Getenv("TMPPROOF_UPDATE") == "1" && len(rows) == 224 && !t.Failed() {
		require.NoError(t, os.WriteFile(pairsFile, []byte(pairsTable(rows)), 0o644))
	}
}

// verdictOn lists what was carried out, and the damage seen when the use came:
// one schedule for each rule.
func verdictOn(r *attack.Report) string {
	var list []string
	seen := map[string]bool{}
	for _, f := range r.Findings {
		if !f.Exploit || seen[f.Rule.ID] || !strings.Contains(f.Line, useLine()) {
			continue
		}
		seen[f.Rule.ID] = true
		var moves []string
		for _, step := range strings.Split(f.Schedule, ";") {
			move, at, _ := strings.Cut(step, "@")
			move, _, _ = strings.Cut(move, "=")
			call := strings.Split(at, ":")
			text := move + " before " + call[0]
			if n := call[len(call)-1]; n != "1" {
				text += " " + n
			}
			moves = append(moves, text)
		}
		list = append(list, f.Rule.ID+": "+strings.Join(moves, ", "))
	}
	return strings.Join(list, "; ")
}

// row is the pair's line of the table.
func (p pair) row(verdict string) string {
	if verdict == "" {
		verdict = "no damage: " + p.harmless()
	}
	return fmt.Sprintf("| %s | %s | %s |", p.check, p.use, verdict)
}
