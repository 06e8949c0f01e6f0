package hunt_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/hunt"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// What a search can be told.
const (
	envCount   = "TMPPROOF_HUNT"         // how many programs
	envFrom    = "TMPPROOF_HUNT_FROM"    // the first seed, 0 if not given
	envDepth   = "TMPPROOF_HUNT_DEPTH"   // moves in a schedule, 1 if not given
	envMost    = "TMPPROOF_HUNT_MOST"    // operations in a program, 8 if not given
	envProgram = "TMPPROOF_HUNT_PROGRAM" // just this one
)

func number(t *testing.T, name string, otherwise int) int {
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	require.NoError(t, err, "%s=%s is no number", name, v)
	return n
}

// options are those that the second attacker's powers amount to. It has no
// FIFOs, sockets and writes of its own.
func options(p *hunt.Program, unsticky bool, depth int, machine func(*attack.Scene) *hunt.Machine) []attack.Option {
	opts := []attack.Option{
		attack.ReportOnly(), attack.Depth(depth), attack.Unrelated(), attack.Budget(10 * time.Minute),
		attack.Moves(attack.Symlink, attack.Hardlink, attack.File, attack.Dir, attack.Remove),
	}
	if len(p.Before) > 0 {
		opts = append(opts, attack.Setup(func(s *attack.Scene) error { return machine(s).Prepare(p) }))
	}
	if unsticky {
		opts = append(opts, attack.Unsticky())
	}
	return opts
}

// damage are the rules of damage that were found, each with its schedule. The second
// attacker knows of no FIFO at which code waits for ever (X07), and has no
// target of which it could be said that it is not whole (X05).
func damage(r *attack.Report) map[string]string {
	found := map[string]string{}
	for _, f := range r.Findings {
		if f.Exploit && strings.HasPrefix(f.Rule.ID(), "X") && f.Rule != rules.X05 && f.Rule != rules.X07 {
			found[f.Rule.ID()] = f.Schedule
		}
	}
	return found
}

// differences are what the two verdicts do not have in common: "hole" and
// "alarm" where one says broken and the other does not, else "missed X01" and
// "said X01". The text says how. What attack alone has found is right if the
// second attacker comes to it by the same schedule; but of what stays behind
// (X08) where names have changed places with another user's it knows less.
func differences(v *hunt.Verdict, r *attack.Report, confirm func(schedule string) []string) (kinds []string, text string) {
	found := damage(r)
	var b strings.Builder
	fmt.Fprintf(&b, "  the second attacker: %v, attack: %v\n", v.Rules(), slices.Sorted(maps.Keys(found)))
	if len(r.Problems) > 0 {
		return []string{"inconclusive"}, b.String() + "  " + strings.Join(r.Problems, "\n  ") + "\n"
	}
	maps.DeleteFunc(found, func(rule, schedule string) bool {
		_, both := v.Broken[rule]
		return !both && schedule != "" && (rule == "X08" && len(v.Broken) > 0 || slices.Contains(confirm(schedule), rule))
	})
	for _, rule := range v.Rules() {
		if _, is := damage(r)[rule]; !is {
			kinds = append(kinds, "missed "+rule)
			fmt.Fprintf(&b, "  missed %s: %v\n", rule, v.Broken[rule])
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(found)) {
		if _, is := v.Broken[rule]; !is {
			kinds = append(kinds, "said "+rule)
			fmt.Fprintf(&b, "  said %s: %s\n", rule, found[rule])
		}
	}
	switch {
	case len(kinds) > 0 && len(damage(r)) == 0:
		kinds = []string{"hole"}
	case len(kinds) > 0 && len(v.Broken) == 0:
		kinds = []string{"alarm"}
	}
	return kinds, b.String()
}
