//go:build linux

// matrix runs the suites on other kernels through vmexec, holds each run
// against the one on this machine, and keeps the table of ../KERNELS.md.
// .ci/kernels builds both and starts it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// suite is a set of tests that is run on each kernel.
type suite struct {
	name, dir, run string
	alike          bool // prints the same on each kernel
	shell          bool // starts a shell, whose name is printed: here it must be the guest's
	// beside are programs that its tests build where there is a go command: the
	// arguments of go that build one, by its name.
	beside map[string][]string
	dirVar string // names the directory that they are in
}

var suites = []suite{
	{name: "supervise", dir: "internal/supervise"},
	{name: "rerun", dir: "internal/rerun"},
	{name: "oracles", dir: "attack", run: "^TestOracles$", alike: true},
	{name: "checks", dir: "attack", run: "^TestOracles$/^check", alike: true}, // a part of them
	{name: "signals", dir: "attack", run: "^TestUnderSignals$", alike: true},
	{name: "older", dir: "attack", run: "^TestOlder"},
	{name: "leakcheck", dir: "leakcheck"},
	{name: "tmpleak", dir: "leakcheck/cmd/tmpleak", dirVar: "TEST_TMPLEAK_BUILT", beside: map[string][]string{
		"ways.test": {"test", "-c", "-vet=off", "./testdata/ways"},
		"touch":     {"build", "-buildvcs=false", "./testdata/touch"},
	}},
	{name: "guideline", dir: "examples/guideline", run: "^Test(Incorrect|Correct)$", alike: true, shell: true},
	{name: "pairs", dir: "attack", run: "^TestPair", alike: true, shell: true},
	{name: "safe", dir: "examples/safe", run: "^Test(Safe|Unsafe|Behind.*|BothWorlds)$", alike: true, shell: true},
	{name: "misbehave", dir: "attack", run: "^TestMisbehav", alike: true, shell: true},
}

// part says how much of a suite is run.
type part string

const (
	usual part = "" // what the package's tests are by themselves
	short part = "short"
	long  part = "long"
)

// quick is the part of a suite that each run of the gate takes.
var quick = map[string]string{
	"supervise": "^Test(Calls|Sets|Follow|Signal|KillAtBoundary|Replaced|OwnProgram|Refused|AnswerStat|AllThreads|Execs|Signals|Messages|Answers|ChildEnds|Arrived|Disturbed)$",
	"oracles":   "^TestOracles$/^(check|a_random|pid|foretold|CreateTemp_and)",
}

// cell is one run: a suite on a kernel, as a user, under settings.
type cell struct {
	series, arch string
	suite        suite
	user         int
	settings     string // a name of settings
	yama         int    // -1: as the kernel has it
}

// settings by name, from the kernel's laxest to its strictest.
var settings = map[string]string{
	"off":    "fs.protected_symlinks=0 fs.protected_hardlinks=0 fs.protected_regular=0 fs.protected_fifos=0",
	"strict": "fs.protected_symlinks=1 fs.protected_hardlinks=1 fs.protected_regular=2 fs.protected_fifos=2",
}

func (c cell) String() string {
	s := fmt.Sprintf("%s/%s %s uid=%d protected=%s", c.series, c.arch, c.suite.name, c.user, c.settings)
	if c.yama >= 0 {
		s += fmt.Sprintf(" ptrace_scope=%d", c.yama)
	}
	return s
}

// plan is what is to be run.
type plan struct {
	kernels, users, settings, suites, yama string
	scene                                  string
	part                                   part
	quick, full, multi                     bool
	count, jobs                            int
	timeout                                time.Duration
	table, vmexec, asuser, logs            string
}

const usage = `usage: .ci/kernels [FLAG ...] [full]

Without "full": a part of two suites on one old amd64 kernel and one arm64
kernel. With it: all suites on all eight. The flags choose a part; each list is
of words with spaces between. What was run is written to the table.
`

func main() {
	var p plan
	fs := flag.NewFlagSet("kernels", flag.ExitOnError)
	fs.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
		fs.PrintDefaults()
	}
	fs.StringVar(&p.kernels, "kernels", "5.10/amd64 5.10/arm64 6.1/amd64 6.1/arm64 6.12/amd64 6.12/arm64 7/amd64 7/arm64", "`list` of kernels")
	fs.StringVar(&p.users, "users", "0 65534", "`list` of users")
	fs.StringVar(&p.settings, "protected", "off strict", "`list` of settings of fs.protected_*: off, strict")
	fs.StringVar(&p.suites, "suites", "supervise rerun oracles signals older leakcheck tmpleak guideline pairs safe misbehave", "`list` of suites")
	fs.StringVar(&p.yama, "yama", "", "`list` of values of kernel.yama.ptrace_scope, for the suites named")
	fs.StringVar(&p.scene, "fs", "tmpfs", "`type` of the file system of /tmp")
	fs.BoolFunc("short", "run the suites with -test.short", func(string) error { p.part = short; return nil })
	fs.BoolFunc("long", "run them with TMPPROOF_LONG=1", func(string) error { p.part = long; return nil })
	fs.BoolVar(&p.multi, "multi", false, "emulate the CPUs in parallel")
	fs.IntVar(&p.count, "count", 1, "how often each test is run; each must print the same")
	fs.IntVar(&p.jobs, "jobs", runtime.NumCPU(), "guests at a time")
	fs.DurationVar(&p.timeout, "timeout", time.Hour, "for one suite on one kernel")
	fs.StringVar(&p.table, "table", "internal/vmexec/KERNELS.md", "`file` of the table; empty: none is written")
	fs.StringVar(&p.vmexec, "vmexec", "", "the wrapper's `program`")
	fs.StringVar(&p.asuser, "asuser", "", "the `program` that runs another as uid 65534")
	fs.StringVar(&p.logs, "logs", "", "`directory` for the output of each run; empty: kept of failed runs only")
	_ = fs.Parse(os.Args[1:])
	switch strings.Join(fs.Args(), " ") {
	case "full":
		p.full = true
	case "":
		p.quick = true
		fs.Visit(func(f *flag.Flag) {
			p.quick = p.quick && slices.Contains([]string{"vmexec", "asuser", "logs", "jobs", "timeout"}, f.Name)
		})
		if p.quick {
			p.kernels, p.users, p.part, p.suites, p.table = "5.10/amd64 6.12/arm64", "", short, "supervise oracles", ""
		}
	default:
		fs.Usage()
		os.Exit(2)
	}
	begin := time.Now()
	err := p.execute(os.Stdout)
	fmt.Printf("kernels: %v\n", time.Since(begin).Round(time.Second))
	if err != nil {
		fmt.Println("kernels:", err)
		os.Exit(1)
	}
}

// cells are the runs in their order.
func (p *plan) cells() ([]cell, error) {
	var list []cell
	if p.quick { // an unprivileged user on the old kernel, root on the other
		for _, name := range strings.Fields(p.suites) {
			i := slices.IndexFunc(suites, func(s suite) bool { return s.name == name })
			s := suites[i]
			s.name, s.run = name+", the gate's part", quick[name]
			list = append(list, cell{"5.10", "amd64", s, 65534, "strict", -1}, cell{"6.12", "arm64", s, 0, "off", -1})
		}
		return list, nil
	}
	var err error
	numbers := func(flag, list string) []int {
		var ns []int
		for _, word := range strings.Fields(list) {
			n, e := strconv.Atoi(word)
			if e != nil {
				err = fmt.Errorf("-%s: %w", flag, e)
			}
			ns = append(ns, n)
		}
		return ns
	}
	users, yamas := numbers("users", p.users), numbers("yama", p.yama)
	if len(yamas) == 0 {
		yamas = []int{-1}
	}
	for _, k := range strings.Fields(p.kernels) {
		series, arch, ok := strings.Cut(k, "/")
		if !ok {
			return nil, fmt.Errorf("-kernels %q: as 5.10/amd64", k)
		}
		for _, name := range strings.Fields(p.suites) {
			i := slices.IndexFunc(suites, func(s suite) bool { return s.name == name })
			if i < 0 {
				return nil, fmt.Errorf("-suites: there is no suite %q", name)
			}
			for _, user := range users {
				for _, set := range strings.Fields(p.settings) {
					if settings[set] == "" {
						return nil, fmt.Errorf("-protected %q: off or strict", set)
					}
					for _, yama := range yamas {
						list = append(list, cell{series, arch, suites[i], user, set, yama})
					}
				}
			}
		}
	}
	if p.full { // each value of ptrace_scope once, for both users
		checks := suites[slices.IndexFunc(suites, func(s suite) bool { return s.name == "checks" })]
		for yama := range 4 {
			for _, user := range users {
				list = append(list, cell{"6.12", "amd64", checks, user, "strict", yama})
			}
		}
	}
	return list, err
}

// execute runs all cells, some at a time, and reports each when it ends.
func (p *plan) execute(w io.Writer) error {
	cells, err := p.cells()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "kernels-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-stop // the guests end with this process
		_ = os.RemoveAll(dir)
		os.Exit(1)
	}()
	b := &bench{plan: p, dir: dir, built: map[string]error{}, native: map[string]*native{}}
	var mu sync.Mutex
	var failed []string
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(1, p.jobs))
	for _, c := range cells {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			begin := time.Now()
			o, faults := b.try(c)
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(w, "%-60s %4d tests, %2d skipped, %5d boundaries, %6d schedules, %v\n", c, o.tests, o.skipped, o.boundaries, o.schedules, time.Since(begin).Round(time.Second))
			if len(faults) == 0 && p.table != "" { // at once: a long run may be cut off
				if err := updateTable(p.table, o); err != nil {
					faults = append(faults, err.Error())
				}
			}
			for _, f := range faults {
				fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(f, "\n", "\n    "))
			}
			if len(faults) > 0 {
				failed = append(failed, c.String())
			}
		})
	}
	wg.Wait()
	if len(failed) > 0 {
		slices.Sort(failed)
		return fmt.Errorf("%d of %d runs failed:\n  %s", len(failed), len(cells), strings.Join(failed, "\n  "))
	}
	return nil
}

// bench builds each test binary once, and runs it once on this machine.
type bench struct {
	plan   *plan
	dir    string
	mu     sync.Mutex
	built  map[string]error
	native map[string]*native
}

type native struct {
	once sync.Once
	res  result
	err  error
}

// binary is the static test binary of a suite's package.
func (b *bench) binary(s suite, arch string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	path := filepath.Join(b.dir, strings.ReplaceAll(s.dir, "/", "-")+"-"+arch+".test")
	err, ok := b.built[path]
	if !ok {
		err = b.build(s, arch, path, "test", "-c", ".")
		for name, args := range s.beside {
			err = errors.Join(err, b.build(s, arch, filepath.Join(b.beside(s, arch), name), args...))
		}
		b.built[path] = err
	}
	return path, err
}

// build runs go with args, the last of which is the package, from the suite's
// directory, which may be in a module of its own.
func (b *bench) build(s suite, arch, path string, args ...string) error {
	last := len(args) - 1
	cmd := exec.Command("go", slices.Concat(args[:last], []string{"-o", path}, args[last:])...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building what %s needs for %s: %w\n%s", s.dir, arch, err, out)
	}
	return nil
}

// beside is where the programs of a suite are.
func (b *bench) beside(s suite, arch string) string {
	return filepath.Join(b.dir, s.name+"-"+arch)
}

// args are the test binary's.
func (b *bench) args(s suite) []string {
	args := []string{"-test.v=test2json", "-test.count=" + strconv.Itoa(b.plan.count), "-test.timeout=" + b.plan.timeout.String()}
	if s.run != "" {
		args = append(args, "-test.run="+s.run)
	}
	if b.plan.part == short {
		args = append(args, "-test.short")
	}
	return args
}

// here is the suite's run on this machine, as the same user.
func (b *bench) here(s suite, user int) (result, error) {
	b.mu.Lock()
	key := fmt.Sprint(s.name, s.run, user)
	n := b.native[key]
	if n == nil {
		n = &native{}
		b.native[key] = n
	}
	b.mu.Unlock()
	n.once.Do(func() {
		bin, err := b.binary(s, runtime.GOARCH)
		if err != nil {
			n.err = err
			return
		}
		argv := append([]string{bin}, b.args(s)...)
		if user != os.Getuid() {
			if user != 65534 || os.Getuid() != 0 {
				n.err = fmt.Errorf("this machine cannot run the tests as uid %d: they are compared with its own run", user)
				return
			}
			argv = append([]string{b.plan.asuser}, argv...)
		}
		var env []string
		if s.shell {
			dir, err := b.programs(bin)
			if err != nil {
				n.err = err
				return
			}
			env = append(env, "PATH="+dir)
		}
		n.res, n.err = b.run(s, argv, env...)
		if n.err == nil && n.res.status != 0 {
			n.err = fmt.Errorf("the suite fails on this machine:\n%s", n.res.tail())
		}
	})
	return n.res, n.err
}

// programs is a directory with the programs of a guest, for a run here, and
// for any user. bin is any test binary for this machine: the first guest of its
// architecture fetches them.
func (b *bench) programs(bin string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	in := filepath.Join(cache, "vmexec", "busybox-"+runtime.GOARCH)
	if _, err := os.Stat(in); errors.Is(err, fs.ErrNotExist) {
		if out, err := exec.Command(b.plan.vmexec, "5.10", bin, "-test.run=^$").CombinedOutput(); err != nil {
			return "", fmt.Errorf("a guest of this machine's architecture: %w: %s", err, out)
		}
	}
	busybox, err := os.ReadFile(in)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(b.dir, "programs")
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	own := filepath.Join(dir, "busybox")
	if err := errors.Join(os.Chmod(b.dir, 0o711), os.Mkdir(dir, 0o755), os.WriteFile(own, busybox, 0o755)); err != nil {
		return "", err
	}
	if out, err := exec.Command(own, "--install", "-s", dir).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return dir, nil
}

// run runs a test binary, here or in a guest.
func (b *bench) run(s suite, argv []string, env ...string) (result, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = s.dir
	// TMPPROOF_SLOW is for the guests, and here for the sake of the same text.
	cmd.Env = append(os.Environ(), "TMPPROOF_STRICT=1", "TMPPROOF_TEST_SHOW=1", "TMPPROOF_SLOW=5")
	cmd.Env = append(cmd.Env, env...)
	if b.plan.part == long {
		cmd.Env = append(cmd.Env, "TMPPROOF_LONG=1")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // the wrapper then ends its guest
	runtime.LockOSThread()                                             // of whose life that is
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	status := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		return result{}, err
	}
	return parse(out, status)
}

// try runs one cell. Its faults are empty when everything is as it must be.
func (b *bench) try(c cell) (outcome, []string) {
	o := outcome{cell: c, part: b.plan.part, multi: b.plan.multi, times: b.plan.count, scene: b.plan.scene}
	bin, err := b.binary(c.suite, c.arch)
	if err != nil {
		return o, []string{err.Error()}
	}
	sysctls := settings[c.settings]
	if c.yama >= 0 {
		sysctls += " kernel.yama.ptrace_scope=" + strconv.Itoa(c.yama)
	}
	argv := []string{b.plan.vmexec, "-user", strconv.Itoa(c.user), "-sysctl", sysctls, "-fs", b.plan.scene, "-timeout", (b.plan.timeout + time.Minute).String()}
	if b.plan.multi {
		argv = append(argv, "-multi")
	}
	var env []string
	if c.suite.beside != nil {
		dir := b.beside(c.suite, c.arch)
		argv, env = append(argv, "-add", dir), append(env, c.suite.dirVar+"="+dir)
	}
	argv = append(append(argv, c.series, c.arch, bin), b.args(c.suite)...)
	res, err := b.run(c.suite, argv, env...)
	if err != nil {
		return o, []string{err.Error()}
	}
	o.count(res)
	faults := judge(c, res, b.plan.part)
	if c.suite.alike && len(faults) == 0 && !refuses(c) {
		want, err := b.here(c.suite, c.user)
		if err != nil {
			faults = append(faults, err.Error())
		} else if d := res.difference(want); d != "" {
			faults = append(faults, "the text differs from this machine's:\n"+d)
		}
	}
	if logs := b.plan.logs; logs != "" || len(faults) > 0 {
		if logs == "" {
			logs = os.TempDir()
		}
		file := filepath.Join(logs, strings.NewReplacer("/", "-", " ", "_").Replace("kernels-"+c.String())+".log")
		if err := os.WriteFile(file, res.raw, 0o644); err != nil {
			faults = append(faults, err.Error())
		} else if len(faults) > 0 {
			faults = append(faults, "its output is in "+file)
		}
	}
	return o, faults
}
