package tmptest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// openFile is a descriptor of this process.
type openFile struct {
	path    string // as the system names it, without " (deleted)"
	deleted bool
	inherit bool // not close-on-exec
	socket  bool // a unix socket that listens there, or is a datagram's
}

// held are the directories that this package itself keeps open.
var held sync.Map // path -> struct{}

// checkOpen is R03 and C16 for the descriptors on dir or below it. A dev other
// than 0 says that all of them are on this device.
func checkOpen(dir string, dev uint64) []Violation {
	files, err := openFiles(dir, dev)
	if err != nil {
		return []Violation{unchecked(rules.R03, dir, err.Error()), unchecked(rules.C16, dir, err.Error())}
	}
	known := make(map[string]bool)
	var found []Violation
	for _, f := range files {
		if _, ours := held.Load(f.path); ours && !f.inherit && !known[f.path] {
			known[f.path] = true // the first; another is the test's
			continue
		}
		detail := "is still open"
		if f.deleted {
			detail = "is still open, though it has no name any more"
			if base := filepath.Base(f.path); strings.HasPrefix(base, "#") {
				detail = "is still open: a file without a name (O_TMPFILE)"
				f.path = filepath.Dir(f.path)
			}
		}
		if f.socket {
			detail = "is still open: a unix socket"
		}
		found = append(found, Violation{Rule: rules.R03, Path: f.path, Detail: detail})
		if f.inherit {
			found = append(found, Violation{Rule: rules.C16, Path: f.path, Detail: "is open without close-on-exec"})
		}
	}
	return found
}

// process is another process that holds on to a directory.
type process struct {
	pid  int
	name string
	how  string // what it has there
	path string
}

// checkProcesses is R13.
func checkProcesses(dir string) []Violation {
	users, err := processesIn(dir)
	if err != nil {
		return []Violation{unchecked(rules.R13, dir, err.Error())}
	}
	var found []Violation
	for _, p := range users {
		found = append(found, Violation{Rule: rules.R13, Path: p.path, Detail: fmt.Sprintf("is the %s of a process that still runs: %s", p.how, p.name)})
	}
	return found
}

// checkWorkingDir is R13 for this process: what comes later would work in a
// directory that is gone.
func checkWorkingDir(dir string) []Violation {
	cwd, err := workingDir()
	if err != nil || !below(dir, cwd) {
		return nil
	}
	return []Violation{{Rule: rules.R13, Path: cwd, Detail: "is the working directory of this process: t.Chdir takes a change back when the test ends"}}
}

// environment is the variables that name a temporary root, and their values.
func environment() []string {
	list := make([]string, len(tempVariables))
	for i, name := range tempVariables {
		list[i] = environmentOf(name)
	}
	return list
}

func environmentOf(name string) string {
	if value, set := os.LookupEnv(name); set {
		return strconv.Quote(value)
	}
	return "not set"
}

// checkEnvironment is E13, where it is known what was before. A leakcheck that has begun meanwhile takes its change
// back itself.
func checkEnvironment(before []string) []Violation {
	var found []Violation
	for i, was := range before {
		name := tempVariables[i]
		now := environmentOf(name)
		if now == was || now == environmentOf("TMPPROOF_LEAKCHECK") {
			continue
		}
		found = append(found, Violation{Rule: rules.E13, Path: name, Detail: fmt.Sprintf("was %s and is now %s", was, now)})
	}
	return found
}
