package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// variable chooses the condition that is missing; traceVariable names a file
// for the ids of conditions that are not what they would become.
const (
	variable      = "TMPPROOF_MUTANT"
	traceVariable = "TMPPROOF_MUTANT_TRACE"
)

func main() { os.Exit(command(os.Args[1:], os.Stdout, os.Stderr)) }

// command gives the exit status: 1 for conditions that nobody misses, 2 for
// what could not be tried.
func command(args []string, stdout, stderr io.Writer) int {
	c := config{progress: stderr, shown: stdout}
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.pkg, "package", ".", "directory of the package")
	flags.StringVar(&c.out, "o", "", "file of the table; its reasons are kept")
	flags.StringVar(&c.tests, "run", "", "the tests that are run, as patterns of -run separated by spaces, one after the other until one fails")
	flags.StringVar(&c.only, "only", "", "a part of the rows to try; the others stay as they are in the table")
	flags.BoolVar(&c.rest, "rest", false, "try only what the table has no result or reason for")
	flags.StringVar(&c.exec, "exec", "", "a program, with arguments, that runs the test binary, as that of go test")
	flags.DurationVar(&c.limit, "timeout", 3*time.Minute, "for the tests of one condition; one that takes longer is missed")
	if flags.Parse(args) != nil {
		return 2
	}
	c.files = flags.Args()
	bad, err := c.run()
	if err != nil {
		fmt.Fprintln(stderr, "mutate:", err)
		return 2
	}
	if bad > 0 {
		fmt.Fprintf(stderr, "mutate: %d conditions that no test misses or that were not tried, and no reason in the table\n", bad)
		return 1
	}
	return 0
}

type config struct {
	pkg, out, tests, only, exec string
	files                       []string
	rest                        bool
	limit                       time.Duration
	progress, shown             io.Writer
	scratch                     string
}

// run tries all, and says how many conditions no test misses without a reason.
func (c *config) run() (bad int, err error) {
	if len(c.files) == 0 {
		return 0, errors.New("name the files whose conditions are to be tried")
	}
	if c.pkg, err = filepath.Abs(c.pkg); err != nil {
		return 0, err
	}
	old, err := readTable(c.out)
	if err != nil {
		return 0, err
	}
	if c.scratch, err = os.MkdirTemp("", "mutate-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(c.scratch)
	mutants, err := c.build()
	if err != nil {
		return 0, err
	}
	reach, err := c.trace()
	if err != nil {
		return 0, err
	}
	var rows []row
	for _, m := range mutants {
		rows = append(rows, row{m, old[m.key()]})
	}
	for i, r := range rows {
		if !strings.Contains(r.key(), c.only) || c.rest && r.result != "" && r.result != survived {
			continue
		}
		begin := time.Now()
		failed, err := c.try(r.id, reach.plan(r.id))
		if err != nil {
			return 0, err
		}
		rows[i].result = judge(failed, r.result)
		fmt.Fprintf(c.progress, "%d/%d %s -> %v: %s (%.1f s)\n", r.id, len(rows), r.key(), r.as, rows[i].result, time.Since(begin).Seconds())
		if err := writeTable(c.out, rows); err != nil { // each time: the whole can take long
			return 0, err
		}
	}
	for _, r := range rows {
		if r.result == "" || r.result == survived {
			bad++
		}
	}
	if c.out == "" {
		fmt.Fprint(c.shown, table(rows))
	}
	return bad, nil
}

// build compiles the tests with the conditions under control.
func (c *config) build() ([]mutant, error) {
	overlay := map[string]string{}
	put := func(name string, text []byte) error {
		at := filepath.Join(c.scratch, name)
		overlay[filepath.Join(c.pkg, name)] = at
		return os.WriteFile(at, text, 0o600)
	}
	var all []mutant
	pkg := ""
	for _, name := range c.files {
		src, err := os.ReadFile(filepath.Join(c.pkg, name))
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.PackageClauseOnly)
		if err != nil {
			return nil, err
		}
		pkg = file.Name.Name
		text, mutants, err := rewrite(name, src, len(all)+1)
		if err != nil {
			return nil, err
		}
		all = append(all, mutants...)
		if err := put(name, text); err != nil {
			return nil, err
		}
	}
	if err := put("mutated__.go", support(pkg)); err != nil {
		return nil, err
	}
	list, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return nil, err
	}
	at := filepath.Join(c.scratch, "overlay.json")
	if err := os.WriteFile(at, list, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-overlay", at, "-o", c.binary(), ".")
	cmd.Dir = c.pkg
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return all, nil
}

func (c *config) binary() string { return filepath.Join(c.scratch, "mutated.test") }

// patterns are those of -run, one for each run.
func (c *config) patterns() []string {
	if p := strings.Fields(c.tests); len(p) > 0 {
		return p
	}
	return []string{"."}
}

// command runs tests without the condition.
func (c *config) command(id int, pattern string, flags ...string) *exec.Cmd {
	args := append(strings.Fields(c.exec), c.binary(), "-test.failfast", "-test.timeout="+c.limit.String(), "-test.run="+pattern)
	cmd := exec.Command(args[0], append(args[1:], flags...)...)
	cmd.Dir = c.pkg
	cmd.Env = append(os.Environ(), variable+"="+strconv.Itoa(id), "GOTMPDIR=")
	cmd.WaitDelay = 5 * time.Second // for the output of what a test left running
	return cmd
}

// try runs tests without a condition and names the first that fails, "" for
// none.
func (c *config) try(id int, patterns []string) (string, error) {
	for _, p := range patterns {
		tmp, err := os.MkdirTemp(c.scratch, "t")
		if err != nil {
			return "", err
		}
		cmd := c.command(id, p)
		cmd.Env = append(cmd.Env, "TMPDIR="+tmp)
		out, err := cmd.CombinedOutput()
		_ = os.RemoveAll(tmp) // what tests without a condition leave; the rest goes with the scratch directory
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			return failure(string(out)), nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", nil
}

// failure is the first test that failed, by its innermost name, or what else
// ended the run.
func failure(out string) string {
	name := ""
	for line := range strings.Lines(out) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: ")
		if !ok {
			if name != "" {
				break
			}
			continue
		}
		this := rest[:max(0, strings.LastIndex(rest, " ("))]
		if name != "" && !strings.HasPrefix(this, name+"/") {
			break
		}
		name = this
	}
	if name != "" {
		return name
	}
	if strings.Contains(out, "panic: test timed out") {
		return "the tests do not end"
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return "the tests panic"
		}
	}
	return "the tests fail"
}
