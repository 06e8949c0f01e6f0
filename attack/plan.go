package attack

import (
	"errors"
	"fmt"
	"strings"
)

// plan is what the undisturbed runs taught about the victim.
type plan struct {
	opt           *options
	names         *names
	knows         knowledge       // of every run but where another is asked for
	made          map[string]bool // shapes of directories it makes
	left          map[string]bool // shapes of what it leaves behind
	leftOpen      map[string]bool // and of what it leaves open, which need have no name any more
	publishes     map[string]bool // shapes of what others can read before it gets a name of Public
	passing       map[string]bool // targets that it makes and removes, under Faults and Kills
	targets       []target
	stableTargets bool            // their content is the same in every run
	loose         []*targetShape  // by pattern, of those that are not; nil in a race
	timeless      []bool          // by pattern: its content is made of no time or process number
	shapes        []*targetShape  // by pattern
	wentOn        int             // by how many seconds the clock goes on in an undisturbed run
	programs      int             // how many processes it starts
	varying       bool            // their number is not: of a race alone
	undisturbed   map[string]bool // rules and shapes of what undisturbed runs are found to do: of a race alone
	known         map[key]bool
	sites         map[site]int   // how often the undisturbed run makes a call
	occurrences   map[string]int // of boundaries in the run without the last injection, by site
	looks         removalLooks   // with which its removals begin, in that run
	hopeless      bool           // it does not come back by itself
	everywhere    []string       // full search: entries on which moves are made at every boundary
	fresh         bool           // it keeps state: each run in a process of its own
	concurrent    bool           // goroutines of its own make calls: their order is chance
	coarse        bool           // goroutines or programs do: how far a write has come is chance
}

func (p *plan) isTarget(name string) bool    { return targetMatch(p.opt.targets, name) }
func (p *plan) mayBePublic(name string) bool { return targetMatch(p.opt.public, name) }
func (p *plan) leaves(shape string) bool     { return p.left[shape] }

// schedule syntax: move@boundary;move@boundary, where an injection can stand
// for a move

func scheduleString(s []placed) string {
	parts := make([]string, len(s))
	for i, p := range s {
		parts[i] = p.what() + "@" + p.at.String()
	}
	return strings.Join(parts, ";")
}

func parseSchedule(s string) ([]placed, error) {
	var list []placed
	for part := range strings.SplitSeq(s, ";") {
		m, at, ok := strings.Cut(strings.TrimSpace(part), "@")
		if !ok {
			return nil, fmt.Errorf("%q is not of the form move@boundary", part)
		}
		k, err := parseKey(at)
		p := placed{at: k}
		if p.inject, ok = parseInjection(m); !ok {
			var merr error
			p.move, merr = parseMove(m)
			err = errors.Join(merr, err)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}
