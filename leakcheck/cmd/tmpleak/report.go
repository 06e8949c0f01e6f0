package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/tmpproof/tmpproof/internal/leftover"
	"github.com/tmpproof/tmpproof/internal/sweep"
	"github.com/tmpproof/tmpproof/internal/testname"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// result is what -report writes.
type result struct {
	Package   string        `json:"package"`
	Go        string        `json:"go"`
	Status    string        `json:"status"` // of the tests
	Seconds   float64       `json:"seconds"`
	Watched   int           `json:"watched"`   // calls that may make a name
	Processes int           `json:"processes"` // that made such calls, or ran a program
	Leaks     []*leak       `json:"leaks"`
	Broken    []*brokenRule `json:"broken"`
	Asked     int           `json:"asked"`  // files that the go command asked for
	Cached    int           `json:"cached"` // new entries of the go command's caches
	Missed    []string      `json:"missed"` // what could not be followed

	interrupted bool // the tests did not come to their end
}

// leak is one thing that was left behind.
type leak struct {
	Rule    string `json:"rule"`
	Path    string `json:"path"` // of the program's name for a process
	What    string `json:"what"`
	Size    int64  `json:"size"`
	Mode    string `json:"mode,omitempty"`
	Entries int    `json:"entries,omitempty"`
	PID     int    `json:"pid,omitempty"`
	Test    string `json:"test,omitempty"`
	Where   string `json:"where,omitempty"`   // lines, the innermost first
	Renamed string `json:"renamed,omitempty"` // the lines that gave it its name, where those are others
	Via     string `json:"via,omitempty"`     // the program that made it, where it is not the test binary

	rule  rules.Rule
	title string // in place of the rule's own
}

// fails says that the run must not pass.
func (r *result) fails(cfg *config) bool {
	return len(r.Leaks) > 0 || cfg.strict && len(r.Broken) > 0
}

// text is what the user reads. The same failure gives the same text but for
// random names, times and process numbers.
func (r *result) text(cfg *config) string {
	var b strings.Builder
	groups := r.groups()
	for i, g := range groups {
		if i == leftover.MostGroups {
			fmt.Fprintf(&b, "tmpleak: and %s\n", leftover.Count(len(groups)-i, "more kind of leak", "more kinds of leaks"))
			break
		}
		r.writeLeaks(&b, g)
	}
	if len(r.Leaks) > 0 {
		if r.interrupted {
			b.WriteString("  the tests did not come to their end: what is left may be a result of that\n")
		}
		fmt.Fprintf(&b, "%s  repeat: %s\n", leftover.Fixes(r.Leaks, fix), r.repeat(cfg))
	}
	r.writeBroken(&b, cfg)
	for _, m := range r.Missed {
		fmt.Fprintf(&b, "tmpleak: not followed: %s\n", m)
	}
	fmt.Fprintf(&b, "tmpleak: %s: %s, %s, of %s by %s", r.Package, leftover.Count(len(r.Leaks), "leak", "leaks"), r.brokenRules(),
		leftover.Count(r.Watched, "call watched", "calls watched"), leftover.Count(r.Processes, "process", "processes"))
	if r.Cached > 0 {
		fmt.Fprintf(&b, "; %s of the go command's caches", leftover.Count(r.Cached, "new entry", "new entries"))
	}
	b.WriteString("\n")
	return b.String()
}

// groups are leaks of one cause, sorted.
func (r *result) groups() [][]*leak {
	byKey := map[string][]*leak{}
	var keys []string
	for _, l := range r.Leaks {
		key := strings.Join([]string{l.Rule, l.Test, l.Where, l.Renamed, l.Via, l.pattern()}, "\x00")
		if byKey[key] == nil {
			keys = append(keys, key)
		}
		byKey[key] = append(byKey[key], l)
	}
	slices.Sort(keys)
	list := make([][]*leak, 0, len(keys))
	for _, k := range keys {
		list = append(list, byKey[k])
	}
	return list
}

// pattern is the path without its random parts.
func (l *leak) pattern() string { return leftover.Pattern(l.Path) }

func (r *result) writeLeaks(b *strings.Builder, g []*leak) {
	l := g[0]
	who := l.Test
	if who == "" {
		who = "the tests"
	}
	fmt.Fprintf(b, "tmpleak: %s: %s left ", l.rule.Saying(cmp.Or(l.title, l.rule.Title())), who)
	if len(g) > 1 {
		fmt.Fprintf(b, "%d times ", len(g))
	}
	if l.PID > 0 {
		fmt.Fprintf(b, "the process %q running", l.Path)
	} else {
		dir, base := path.Split(l.pattern())
		fmt.Fprintf(b, "%q in %s", base, path.Clean(dir))
	}
	verb := "made"
	if l.PID > 0 {
		verb = "started"
	}
	if l.Where != "" {
		fmt.Fprintf(b, ", %s at %s", verb, l.Where)
	}
	if l.Renamed != "" {
		fmt.Fprintf(b, ", renamed at %s", l.Renamed)
	}
	if l.Via != "" {
		fmt.Fprintf(b, " by the program %s", l.Via)
	}
	b.WriteString("\n")
	for i, l := range g {
		if i == leftover.MostNames {
			fmt.Fprintf(b, "    and %d more\n", len(g)-i)
			break
		}
		if l.PID > 0 {
			fmt.Fprintf(b, "    process %d\n", l.PID)
			continue
		}
		fmt.Fprintf(b, "    %s: %s, %s, mode %s\n", leftover.Printable(l.Path), l.What, leftover.Count(int(l.Size), "byte", "bytes"), l.Mode)
	}
}

func fix(l *leak) string {
	if l.PID > 0 {
		return leftover.EndProcess
	}
	return "make it in t.TempDir(), or remove it on every path: a deferred os.Remove where it is made, or a t.Cleanup"
}

// repeat is the command that shows the same again.
func (r *result) repeat(cfg *config) string {
	var tests []string
	for _, l := range r.Leaks {
		top, _, _ := strings.Cut(l.Test, "/")
		tests = append(tests, top)
	}
	exec := "tmpleak"
	if cfg.strict {
		exec = "'tmpleak -strict'"
	}
	cmd := "go test -count=1 -exec " + exec
	if flags := testname.Flags(tests, leftover.MostTests, testname.Tops); flags != "" {
		cmd += " " + flags
	}
	return cmd + " " + r.Package
}

// write writes the report as JSON, for a reader who takes the last run of a
// package for the one that counts.
func (r *result) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if r.Leaks == nil {
		r.Leaks = []*leak{}
	}
	slices.SortStableFunc(r.Leaks, func(a, b *leak) int { return cmp.Compare(a.Rule, b.Rule) })
	if r.Broken == nil {
		r.Broken = []*brokenRule{}
	}
	if r.Missed == nil {
		r.Missed = []string{}
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	name := strings.NewReplacer("/", "_", `\`, "_", ":", "_").Replace(r.Package) + ".json"
	return sweep.WriteFile(dir, name, append(b, '\n'))
}
