// Package testname tells to which test of a Go test binary a call belongs: from
// its memory, or from the functions that are on the stack.
package testname

import (
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/tmpproof/tmpproof/internal/rerun"
)

var function = regexp.MustCompile(`^(Test|Fuzz|Benchmark|Example)($|[^a-z])`)

// Is reports whether the go command takes a function of this name for a test, a
// fuzz test, a benchmark or an example.
func Is(name string) bool { return function.MatchString(name) }

// In is the test in whose function one of the frames is written, the outermost
// first, "" when there is none. TestMain is around all others.
func In(frames []runtime.Frame) string {
	main := ""
	for _, f := range slices.Backward(frames) {
		if !strings.HasSuffix(f.File, "_test.go") {
			continue
		}
		name, _, _ := strings.Cut(f.Function, "[")
		_, name, _ = strings.Cut(name[strings.LastIndexByte(name, '/')+1:], ".")
		// TestX, TestX.func1, TestX.gowrap1, (*Suite).TestX, glob..func1
		for part := range strings.SplitSeq(name, ".") {
			switch {
			case part == "TestMain":
				main = part
			case Is(part):
				if method, _, ok := strings.Cut(name, "."+part); ok && strings.HasPrefix(method, "(") {
					return method + "." + part
				}
				return part
			}
		}
	}
	return main
}

// Flags are the flags of go test that select the named tests, subtests of them
// included, and nothing else: `-run '^TestX$'`, and -bench for benchmarks.
// They are none for "", and where there are more than most. The pattern is Exact
// or Tops.
func Flags(names []string, most int, pattern func(names []string) string) string {
	var run, bench []string
	for _, name := range names {
		top, _, _ := strings.Cut(name, "/")
		switch {
		case !Is(top) || top == "TestMain":
			return ""
		case strings.HasPrefix(top, "Benchmark"):
			bench = add(bench, name)
		default:
			run = add(run, name)
		}
	}
	if n := len(run) + len(bench); n == 0 || n > most {
		return ""
	}
	flags := "-run " + quote(pattern(run))
	if len(run) == 0 {
		flags = "-run '^$'"
	}
	if len(bench) > 0 {
		flags += " -bench " + quote(pattern(bench)) + " -benchtime 1x"
	}
	return flags
}

// Exact is the pattern of one test with its subtests, or of several at the top.
func Exact(names []string) string {
	if len(names) == 1 {
		return rerun.Pattern(names[0])
	}
	return Tops(names)
}

// Tops is the pattern of tests without their subtests.
func Tops(names []string) string {
	var tops []string
	for _, name := range names {
		top, _, _ := strings.Cut(name, "/")
		tops = add(tops, regexp.QuoteMeta(top))
	}
	slices.Sort(tops)
	return "^(" + strings.Join(tops, "|") + ")$"
}

func add(list []string, name string) []string {
	if slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

// quote makes one word of a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
