package leakcheck

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/tmpproof/tmpproof/internal/leftover"
	"github.com/tmpproof/tmpproof/internal/rerun"
)

// TestingM is the part of *testing.M that Run uses.
type TestingM interface{ Run() int }

// Main runs the tests of a package and fails the run when they leave anything
// behind. It does not return.
//
//	func TestMain(m *testing.M) { leakcheck.Main(m) }
func Main(m *testing.M, opts ...Option) { os.Exit(Run(m, opts...)) }

// Run is Main for a TestMain that has more to do: it returns the exit code.
//
// For the time of m.Run, TMPDIR, TMP, TEMP and GOTMPDIR name a new private
// directory (mode 0700, in os.TempDir or the one of the option Dir). When
// m.Run is back, whether the tests passed or not, these are leaks:
//
//   - any entry of that directory (R01, CWE-459)
//   - a new entry of the package's own directory, at its top or in testdata,
//     where the process was started in a directory of Go tests (R01)
//   - on Linux: open descriptors of files in the private directory, removed
//     ones and those that never had a name too (R03, CWE-772), mapped files of
//     it (R04), and processes that the tests started and that still run (R13)
//
// They are reported on standard error, with the test and the line that made
// them where that could be found out (see Explain), and an exit code of 0
// becomes 1. A change of those variables that a test did not take back is a
// failure too (E13), and so is a checker that cannot see a leak of its own
// (R17). The private directory is removed in any case (see KeepOnLeak).
//
// In a process that a checked one has started with the same TMPDIR, such as a
// fuzzing worker or this binary run again by a test, Run only calls m.Run, and
// says so with -test.v: what it leaves is the other's to find.
//
// What m.Run did not wait for is given 100 ms to end, and a second as long as a
// goroutine is at work. A descriptor that the
// garbage collector closed before the end is not seen. Files made in other
// directories are not seen either: by absolute names, or while a test has set
// TMPDIR to another place, also where it took that back. The command tmpleak
// sees them.
func Run(m TestingM, opts ...Option) int {
	switch {
	case rerun.IsWhole():
		return runAgain(m)
	case rerun.IsChild():
		return m.Run()
	case nested():
		code := m.Run()
		if flag.Parsed() && testing.Verbose() {
			fmt.Fprintln(os.Stderr, "leakcheck: note: not looked for here: what these tests leave is found by the checked run that started this process")
		}
		return code
	}
	o := newOptions(opts)
	s, err := start(o)
	if err != nil {
		fmt.Fprintf(os.Stderr, "leakcheck: nothing can be checked: %v\n", err)
		return worse(m.Run(), o)
	}
	s.spans.watch(m, s.test)
	code := m.Run()
	text := s.finish()
	if why := blind(); why != "" {
		fmt.Fprintf(os.Stderr, "leakcheck: note: %s\n", why)
	}
	if s.pkg != nil && s.pkg.more {
		fmt.Fprintf(os.Stderr, "leakcheck: note: %s could not be read, or has more than %d entries: what appears there was not looked for\n", s.pkg.path, mostSource)
	}
	if n := len(s.strangers); n > 0 {
		more := ""
		if n > leftover.MostNames {
			more = fmt.Sprintf(" and %d more", n-leftover.MostNames)
		}
		fmt.Fprintf(os.Stderr, "leakcheck: note: not counted, since no test makes it when it runs alone, and perhaps another program did: %s%s in the package's directory\n",
			strings.Join(s.strangers[:min(n, leftover.MostNames)], ", "), more)
	}
	if text == "" {
		return code
	}
	fmt.Fprint(os.Stderr, text)
	return worse(code, o)
}

// worse is the exit code of a run that has leaks.
func worse(code int, o *options) int {
	if code == 0 && !o.warn {
		return 1
	}
	return code
}

// current is the checked run of this process.
var current struct {
	sync.Mutex
	s      *session
	checks int // calls of Check that have not ended, when there is no Run
}

// Check fails the test when it leaves anything behind: call it first, before
// t.TempDir, so that all that the test removes is removed when it looks. It
// looks when the test has ended, with its subtests and cleanups, for new
// entries of the private directory that Run describes, and on Linux for
// descriptors and processes. Descriptors are those of pipes, sockets, and files
// outside of the private directory too (see AllowElsewhere), which Run does not
// tell of. A descriptor with the number of one that was open
// before the test, or with a high number that somebody chose, is found at the
// end of Run, or of the last Check.
//
// Without Run, the private directory is made by the first Check and removed
// when the last one that runs has ended.
//
// In parallel tests a leak is charged to a test only where it is known to be
// its own. Others are reported when the last test that runs at the same time
// has ended, or at the end of Run, with the tests that may have made them, and
// where an explanation is possible with the one that did.
func Check(t testing.TB, opts ...Option) {
	switch {
	case rerun.IsWhole():
		checkAgain(t)
		return
	case rerun.IsChild() || nested():
		return
	}
	o := newOptions(opts)
	s, err := acquire(o)
	if err != nil {
		t.Helper()
		t.Errorf("leakcheck: nothing can be checked: %v", err)
		return
	}
	if why := blind(); why != "" {
		t.Log("leakcheck: note: " + why)
	}
	sp := s.spans.begin(t.Name())
	before := s.look(o)
	t.Cleanup(func() {
		text := s.endOf(sp, before, o)
		text += s.release()
		if text == "" {
			return
		}
		t.Helper() // costs more than a look at the directory
		switch {
		case o.warn:
			t.Log(text)
		default:
			t.Error(text)
		}
	})
}

// acquire gives the session of Run, or one that the calls of Check share.
func acquire(o *options) (*session, error) {
	if o.bad != nil {
		return nil, o.bad
	}
	current.Lock()
	defer current.Unlock()
	if current.s == nil {
		s, err := open(o, false)
		if err != nil {
			return nil, err
		}
		current.s = s
	}
	if !current.s.whole {
		current.checks++
	}
	return current.s, nil
}
