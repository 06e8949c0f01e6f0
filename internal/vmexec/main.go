//go:build linux

// vmexec runs a program on another Linux kernel, under full-system emulation,
// for `go test -exec`. README.md says how.
package main

import (
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// notRun is the exit status when the program did not run, or not to its end;
// any other is the program's own.
const notRun = 125

// options say which guest, and how the program runs in it.
type options struct {
	series, arch string
	user         int
	sysctls      []string // name=value
	scene        string   // the file system of /tmp
	smp, mem     int      // CPUs, MiB
	multi        bool     // CPUs emulated in parallel
	timeout      time.Duration
	add          []string // more files, at the same path as here
	back         []string // files that the program writes and that are wanted
	env          []string // names of variables to hand on
	cache        string
	program      string
	args         []string
}

func main() {
	opt, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	status := notRun
	if err == nil {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
		status, err = run(opt, os.Stdout, stop)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "vmexec:", err)
		os.Exit(notRun)
	}
	os.Exit(status)
}

// run runs the program in a guest, and gives its exit status.
func run(opt *options, stdout io.Writer, stop <-chan os.Signal) (int, error) {
	k, err := fetchKernel(opt)
	if err != nil {
		return 0, err
	}
	if opt.scene != "tmpfs" && !slices.Contains(k.filesystems, opt.scene) {
		return 0, fmt.Errorf("the kernel %s has no %s, neither built in nor as a module", k.name, opt.scene)
	}
	wd, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	g, err := newGuest(opt, k, wd, os.Environ())
	if err != nil {
		return 0, err
	}
	defer g.remove()
	return g.run(stdout, stop)
}

const usage = `usage: vmexec [FLAG ...] SERIES [ARCH] PROGRAM [ARG ...]

SERIES is 5.10, 6.1, 6.12 or 7; ARCH, amd64 or arm64, is the program's own.
`

// parse reads the command line.
func parse(argv []string, diag io.Writer) (*options, error) {
	opt := &options{}
	fs := flag.NewFlagSet("vmexec", flag.ContinueOnError)
	fs.SetOutput(diag)
	fs.Usage = func() {
		fmt.Fprint(diag, usage)
		fs.PrintDefaults()
	}
	words := func(list *[]string) func(string) error {
		return func(s string) error {
			*list = append(*list, strings.Fields(s)...)
			return nil
		}
	}
	fs.IntVar(&opt.user, "user", 0, "`uid` and gid of the program")
	fs.Func("sysctl", "kernel settings, as `name=value`, set before the program starts", words(&opt.sysctls))
	fs.StringVar(&opt.scene, "fs", "tmpfs", "`type` of the file system of /tmp: tmpfs, ext4 or overlay")
	fs.IntVar(&opt.smp, "smp", 2, "CPUs")
	fs.IntVar(&opt.mem, "mem", 1024, "memory in `MiB`")
	fs.BoolVar(&opt.multi, "multi", false, "emulate the CPUs in parallel")
	fs.DurationVar(&opt.timeout, "timeout", 0, "how long the guest may live; a minute more than -test.timeout unless given, 10m without that")
	fs.Func("add", "more `files` and directories that the program needs, at the same path there", words(&opt.add))
	fs.Func("back", "more `files` that the program writes and that are to be brought back", words(&opt.back))
	fs.Func("env", "more `names` of variables to hand on, besides TMPPROOF_*, TEST_* and Go's own", words(&opt.env))
	fs.StringVar(&opt.cache, "cache", "", "`directory` of the downloaded kernels; vmexec in the user's cache directory unless given")
	if err := fs.Parse(argv); err != nil {
		return nil, err
	}
	args := fs.Args()
	if len(args) < 2 {
		return nil, fmt.Errorf("which kernel, and which program?\n%s", usage)
	}
	opt.series, args = args[0], args[1:]
	if !slices.Contains(allSeries(), opt.series) {
		return nil, fmt.Errorf("unknown kernel series %q: %s", opt.series, strings.Join(allSeries(), ", "))
	}
	asked := ""
	if slices.Contains(arches, args[0]) {
		asked, args = args[0], args[1:]
	}
	if len(args) == 0 {
		return nil, fmt.Errorf("which program?\n%s", usage)
	}
	opt.program, opt.args = args[0], args[1:]
	if err := opt.check(); err != nil {
		return nil, err
	}
	var err error
	if opt.arch, err = machine(opt.program); err != nil {
		return nil, err
	}
	if asked != "" && asked != opt.arch {
		return nil, fmt.Errorf("%s was built for %s: set GOARCH=%s, or leave the architecture out", opt.program, opt.arch, asked)
	}
	return opt, opt.complete()
}

// check refuses what no guest can do.
func (opt *options) check() error {
	for _, s := range opt.sysctls {
		if name, value, ok := strings.Cut(s, "="); !ok || name == "" || value == "" {
			return fmt.Errorf("-sysctl %q: want name=value", s)
		}
	}
	switch {
	case !slices.Contains([]string{"tmpfs", "ext4", "overlay"}, opt.scene):
		return fmt.Errorf("-fs %q: tmpfs, ext4 or overlay", opt.scene)
	case opt.user < 0 || opt.user > 65535:
		return fmt.Errorf("-user %d: a number from 0 to 65535", opt.user)
	case opt.smp < 1 || opt.mem < 256:
		return errors.New("a guest needs a CPU and 256 MiB")
	case opt.timeout < 0:
		return fmt.Errorf("-timeout %v is negative", opt.timeout)
	}
	return nil
}

// complete fills in what follows from the rest.
func (opt *options) complete() error {
	if opt.timeout == 0 {
		opt.timeout = 10 * time.Minute
		for _, a := range opt.args {
			if d, err := time.ParseDuration(flagValue(a, "test.timeout")); err == nil && d > 0 {
				opt.timeout = d + time.Minute
			}
		}
	}
	for i, f := range opt.add {
		abs, err := filepath.Abs(f)
		if err != nil {
			return err
		}
		opt.add[i] = abs
	}
	back, err := outputs(opt.args, os.Getenv("GOCOVERDIR"))
	if err != nil {
		return err
	}
	for _, f := range append(opt.back, back...) {
		abs, err := filepath.Abs(f)
		if err != nil {
			return err
		}
		if !slices.Contains(back, abs) {
			back = append(back, abs)
		}
	}
	opt.back = back
	if opt.cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("%w: name a directory with -cache", err)
		}
		opt.cache = filepath.Join(dir, "vmexec")
	}
	return nil
}

// flagValue is the value of a test flag, empty when arg is another one.
func flagValue(arg, name string) string {
	v, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), name+"=")
	if !ok || !strings.HasPrefix(arg, "-") {
		return ""
	}
	return v
}

// outputs are the files and directories that a test binary with these
// arguments writes: coverage, profiles, traces, artifacts.
func outputs(args []string, coverDir string) ([]string, error) {
	var list []string
	dir := ""
	for _, a := range args {
		if v := flagValue(a, "test.outputdir"); v != "" {
			dir = v
		}
	}
	if coverDir != "" {
		list = append(list, coverDir)
	}
	for _, a := range args {
		for _, name := range []string{"coverprofile", "cpuprofile", "memprofile", "blockprofile", "mutexprofile", "trace"} {
			v := flagValue(a, "test."+name)
			if v != "" && !filepath.IsAbs(v) {
				v = filepath.Join(dir, v)
			}
			list = append(list, v)
		}
		list = append(list, flagValue(a, "test.gocoverdir"))
		if strings.TrimLeft(a, "-") == "test.artifacts" || flagValue(a, "test.artifacts") == "true" {
			list = append(list, filepath.Join(dir, "_artifacts"))
		}
	}
	list = slices.DeleteFunc(list, func(s string) bool { return s == "" })
	for i, f := range list {
		abs, err := filepath.Abs(f)
		if err != nil {
			return nil, err
		}
		list[i] = abs
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// machine is the architecture that a program was built for.
func machine(path string) (string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s is no Linux program: %w", path, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return "", fmt.Errorf("%s needs the C library, which the guest does not have: build it with CGO_ENABLED=0 (and without -race)", path)
		}
	}
	switch f.Machine {
	case elf.EM_X86_64:
		return "amd64", nil
	case elf.EM_AARCH64:
		return "arm64", nil
	}
	return "", errors.New(path + " was built for " + f.Machine.String() + " (" + strconv.Itoa(int(f.Machine)) + "): amd64 or arm64")
}
