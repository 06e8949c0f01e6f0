package attack

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/tmpproof/tmpproof/internal/lines"
	"github.com/tmpproof/tmpproof/internal/rerun"
)

// replayCommand is the line that repeats one schedule.
func replayCommand(test string, n int, schedule string) string {
	if n > 1 {
		schedule = fmt.Sprintf("%d#%s", n, schedule)
	}
	return fmt.Sprintf("%s='%s' go test -run %s %s", envReplay, schedule, shellQuote(rerun.Pattern(test)), callerPackage())
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
		pkg := lines.Package(f.Function)
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
