package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// reach says for each condition in which tests its absence changes something:
// only these can fail, and only these are run. A test here is a subtest of the
// first level, or a test without one.
type reach struct {
	tests []string         // in the order in which they ran
	by    map[int][]string // of those, the ones of a condition
}

// trace runs each test alone, with all conditions in place, and notes which
// conditions were ever other than what they become.
func (c *config) trace() (*reach, error) {
	r := &reach{by: map[int][]string{}}
	for _, p := range c.patterns() {
		out, err := c.command(0, p, "-test.v").CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("with all conditions in place %s: %w\n%s", failure(string(out)), err, out)
		}
		tests := ran(string(out))
		if len(tests) == 0 {
			return nil, fmt.Errorf("no test ran with -run %q", p)
		}
		r.tests = append(r.tests, tests...)
	}
	for i, test := range r.tests {
		at := filepath.Join(c.scratch, "trace"+strconv.Itoa(i))
		cmd := c.command(0, only([]string{test}))
		cmd.Env = append(cmd.Env, traceVariable+"="+at)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s alone: %w\n%s", test, err, out)
		}
		text, err := os.ReadFile(at)
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		ids := map[int]bool{}
		for id := range strings.FieldsSeq(string(text)) {
			n, err := strconv.Atoi(id)
			if err != nil {
				return nil, err
			}
			ids[n] = true
		}
		for id := range maps.Keys(ids) {
			r.by[id] = append(r.by[id], test)
		}
		fmt.Fprintf(c.progress, "%d/%d %s: %d conditions\n", i+1, len(r.tests), test, len(ids))
	}
	return r, nil
}

var runLine = regexp.MustCompile(`(?m)^=== RUN   (\S+)$`)

// ran are the tests of a run with -v.
func ran(out string) []string {
	var all []string
	for _, m := range runLine.FindAllStringSubmatch(out, -1) {
		elem := strings.SplitN(m[1], "/", 3)
		if len(elem) == 1 {
			all = append(all, m[1])
			continue
		}
		name := elem[0] + "/" + elem[1]
		all = slices.DeleteFunc(all, func(s string) bool { return s == elem[0] })
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// only is the pattern of -run for tests of one function, or of several without
// subtests.
func only(tests []string) string {
	var subs []string
	for _, t := range tests {
		_, sub, ok := strings.Cut(t, "/")
		if !ok {
			return "^" + regexp.QuoteMeta(t) + "$"
		}
		subs = append(subs, regexp.QuoteMeta(sub))
	}
	top, _, _ := strings.Cut(tests[0], "/")
	return "^" + regexp.QuoteMeta(top) + "$/^(" + strings.Join(subs, "|") + ")$"
}

// plan groups the tests of a condition into runs.
func (r *reach) plan(id int) []string {
	var patterns []string
	tests := r.by[id]
	for len(tests) > 0 {
		top, _, _ := strings.Cut(tests[0], "/")
		n := 1
		for n < len(tests) && strings.HasPrefix(tests[n], top+"/") {
			n++
		}
		patterns = append(patterns, only(tests[:n]))
		tests = tests[n:]
	}
	return patterns
}
