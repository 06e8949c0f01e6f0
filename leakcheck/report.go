package leakcheck

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tmpproof/tmpproof/internal/leftover"
	"github.com/tmpproof/tmpproof/internal/testname"
)

// report says what was left. The same failure gives the same text but for
// random names, ages and process numbers.
type report struct {
	leaks  []*leak
	wrong  []string // what stood against the check
	note   string   // what the explanation could not do
	around func(*leak) []string
}

// guess adds what the sources say.
func (r *report) guess() {
	all := literals(sources())
	for _, l := range r.leaks {
		var at []string
		for _, lit := range guesses(l, all) {
			at = append(at, fmt.Sprintf("%q at %s", lit.text, lit.at))
			if lit.test != "" && !slices.Contains(l.likely, lit.test) {
				l.likely = append(l.likely, lit.test)
			}
		}
		if len(at) > 0 && len(at) <= 4 {
			l.guess = strings.Join(at, ", ")
		}
	}
}

// group is leaks of one cause.
type group struct {
	key   string
	leaks []*leak
}

func (r *report) groups() []*group {
	byKey := map[string]*group{}
	var list []*group
	for _, l := range r.leaks {
		key := strings.Join([]string{l.rule().ID(), l.test, l.line, l.renamed, strconv.Itoa(int(l.kind)), l.typ.String(), l.pattern()}, "\x00")
		g := byKey[key]
		if g == nil {
			g = &group{key: key}
			byKey[key] = g
			list = append(list, g)
		}
		g.leaks = append(g.leaks, l)
	}
	slices.SortStableFunc(list, func(a, b *group) int { return cmp.Compare(a.key, b.key) })
	return list
}

// String is the whole text, "" when there is nothing to say.
func (r *report) String() string {
	if len(r.leaks) == 0 && len(r.wrong) == 0 {
		return ""
	}
	var b strings.Builder
	for _, w := range r.wrong {
		fmt.Fprintf(&b, "leakcheck: %s\n", w)
	}
	groups := r.groups()
	var tests []string
	for i, g := range groups {
		l := g.leaks[0]
		if l.test != "" && !slices.Contains(tests, l.test) {
			tests = append(tests, l.test)
		}
		if i < leftover.MostGroups {
			r.write(&b, g)
		}
	}
	if n := len(groups) - leftover.MostGroups; n > 0 {
		fmt.Fprintf(&b, "leakcheck: and %s\n", leftover.Count(n, "more kind of leak", "more kinds of leaks"))
	}
	if r.note != "" {
		fmt.Fprintf(&b, "  %s\n", r.note)
	}
	if len(r.leaks) > 0 {
		b.WriteString(leftover.Fixes(groups, func(g *group) string { return fix(g.leaks[0]) }))
		fmt.Fprintf(&b, "  repeat: %s\n", repeat(tests))
	}
	return b.String()
}

func (r *report) write(b *strings.Builder, g *group) {
	l := g.leaks[0]
	who := l.test
	if who == "" {
		who = "the tests"
	}
	fmt.Fprintf(b, "leakcheck: %s: %s left ", l.rule().Saying(l.title()), who)
	if len(g.leaks) > 1 {
		fmt.Fprintf(b, "%d times ", len(g.leaks))
	}
	fmt.Fprintf(b, "%s", pattern(l))
	if l.line != "" {
		fmt.Fprintf(b, ", made at %s", l.line)
	}
	if l.renamed != "" {
		fmt.Fprintf(b, ", renamed at %s", l.renamed)
	}
	if l.via != "" {
		fmt.Fprintf(b, " by the program %s", l.via)
	}
	b.WriteString("\n")
	for i, l := range g.leaks {
		if i == leftover.MostNames {
			fmt.Fprintf(b, "    and %d more\n", len(g.leaks)-i)
			break
		}
		fmt.Fprintf(b, "    %s\n", l.evidence())
	}
	if l.doubt != "" {
		fmt.Fprintf(b, "    %s\n", l.doubt)
	}
	if l.line == "" && l.guess != "" {
		fmt.Fprintf(b, "    the sources have %s\n", l.guess)
	}
	if l.test == "" && r.around != nil {
		switch tests := r.around(l); {
		case l.window != nil:
			fmt.Fprintf(b, "    at that time ran only: %s\n", l.window.test)
		case len(tests) > leftover.MostTests:
			fmt.Fprintf(b, "    %d tests ran at that time\n", len(tests))
		case len(tests) > 0:
			fmt.Fprintf(b, "    at that time ran: %s\n", strings.Join(tests, ", "))
		}
	}
}

// pattern is the name without its random parts: those that were seen to differ,
// or else those that look so.
func (l *leak) pattern() string {
	if l.masked != "" {
		return leftover.Pattern(l.masked)
	}
	return leftover.Pattern(l.name)
}

// pattern is what was left, by its pattern.
func pattern(l *leak) string {
	name := l.pattern()
	switch l.kind {
	case source:
		return fmt.Sprintf("%q in the package's directory", name)
	case descriptor, elsewhere:
		return fmt.Sprintf("%q open", name)
	case mapping:
		return fmt.Sprintf("%q mapped", name)
	case process:
		return fmt.Sprintf("the process %q running", name)
	}
	return fmt.Sprintf("%q", name)
}

// evidence is what is known of one leak.
func (l *leak) evidence() string {
	if l.kind == process {
		return fmt.Sprintf("%s: %s %d", leftover.Printable(l.name), l.what, l.pid)
	}
	s := fmt.Sprintf("%s: %s", leftover.Printable(l.name), l.what)
	if l.kind == elsewhere {
		return s
	}
	if l.kind != mapping {
		s += fmt.Sprintf(", %s, mode %#o", leftover.Count(int(l.size), "byte", "bytes"), l.perm)
	}
	if !l.birth.IsZero() {
		s += fmt.Sprintf(", %v old", max(0, time.Since(l.birth)).Round(time.Millisecond))
	}
	return s
}

// fixes are what to do about a leak of a kind.
var fixes = map[kind]string{
	entry:      "remove it on every path, errors and panics too: a deferred os.Remove where it is made, or t.TempDir() in a test",
	descriptor: "close the file on every path, before the test ends",
	elsewhere:  "close it on every path, before the test ends; AllowElsewhere() is for what stays open for all tests",
	mapping:    "unmap the file before the test ends",
	process:    leftover.EndProcess,
	source:     "write to t.TempDir(), or remove the file in a t.Cleanup",
}

func fix(l *leak) string { return fixes[l.kind] }

// repeat is the command that shows the same again.
func repeat(tests []string) string {
	cmd := "go test -count=1 "
	if flags := testname.Flags(tests, leftover.MostTests, testname.Exact); flags != "" {
		cmd += flags + " "
	}
	return cmd + packageName()
}
