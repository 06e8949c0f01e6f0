//go:build linux

package attack_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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
