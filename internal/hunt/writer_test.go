package hunt_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/hunt"
)

func TestWriters(t *testing.T) {
	for _, row := range []struct{ writer, faults, kills string }{
		{"| create! target; write~; sync~; close~ | close; remove target | onerror", "X05", "X05"}, // where its removal fails too

		{"| create! tmp; write~; sync~; close~; rename~ tmp | close; remove tmp | defer", "", "R07"},
		{"| create! tmp; write~; sync~; close~; rename~ tmp | close; remove tmp | onerror", "", "R06 R07"},
		{"| create! tmp; write~; sync~; close~; rename~ tmp | remove tmp | onerror", "R03", "R06 R07"},
		{"| create! tmp; write!; sync~; close~; rename~ tmp | close; remove tmp | onerror", "R03 R05", "R06 R07"},
		{"| create! tmp; write-; sync~; close~; rename~ tmp | close; remove tmp | defer", "X05", "R07"},
		{"| create! tmp; write~; sync-; close~; rename~ tmp | close; remove tmp | defer", "X05", "R07"},
		{"| create! tmp; write~; close-; rename~ tmp | close; remove tmp | defer", "X05", "R07"},
		{"| create! tmp; write~; close~; rename- tmp | close; remove tmp | defer", "R05 X05", "R07"},
		{"before | open! target; write~; close~ | close; remove target | onerror", "X05", "X05"},
		{"before | create! tmp; write~; close~; rename~ tmp | close; remove tmp | defer", "", "R07"},
		{"before | create! tmp; chmod~ tmp; write~; close~; rename~ tmp | close; remove tmp | defer", "", "C05 R07"},
		{"| create! tmp; close~; create! target; write~; close~; remove- tmp | close; remove target; remove tmp | onerror", "R05 R11 X05", "R06 R07 X05"},
	} {
		w, err := hunt.ParseWriter(row.writer)
		require.NoError(t, err)
		assert.Equal(t, strings.Trim(row.writer, " "), strings.Trim(w.String(), " "))
		for _, verb := range []struct {
			want  string
			judge func(*hunt.Writer) ([]string, bool, error)
		}{{row.faults, hunt.JudgeFaults}, {row.kills, hunt.JudgeKills}} {
			got, fails, err := verb.judge(w)
			require.NoError(t, err)
			assert.False(t, fails, row.writer)
			assert.Equal(t, verb.want, strings.Join(got, " "), row.writer)
		}
	}
}

// judgedBy are the rules that both sides know of.
var judgedBy = map[string][]string{
	"Faults": {"R03", "R05", "R11", "X05"},
	"Kills":  {"C05", "R06", "R07", "X05"},
}

// TestWritersByLot holds the verdicts of Faults and Kills against the
// reference's.
func TestWritersByLot(t *testing.T) {
	var list []*hunt.Writer
	if text := os.Getenv(envProgram); strings.Count(text, "|") == 3 {
		w, err := hunt.ParseWriter(text)
		require.NoError(t, err)
		list = append(list, w)
	} else if number(t, envCount, 0) == 0 {
		t.Skipf("%s=n says how many writers are to be tried", envCount)
	}
	first := number(t, envFrom, 0)
	for i := first; i < first+number(t, envCount, 0); i++ {
		list = append(list, hunt.GenerateWriter(uint64(i)))
	}
	counts := map[string]int{}
	for i, w := range list {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			compareWriter(t, w, counts)
		})
	}
	t.Log(counts)
}

func compareWriter(t *testing.T, w *hunt.Writer, counts map[string]int) {
	victim := func(s *attack.Scene) error { return (&hunt.WriterRun{Dir: s.Dir, FS: s.FS}).Run(w) }
	opts := []attack.Option{attack.Fake(), attack.ReportOnly(), attack.Target(hunt.TargetName)}
	if w.Before {
		opts = append(opts, attack.Setup(func(s *attack.Scene) error { return (&hunt.WriterRun{Dir: s.Dir, FS: s.FS}).Prepare(w) }))
	}
	for _, verb := range []struct {
		name    string
		judge   func(*hunt.Writer) ([]string, bool, error)
		perform func(*testing.T, attack.Victim, ...attack.Option) *attack.Report
	}{{"Faults", hunt.JudgeFaults, attack.Faults}, {"Kills", hunt.JudgeKills, attack.Kills}} {
		want, fails, err := verb.judge(w)
		require.NoError(t, err)
		if fails {
			counts["proves nothing"]++
			return
		}
		r := verb.perform(t, victim, opts...)
		found := map[string]string{}
		for _, f := range r.Findings {
			switch {
			case !slices.Contains(judgedBy[verb.name], f.Rule.ID()):
			case f.Schedule != "":
				found[f.Rule.ID()] = f.Schedule + " " + f.Detail
			default: // what it does undisturbed, and later at the same line, is one finding
				want = slices.DeleteFunc(want, func(rule string) bool { return rule == f.Rule.ID() })
			}
		}
		maps.DeleteFunc(found, func(rule, _ string) bool {
			return slices.ContainsFunc(r.Findings, func(f attack.Finding) bool { return f.Schedule == "" && f.Rule.ID() == rule })
		})
		counts[verb.name]++
		if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, want) {
			counts[verb.name+" differ"]++
			t.Errorf("%s of %s\n  reference: %v, attack: %v %v", verb.name, w, want, got, found)
		}
	}
}
