package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tmpproof/tmpproof/internal/leftover"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// brokenRule is a rule of creation that a line of code broke, whoever called it.
type brokenRule struct {
	Rule    string   `json:"rule"`
	Title   string   `json:"title"`
	Path    string   `json:"path"` // of the first time
	How     string   `json:"how"`
	Times   int      `json:"times"`
	Tests   []string `json:"tests,omitempty"`
	Where   string   `json:"where,omitempty"`   // lines, the innermost first
	Callers []string `json:"callers,omitempty"` // of the same innermost line, other chains
	Via     string   `json:"via,omitempty"`

	rule rules.Rule
	fix  string
}

// mostCallers bounds the chains that lead to one line.
const mostCallers = 50

// at is the line of code that broke the rule.
func (k *brokenRule) at() string { return innermost(k.Where) + " " + k.Via }

func innermost(chain string) string {
	line, _, _ := strings.Cut(chain, " < ")
	return line
}

// spot is a line of code, with the rules that it broke.
type spot struct {
	ids   string
	rules []*brokenRule
}

// spots are the lines that broke rules, those that broke the same ones together.
func (r *result) spots() []*spot {
	byLine := map[string]*spot{}
	var list []*spot
	for _, k := range r.Broken {
		s := byLine[k.at()]
		if s == nil || k.Where == "" {
			s = &spot{}
			byLine[k.at()] = s
			list = append(list, s)
		}
		s.rules = append(s.rules, k)
	}
	for _, s := range list {
		slices.SortStableFunc(s.rules, func(a, b *brokenRule) int { return cmp.Compare(a.Rule, b.Rule) })
		for _, k := range s.rules {
			s.ids += k.Rule + " "
		}
	}
	slices.SortStableFunc(list, func(a, b *spot) int {
		return cmp.Or(cmp.Compare(a.ids, b.ids), cmp.Compare(a.rules[0].at(), b.rules[0].at()))
	})
	return list
}

// brokenRules is how many rules were broken, and at how many lines.
func (r *result) brokenRules() string {
	text := leftover.Count(len(r.Broken), "broken rule", "broken rules")
	if n := len(r.spots()); n > 0 {
		text += " at " + leftover.Count(n, "line", "lines")
	}
	return text
}

// mostSpots bounds the lines that broke the same rules.
const mostSpots = 8

func (r *result) writeBroken(b *strings.Builder, cfg *config) {
	level := "warning: "
	if cfg.strict {
		level = ""
	}
	for list := r.spots(); len(list) > 0; {
		n := slices.IndexFunc(list, func(s *spot) bool { return s.ids != list[0].ids })
		if n < 0 {
			n = len(list)
		}
		for _, k := range list[0].rules {
			fmt.Fprintf(b, "tmpleak: %s%s\n", level, k.rule)
		}
		for i, s := range list[:n] {
			if i == mostSpots {
				fmt.Fprintf(b, "    and at %s\n", leftover.Count(n-i, "more place", "more places"))
				break
			}
			fmt.Fprintf(b, "    %s\n", s.line())
		}
		for _, k := range list[0].rules {
			of := ""
			if len(list[0].rules) > 1 {
				of = k.Rule + ": "
			}
			fmt.Fprintf(b, "    fix: %s%s\n", of, k.fix)
		}
		list = list[n:]
	}
}

// line is all that is known of a line, in one.
func (s *spot) line() string {
	k := s.rules[0]
	var hows, tests []string
	callers, times := map[string]bool{}, 0
	for _, k := range s.rules {
		if !slices.Contains(hows, k.How) {
			hows = append(hows, k.How)
		}
		for _, t := range k.Tests {
			if !slices.Contains(tests, t) {
				tests = append(tests, t)
			}
		}
		for _, c := range append(k.Callers, k.Where) {
			callers[c] = true
		}
		times = max(times, k.Times)
	}
	slices.Sort(tests)
	text := leftover.Printable(k.Path) + ": " + strings.Join(hows, "; ")
	if k.Where != "" {
		text += ", at " + k.Where
	}
	if n := len(callers) - 1; n > 0 {
		text += " and from " + leftover.Count(n, "more caller", "more callers")
	}
	if k.Via != "" {
		text += " by the program " + k.Via
	}
	if len(tests) > 0 {
		text += ", in " + strings.Join(tests[:min(len(tests), leftover.MostNames)], ", ")
	}
	if len(tests) > leftover.MostNames {
		text += " and others"
	}
	if times > 1 {
		text += fmt.Sprintf(" (%d times)", times)
	}
	return text
}
