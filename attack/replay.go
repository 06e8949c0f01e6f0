package attack

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
)

// replayCommand is the line that repeats one schedule.
func replayCommand(test string, n int, schedule string) string {
	if n > 1 {
		schedule = fmt.Sprintf("%d#%s", n, schedule)
	}
	return fmt.Sprintf("%s='%s' go test -run %s %s", envReplay, schedule, shellQuote(runPattern(test)), callerPackage())
}

// runPattern is the -run pattern of just this test.
func runPattern(test string) string {
	elems := strings.Split(test, "/")
	for i, e := range elems {
		elems[i] = "^" + regexp.QuoteMeta(e) + "$"
	}
	return strings.Join(elems, "/")
}

// shellQuote puts a word into single quotes.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// callerPackage is the import path of the package that called Prove.
func callerPackage() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	own := ""
	for {
		f, more := frames.Next()
		pkg := packageOf(f.Function)
		if own == "" {
			own = pkg
		}
		if pkg != "" && pkg != own || strings.HasSuffix(f.File, "_test.go") {
			return strings.TrimSuffix(pkg, "_test")
		}
		if !more {
			return "."
		}
	}
}

// packageOf is the import path in a function's full name.
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	dot := strings.IndexByte(function[slash:], '.')
	if dot < 0 {
		return ""
	}
	return strings.ReplaceAll(function[:slash+dot], "%2e", ".")
}
