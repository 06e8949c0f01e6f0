package hunt_test

import (
	"slices"
	"strings"

	"github.com/tmpproof/tmpproof/internal/hunt"
)

// accepted are the differences between the two verdicts that have a reason, and
// how each is told. A verdict of broken against one of clean ("hole", "alarm")
// has none, nor has damage outside that was missed by one move.
var accepted = []struct {
	name, why string
	is        func(kind string, p *hunt.Program, depth int) bool
}{{
	name: "another rule",
	why: "both say broken. attack does not go on from a schedule that broke the code, and puts in a directory what leads on to calls that " +
		"no run has shown: a further rule that only such a way breaks is not told. A verdict does not promise every rule",
	is: func(kind string, _ *hunt.Program, depth int) bool {
		return strings.HasPrefix(kind, "missed ") && (kind != "missed X01" || depth > 1)
	},
}, {
	name: "moved back",
	why: "both say broken. What the code moves into a directory of the attacker's it has made there, for attack; the second attacker compares " +
		"what the directory holds with what it held, and so sees nothing where an object is moved out and back, or a directory of the attacker's to a name of the code's",
	is: func(kind string, p *hunt.Program, _ int) bool {
		return kind == "said X06" && does(p, hunt.Rename, hunt.Move, hunt.Exchange, hunt.Link)
	},
}, {
	name: "listed to be emptied",
	why: "both say broken. A directory of the attacker's that was listed, and then removed with what is in it, says nothing by its names. The second " +
		"attacker sees that by whatever is removed below its name, attack by the directory's own removal",
	is: func(kind string, p *hunt.Program, _ int) bool {
		return kind == "said X03" && does(p, hunt.ReadDir) && does(p, hunt.Unlink, hunt.Rmdir, hunt.Remove, hunt.RemoveAll) ||
			kind == "said X02" && does(p, hunt.RemoveAll) // another user's, on the way to removing what is in it
	},
}}

func does(p *hunt.Program, verbs ...hunt.Verb) bool {
	return slices.ContainsFunc(p.Ops, func(o hunt.Op) bool { return slices.Contains(verbs, o.Do) })
}

// reason is the name of the reason that a difference has, "" for none.
func reason(kind string, p *hunt.Program, depth int) string {
	for _, a := range accepted {
		if a.is(kind, p, depth) {
			return a.name
		}
	}
	return ""
}

// unexplained are the differences without a reason; the others are counted.
func unexplained(kinds []string, p *hunt.Program, depth int, counts map[string]int) []string {
	var left []string
	for _, kind := range kinds {
		if why := reason(kind, p, depth); why != "" {
			counts[kind+" ("+why+")"]++
		} else {
			left = append(left, kind)
		}
	}
	return left
}
