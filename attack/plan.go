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
	made          map[string]bool // shapes of directories it makes
	left          map[string]bool // shapes of what it leaves behind
	targets       []target
	stableTargets bool // their content is the same in every run
	known         map[key]bool
	hopeless      bool     // it does not come back by itself
	everywhere    []string // full search: entries on which moves are made at every boundary
	fresh         bool     // it keeps state: each run in a process of its own
	concurrent    bool     // goroutines of its own make calls: their order is chance
	coarse        bool     // goroutines or programs do: how far a write has come is chance
}

func (p *plan) isTarget(name string) bool { return targetMatch(p.opt.targets, name) }
func (p *plan) leaves(shape string) bool  { return p.left[shape] }

// schedule syntax: move@boundary;move@boundary

func scheduleString(s []placed) string {
	parts := make([]string, len(s))
	for i, p := range s {
		parts[i] = p.move.String() + "@" + p.at.String()
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
		mv, err1 := parseMove(m)
		k, err2 := parseKey(at)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		list = append(list, placed{k, mv})
	}
	return list, nil
}
