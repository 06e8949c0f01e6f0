//go:build linux

package hunt_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/hunt"
)

// envList is a file with the programs, for the child processes of Prove: they
// come to the same program without making the others.
const envList = "TMPPROOF_HUNT_LIST"

// TestProgramsOnLinux holds attack's verdicts on the system's disk against the
// second attacker's. What differs is printed as it is: TMPPROOF_HUNT_PROGRAM
// tries smaller ones.
func TestProgramsOnLinux(t *testing.T) {
	var second *helper
	if os.Getenv(envList) == "" {
		second = startHelper(t)
		t.Setenv(envList, filepath.Join(t.TempDir(), "programs"))
		lines := programs(t, second)
		require.NoError(t, os.WriteFile(os.Getenv(envList), []byte(strings.Join(lines, "\n")), 0o600))
	}
	list, err := os.ReadFile(os.Getenv(envList))
	require.NoError(t, err)
	depth := number(t, envDepth, 1)
	counts := map[string]int{}
	for i, line := range strings.Split(string(list), "\n") {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			unsticky := i%2 == 1
			p, err := hunt.Parse(line)
			require.NoError(t, err)
			machine := func(s *attack.Scene) *hunt.Machine { return &hunt.Machine{Sys: hunt.LinuxSystem(s.Dir)} }
			var v *hunt.Verdict
			if second != nil {
				if v = second.ask(hunt.Question{Program: line, Unsticky: unsticky, Depth: depth}).Verdict; v.Fails || v.Idle {
					counts["proves nothing"]++
					return
				}
			}
			r := attack.Prove(t, func(s *attack.Scene) error { return machine(s).Run(p) }, options(p, unsticky, depth, machine)...)
			if v == nil {
				return
			}
			counts[map[bool]string{true: "broken", false: "safe"}[len(v.Broken) > 0]]++
			kinds, text := differences(v, r, func(schedule string) []string {
				return second.ask(hunt.Question{Program: line, Unsticky: unsticky, Schedule: schedule}).Rules
			})
			kinds = unexplained(kinds, p, depth, counts)
			for _, kind := range kinds {
				counts[kind]++
			}
			if len(kinds) > 0 {
				t.Errorf("%v, unsticky=%v: %s\n%s%s", kinds, unsticky, line, text, p.Go(false))
			}
		})
	}
	t.Log(counts)
}

func programs(t *testing.T, second *helper) []string {
	if text := os.Getenv(envProgram); text != "" {
		return []string{text, text}
	}
	n := number(t, envCount, 0)
	if n == 0 {
		t.Skipf("%s=n says how many programs are to be tried", envCount)
	}
	var lines []string
	first := number(t, envFrom, 0)
	for i := first; i < first+n; i++ {
		p := hunt.Generate(uint64(i), hunt.Lot{Linux: true, Most: number(t, envMost, 8)})
		lines = append(lines, second.ask(hunt.Question{Program: p.String(), Mend: true}).Program)
	}
	return lines
}

// TestReferenceOnLinux sees that the second attacker comes to the same on the
// system's disk as on the fake one.
func TestReferenceOnLinux(t *testing.T) {
	second := startHelper(t)
	for _, row := range verdicts {
		for _, unsticky := range []bool{false, true} {
			v := second.ask(hunt.Question{Program: row.program, Unsticky: unsticky, Depth: max(row.depth, 1)}).Verdict
			assert.Equal(t, row.want(unsticky), strings.Join(v.Rules(), " "), "%s, unsticky=%v", row.program, unsticky)
		}
	}
	fake := hunt.NewFakeGround()
	for i := range uint64(12) {
		p, err := hunt.Mended(fake, hunt.Generate(i, hunt.Lot{Most: 6}))
		require.NoError(t, err)
		want, err := hunt.Judge(fake, p, i%2 == 1, 1)
		require.NoError(t, err)
		got := second.ask(hunt.Question{Program: p.String(), Unsticky: i%2 == 1, Depth: 1}).Verdict
		assert.Equal(t, want.Rules(), got.Rules(), "%s: %v, %v", p, want.Broken, got.Broken)
	}
}
