// Command tmpleak runs a test binary and reports what it leaves behind, without
// a line of change in the package under test:
//
//	go test -exec tmpleak ./...
//	go test -exec 'go run github.com/tmpproof/tmpproof/leakcheck/cmd/tmpleak' ./...
//
// In a module that is vendored, or that is to fix the version, it is a tool:
//
//	go get -tool github.com/tmpproof/tmpproof/leakcheck/cmd/tmpleak
//	go mod vendor # where there is a directory vendor
//	go test -exec 'go tool tmpleak' ./...
//
// # What is reported
//
// Every file, directory, link, FIFO, device and Unix socket that the test
// binary, or any process it started, made in any directory and that is still
// there when it has ended (R01, CWE-459), and the processes that still run
// (R13). Each is named with the test that made it and the line of the call, the
// innermost first: "made at store.go:41 < store_test.go:12". A file that a
// child process made has the line that started the process. What was renamed
// is followed and has both lines, but for a file that was moved out of a
// directory which the tests made, such as t.TempDir(): it has the line of the
// move. A name that was there before is no leak, whatever was done to the file.
//
// Then the rules of creation that were broken in directories that others can
// write, such as /tmp: without O_EXCL (C01), with group or other bits in the
// mode (C03), under a name that can be foretold (C06), directly in a directory
// that the whole system shares (C11), and, with -strict, after a look whether
// the name was free (C10).
//
// Leaks make a run fail that would have passed: the exit status is 1. Broken
// rules are warnings, and with -strict failures. All else is as without
// tmpleak: output, exit status, signals, standard input, -json, -v, -run,
// -cover, -race and -timeout. The go command shows what a passing package
// printed, a summary of tmpleak's too, with -v alone.
//
// Not reported: what the go command itself asked for (profiles, coverage,
// fuzzing's corpus), and entries of the go command's caches, which are counted.
// Nothing is removed.
//
// # Flags
//
//	-strict        broken rules of creation fail the run, and so does a system
//	               where nothing can be checked; C10 is looked for, for which
//	               every call that names a file stops, not only those that make
//	               one. TMPPROOF_STRICT=1 does the same
//	-report dir    write what was found to dir/PACKAGE.json; dir is made. The go
//	               command runs each package's tests in the package's directory,
//	               so that an absolute name is best
//	-ignore globs  leave out names that match: patterns of path.Match, separated
//	               by commas, against the whole path, or its last element
//	-optional      where nothing can be checked, run the tests and pass
//
// # Which test
//
// The name of the test is read from the memory of the test binary, from the
// goroutine that makes the call or the one that started it, and so on as long
// as they live, where tmpleak and the test were built by the same version of
// Go. Otherwise it is the test in whose function the calling code, or the go
// statement, is written. Where neither says it no test is named: nobody is
// blamed on suspicion.
//
// # Limits
//
// It needs Linux 5.9 on amd64 or arm64, seccomp's user notification, and
// tests built by Go 1.20 or later (for the lines). Elsewhere the tests run
// unwatched, tmpleak says why, and the exit status of passing tests is 2, since
// the go command would not show the words of a run that passed; -optional
// makes it 0.
//
// Tests that install a seccomp listener of their own get EBUSY, but for those of
// tmpproof/attack: tmpleak runs such a test once more, by itself and unwatched,
// where package attack supervises its victims, and the test goes on with the
// verdict. For a user other than root the tests run with
// no_new_privs: set-uid programs, such as sudo, run without their privilege,
// and are named. io_uring is refused with ENOSYS.
//
// Not seen: names that were made where a process's own mounts are, which have
// none here (they are counted), through a bind mount by another process
// (a container daemon, a database server that ran before), System V and POSIX
// message queues, abstract sockets. A name that existed before, was removed and
// made again counts as new, except at the top of the temporary directory and in
// the package's directory.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"
)

// statusUnchecked is the exit status where nothing could be checked.
const statusUnchecked = 2

type config struct {
	strict   bool
	report   string
	ignore   []string
	optional bool
	program  string
	args     []string // without the program
}

func main() {
	special()
	cfg, err := parse(os.Args[1:])
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "tmpleak:", err)
		}
		os.Exit(statusUnchecked)
	}
	os.Exit(die(run(cfg)))
}

func parse(args []string) (*config, error) {
	cfg := &config{}
	fs := flag.NewFlagSet("tmpleak", flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprintf(fs.Output(), "usage: go test -exec 'tmpleak [flags]' packages\n       tmpleak [flags] program [arguments]\n")
		fs.PrintDefaults()
	}
	strict := os.Getenv("TMPPROOF_STRICT")
	fs.BoolVar(&cfg.strict, "strict", strict != "" && strict != "0", "broken rules of creation fail the run too, and so does a system where nothing can be checked")
	fs.StringVar(&cfg.report, "report", "", "write what was found to `dir`/PACKAGE.json")
	globs := fs.String("ignore", "", "leave out paths that match one of these `globs` (path.Match), separated by commas")
	fs.BoolVar(&cfg.optional, "optional", false, "where nothing can be checked, run the tests and pass")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() == 0 {
		return nil, errors.New("no program to run: it is for `go test -exec tmpleak` and packages")
	}
	for g := range strings.SplitSeq(*globs, ",") {
		if g == "" {
			continue
		}
		if _, err := path.Match(g, ""); err != nil {
			return nil, fmt.Errorf("the pattern %q of -ignore: %w: see path.Match for the syntax", g, err)
		}
		cfg.ignore = append(cfg.ignore, g)
	}
	prog, err := exec.LookPath(fs.Arg(0))
	if err != nil {
		return nil, err
	}
	cfg.program, cfg.args = prog, fs.Args()[1:]
	return cfg, nil
}

// unwatched runs the tests without a check.
func unwatched(cfg *config, why string) int {
	cmd := exec.Command(cfg.program, cfg.args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "tmpleak:", err)
		return statusUnchecked
	}
	stop := passSignals(cmd.Process)
	_ = cmd.Wait()
	stop()
	code := statusOf(cmd.ProcessState)
	if code == 0 && (cfg.strict || !cfg.optional) {
		code = statusUnchecked
	}
	fmt.Fprintf(os.Stderr, "tmpleak: NOTHING WAS CHECKED: %s\n", why)
	if code == statusUnchecked {
		fmt.Fprintf(os.Stderr, "  fix: run on Linux (amd64 or arm64) where seccomp's user notification is allowed, or give -optional to pass without a check\n")
	}
	return code
}
