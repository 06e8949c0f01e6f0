package tmptest

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// maxEvidence bounds the lines that are shown for one rule.
const maxEvidence = 10

// site is the call stack of a call into this package. It is not resolved until
// there is something to report.
type site []uintptr

// callSite takes as many frames as the way through this package may have, and
// one more: unwinding the stack is the dearest part of a call of Dir that
// makes no system call.
func callSite(depth int) site {
	pcs := make([]uintptr, depth)
	return pcs[:runtime.Callers(2, pcs)]
}

// caller is the first frame outside this package and its twin.
func (s site) caller() (frame runtime.Frame, pkg string) {
	frames := runtime.CallersFrames(s)
	for {
		frame, more := frames.Next()
		pkg := packageOf(frame.Function)
		if pkg != here && pkg != here+"/require" || !more {
			return frame, strings.TrimSuffix(pkg, "_test")
		}
	}
}

// here is the import path of this package.
var here = func() string {
	pc, _, _, _ := runtime.Caller(0)
	return packageOf(runtime.FuncForPC(pc).Name())
}()

// packageOf cuts the package's import path out of a function's name.
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	dot := strings.IndexByte(function[slash:], '.')
	if dot < 0 {
		return function
	}
	return function[:slash+dot]
}

func (s site) String() string {
	frame, _ := s.caller()
	return fmt.Sprintf("%s:%d", filepath.Base(frame.File), frame.Line)
}

// again is the command that runs the test again.
func (s site) again(test string) string {
	elems := strings.Split(test, "/")
	for i, e := range elems {
		elems[i] = "^" + regexp.QuoteMeta(e) + "$"
	}
	pattern := "'" + strings.ReplaceAll(strings.Join(elems, "/"), "'", `'\''`) + "'"
	_, pkg := s.caller()
	if pkg == "" || pkg == "main" || pkg == "command-line-arguments" {
		pkg = "."
	}
	return "go test -run " + pattern + " " + pkg
}

// tidy sorts violations, drops those that are allowed, and what was seen twice.
func tidy(found []Violation, allowed map[string]string) []Violation {
	found = slices.DeleteFunc(found, func(v Violation) bool {
		_, ok := allowed[v.Rule.ID()]
		return ok
	})
	slices.SortStableFunc(found, func(a, b Violation) int {
		return cmp.Or(
			cmp.Compare(a.Level(), b.Level()), cmp.Compare(bookOrder(a.Rule), bookOrder(b.Rule)),
			cmp.Compare(a.Path, b.Path), cmp.Compare(a.Detail, b.Detail),
		)
	})
	return slices.CompactFunc(found, func(a, b Violation) bool {
		return a.Rule == b.Rule && a.Path == b.Path && a.Detail == b.Detail
	})
}

// bookOrder sorts ids in the order of the rule book: E, C, U, R, X, A.
func bookOrder(r rules.Rule) string {
	if r == "" {
		return ""
	}
	return fmt.Sprint(strings.IndexByte("ECURXA", r.ID()[0])) + r.ID()[1:]
}

// split parts violations that fail a test from advice.
func split(found []Violation) (failures, advice []Violation) {
	for _, v := range found {
		if v.Level() == rules.Fail {
			failures = append(failures, v)
		} else {
			advice = append(advice, v)
		}
	}
	return failures, advice
}

// text draws violations rule by rule: what must hold, what was seen, and the
// fix. Paths below base are relative to it, so that the same failure gives the
// same text in each run.
func text(found []Violation, base string) string {
	var b strings.Builder
	for i := 0; i < len(found); {
		rule := found[i].Rule
		end := i
		for end < len(found) && found[end].Rule == rule {
			end++
		}
		fmt.Fprintf(&b, "\n  %s\n", rule)
		for n, v := range found[i:end] {
			if n == maxEvidence {
				fmt.Fprintf(&b, "      and %d more\n", end-i-n)
				break
			}
			fmt.Fprintf(&b, "      %q %s\n", relative(base, v.Path), oneLine(v.Detail))
		}
		fmt.Fprintf(&b, "    fix: %s", rule.Fix())
		i = end
	}
	return b.String()
}

func relative(base, path string) string {
	if base == "" || !below(filepath.Dir(base), path) {
		return path // also what is beside the directory: a canary of Shared
	}
	rel, err := filepath.Rel(base, path)
	if err != nil {
		return path
	}
	return rel
}

// ids are the rules of sorted violations, each once.
func ids(found []Violation) string {
	var all []string
	for _, v := range found {
		all = append(all, v.Rule.ID())
	}
	return strings.Join(slices.Compact(all), ", ")
}
