package hunt_test

import (
	"slices"
	"strings"

	"github.com/tmpproof/tmpproof/internal/hunt"
)

// accepted are the differences between the two verdicts that have a reason, and
// how each is told. A verdict of broken against one of clean ("hole", "alarm")
// has none, nor has damage outside that was missed.
var accepted = []struct {
	name, why string
	is        func(kind string, p *hunt.Program) bool
}{{
	name: "another rule",
	why: "both say broken. attack does not go on from a schedule that broke the code, and puts in a directory what leads on to calls that " +
		"no run has shown: a further rule that only such a way breaks is not told. A verdict does not promise every rule",
	is: func(kind string, _ *hunt.Program) bool {
		return strings.HasPrefix(kind, "missed ") && kind != "missed X01"
	},
}, {
	name: "moved back",
	why: "both say broken. What the code moves into a directory of the attacker's it has made there, for attack; the second attacker compares " +
		"what the directory holds with what it held, and so sees nothing where an object is moved out and back, or a directory of the attacker's to a name of the code's",
	is: func(kind string, p *hunt.Program) bool {
		return kind == "said X06" && does(p, hunt.Rename, hunt.Move, hunt.Exchange, hunt.Link)
	},
}}

func does(p *hunt.Program, verbs ...hunt.Verb) bool {
	return slices.ContainsFunc(p.Ops, func(o hunt.Op) bool { return slices.Contains(verbs, o.Do) })
}

// reason is the name of the reason that a difference has, "" for none.
func reason(kind string, p *hunt.Program) string {
	for _, a := range accepted {
		if a.is(kind, p) {
			return a.name
		}
	}
	return ""
}

// unexplained are the differences without a reason; the others are counted.
func unexplained(kinds []string, p *hunt.Program, counts map[string]int) []string {
	var left []string
	for _, kind := range kinds {
		if why := reason(kind, p); why != "" {
			counts[kind+" ("+why+")"]++
		} else {
			left = append(left, kind)
		}
	}
	return left
}
