package attack_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
)

const pairsFile = "testdata/pairs.md"

// pairsTable is the committed table.
func pairsTable(rows map[string]string) string {
	var b strings.Builder
	broken := 0
	for _, r := range rows {
		if r != "" {
			broken++
		}
	}
	fmt.Fprintf(&b, `# The 224 check/use pairs of Wei and Pu (FAST'05)

Written by %s, from what attack.Prove found; the test fails when it finds otherwise.

The pair is two calls on one name that anybody can foretell, in a shared directory without the sticky bit. In group 1 the use relies on the
name's absence, in group 2 on its being the same object. Everything else that the pair needs lies in a private directory.
For each rule that was broken when the use came, the row says by which move, and before which call of the code ("openat 2" is its second openat).

%d pairs are broken. In the other %d no attacker can do damage:

`, "`TMPPROOF_UPDATE=1 go test -run '^TestPairs$' ./attack`", broken, len(rows)-broken)
	for _, r := range reasons {
		fmt.Fprintf(&b, "- *%s*: %s\n", r.class, r.text)
	}
	last := ""
	for _, p := range allPairs() {
		if set := p.first + ", " + p.second; set != last {
			last = set
			fmt.Fprintf(&b, "\n## Group %d: %s\n\n| check | use | verdict |\n|---|---|---|\n", p.group, set)
		}
		b.WriteString(p.row(rows[p.String()]) + "\n")
	}
	return b.String()
}

// readPairs gives the rows of the committed table by pair.
func readPairs(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile(pairsFile)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	rows, set := map[string]string{}, ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if _, title, ok := strings.Cut(line, ": "); ok && strings.HasPrefix(line, "## ") {
			set = strings.ReplaceAll(title, ", ", "-")
		}
		if cells := strings.Split(line, " | "); len(cells) == 3 {
			rows[set+"/"+strings.TrimPrefix(cells[0], "| ")+"-"+cells[1]] = line
		}
	}
	return rows
}

// verdictOn lists what was carried out: one schedule for each rule, first
// those of which the damage came with the use. Where the check is the same
// call, one finding stands for both: it has one line.
func verdictOn(r *attack.Report, useLine string) string {
	var parts [2][]string
	seen := map[string]bool{}
	for i, use := range []bool{true, false} {
		for _, f := range r.Findings {
			if !f.Exploit || seen[f.Rule.ID()] || strings.Contains(f.Line, useLine) != use {
				continue
			}
			seen[f.Rule.ID()] = true
			parts[i] = append(parts[i], f.Rule.ID()+": "+movesOf(f.Schedule))
		}
	}
	verdict := strings.Join(parts[0], "; ")
	if len(parts[0]) > 0 && len(parts[1]) > 0 {
		verdict += "; with the check " + strings.Join(parts[1], "; ")
	}
	return verdict
}

// movesOf is a schedule without what changes with the source.
func movesOf(schedule string) string {
	var moves []string
	for step := range strings.SplitSeq(schedule, ";") {
		move, at, _ := strings.Cut(step, "@")
		move, _, _ = strings.Cut(move, "=")
		boundary := strings.Split(at, ":") // call:path:file:line:n
		text := move + " before " + boundary[0]
		if n := boundary[len(boundary)-1]; n != "1" {
			text += " " + n
		}
		moves = append(moves, text)
	}
	return strings.Join(moves, ", ")
}

// row is the pair's line of the table.
func (p pair) row(verdict string) string {
	if why := p.harmless(); why != "" {
		if verdict != "" {
			verdict = "; with the check " + verdict
		}
		verdict = "no damage: " + why + verdict
	}
	return fmt.Sprintf("| %s | %s | %s |", p.check, p.use, verdict)
}
