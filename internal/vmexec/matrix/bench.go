//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

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
