package attack_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

// plain is a victim that needs nothing of its test.
func plain(f func(s *attack.Scene) error) func(*testing.T) attack.Victim {
	return func(*testing.T) attack.Victim { return f }
}

// after does something that concerns the scene, so that there is a boundary,
// and then misbehaves.
func after(f func(s *attack.Scene)) func(*testing.T) attack.Victim {
	return plain(func(s *attack.Scene) error {
		if err := save(s); err != nil {
			return err
		}
		f(s)
		return nil
	})
}

// save is safe.
func save(s *attack.Scene) error {
	f, err := os.CreateTemp(s.Dir, "save-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// run starts a program and waits for it.
func run(name string, args ...string) {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		panic(fmt.Sprintf("%s: %v: %s", name, err, out))
	}
}

// attacked misbehaves only when the attacker has put something at a name.
func attacked(f func()) func(*testing.T) attack.Victim {
	return plain(func(s *attack.Scene) error {
		if _, err := os.Lstat(s.Path("lock")); err == nil {
			f()
			return errors.New("locked")
		}
		return nil
	})
}

const short = 20 * time.Second // a budget, for what does not come back

var misbehaviours = []misbehaviour{
	// The end of the function, or of its process.
	{name: "panic", victim: after(func(*attack.Scene) { panic("out of cheese") }), says: []string{"without any attack, the victim panicked: ", "out of cheese"}},
	{name: "panic under attack", victim: attacked(func() { panic("out of cheese") }), says: []string{"X07", "panicked: ", "out of cheese"}},
	{name: "panic of a goroutine", victim: after(func(*attack.Scene) {
		go panic("out of cheese")
		select {}
	}), says: []string{"without any attack, the victim ended the process: ", "out of cheese"}},
	{name: "os.Exit(0)", victim: after(func(*attack.Scene) { os.Exit(0) }), says: []string{"without any attack, the victim ended the process: ", "os.Exit(0)"}},
	{name: "os.Exit(3)", victim: after(func(*attack.Scene) { os.Exit(3) }), says: []string{"without any attack, the victim ended the process: ", "os.Exit(3)"}},
	{name: "os.Exit(3) under attack", victim: attacked(func() { os.Exit(3) }), says: []string{"X07", "os.Exit(3)"}},
	{name: "kill -9 itself", victim: after(func(*attack.Scene) { _ = unix.Kill(os.Getpid(), unix.SIGKILL); select {} }), says: []string{"without any attack, the victim ended the process: ", "killed"}},
	{name: "runtime.Goexit", victim: after(func(*attack.Scene) { runtime.Goexit() }), says: []string{"without any attack, the victim ended its goroutine (runtime.Goexit)"}},
	{name: "t.Fatal", victim: func(t *testing.T) attack.Victim {
		return func(s *attack.Scene) error { _ = save(s); t.Fatal("no cheese"); return nil }
	}, says: []string{"without any attack, the victim failed the test (t.Fatal)"}},
	{name: "t.Error", victim: func(t *testing.T) attack.Victim {
		return func(s *attack.Scene) error { t.Error("no cheese"); return save(s) }
	}, says: []string{"without any attack, the victim failed the test (t.Error)"}},
	{name: "t.Skip", victim: func(t *testing.T) attack.Victim {
		return func(s *attack.Scene) error { _ = save(s); t.Skip("no cheese"); return nil }
	}, says: []string{"without any attack, the victim skipped the test (t.Skip)"}},
	{name: "nested", victim: func(t *testing.T) attack.Victim {
		return func(s *attack.Scene) error { attack.Prove(t, save); return save(s) }
	}, says: []string{"without any attack, the victim called attack.Prove", "nested use"}},

	// No end.
	{name: "deadlock", victim: after(func(*attack.Scene) { select {} }), opts: []attack.Option{attack.Budget(short)},
		says: []string{"without any attack, the victim did not come back: "}},
	{name: "deadlock of a mutex under attack", victim: attacked(func() { var mu sync.Mutex; mu.Lock(); mu.Lock() }),
		opts: []attack.Option{attack.Budget(short), attack.Moves(attack.Socket)}, says: []string{"X07", "did not come back: "}},
	{name: "endless loop", victim: after(func(*attack.Scene) {
		for i := 0; ; i++ {
			_ = i * i
		}
	}), opts: []attack.Option{attack.Budget(short)}, says: []string{"without any attack, the victim did not come back: "}},
	{name: "endless calls", victim: after(func(s *attack.Scene) {
		for {
			_, _ = os.Stat(s.Path("no"))
		}
	}), opts: []attack.Option{attack.FewCalls}, says: []string{"without any attack, the victim made calls without end: more than"}},
	{name: "endless calls, beyond the budget", victim: after(func(s *attack.Scene) {
		for {
			_, _ = os.Stat(s.Path("no"))
		}
	}), opts: []attack.Option{attack.ManyCalls, attack.Budget(8 * time.Second)}, says: []string{"the budget is used up, and the victim was still running (Budget)"}},
	{name: "endless calls elsewhere", victim: after(func(*attack.Scene) {
		for {
			_, _ = os.Stat("/")
		}
	}), opts: []attack.Option{attack.FewCalls}, says: []string{"without any attack, the victim made calls without end: more than"}},
	{name: "endless calls elsewhere, none watched", victim: after(func(*attack.Scene) {
		for {
			unix.Getppid()
		}
	}), opts: []attack.Option{attack.Budget(short)}, says: []string{"without any attack, the victim did not come back: "}},
	{name: "stops itself", victim: after(func(*attack.Scene) { _ = unix.Kill(os.Getpid(), unix.SIGSTOP) }),
		says: []string{"without any attack, the victim did not come back: its process was stopped by a signal"}},

	// Much of everything.
	{name: "10,000 boundaries", victim: plain(func(s *attack.Scene) error {
		for range 10_000 {
			if _, err := os.Lstat(s.Home + "/no"); err == nil {
				return errors.New("it is there")
			}
		}
		return nil
	}), clean: true, says: []string{"10000 boundaries"}},
	{name: "200 goroutines", victim: plain(func(s *attack.Scene) error {
		errs := make(chan error, 200)
		for range cap(errs) {
			go func() { errs <- save(s) }()
		}
		var err error
		for range cap(errs) {
			err = errors.Join(err, <-errs)
		}
		return err
	}), opts: []attack.Option{attack.Moves(attack.FIFO)}, clean: true},
	{name: "floods stdout", victim: after(func(*attack.Scene) {
		line := append(bytes.Repeat([]byte("flood "), 1000), '\n')
		for range 2000 {
			_, _ = os.Stdout.Write(line)
		}
	}), clean: true, unsaid: []string{"flood"}},
	{name: "fork bomb", victim: after(func(*attack.Scene) {
		run("sh", "-c", "bomb() { [ $1 = 0 ] || { bomb $(($1 - 1)) & bomb $(($1 - 1)) & }; sleep 1000; }; (exec >/dev/null 2>&1; bomb 5) & exit 0")
	}), says: []string{"R13", "were alive when it returned"}},

	// Children.
	{name: "a child outlives it", victim: after(func(*attack.Scene) {
		if err := exec.Command("sleep", "1000").Start(); err != nil {
			panic(err)
		}
	}), says: []string{"R13", "were alive when it returned"}},
	{name: "a daemon outlives it", victim: after(func(*attack.Scene) {
		run("sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & exit 0")
	}), says: []string{"R13", "were alive when it returned"}},
	{name: "a child makes calls after it", victim: plain(func(s *attack.Scene) error {
		return exec.Command("sh", "-c", "while :; do [ -e \"$0\" ]; done", s.Home+"/no").Start()
	}), says: []string{"R13", "were alive when it returned"}},
	{name: "a goroutine makes calls after it", victim: plain(func(s *attack.Scene) error {
		_, _ = os.Lstat(s.Home + "/no")
		go func() {
			stacks := make([]byte, 1<<16)
			for victim := []byte("attack.callVictim("); bytes.Contains(stacks[:runtime.Stack(stacks, true)], victim); {
				runtime.Gosched() // until the victim has returned
			}
			for {
				_, _ = os.Lstat(s.Home + "/no")
			}
		}()
		return nil
	}), opts: []attack.Option{attack.Strict()}, says: []string{"R14", "a goroutine that the code started went on after it returned: newfstatat home/no"}},

	{name: "names nothing and leaves a process that is allowed", victim: func(*testing.T) attack.Victim {
		return func(*attack.Scene) error { return exec.Command("sh", "-c", "sleep 60 >/dev/null 2>&1 &").Run() }
	}, opts: []attack.Option{attack.Allow(rules.R13, "a daemon")}, says: []string{"made no call that names anything in the scene"}},

	// The process's own state.
	{name: "closes all descriptors", victim: after(func(*attack.Scene) { closeAll() }), clean: true},
	{name: "changes directory", victim: after(func(s *attack.Scene) { _ = os.Chdir(s.Dir) }), clean: true},
	{name: "changes directory and removes it", victim: after(func(s *attack.Scene) {
		dir, err := os.MkdirTemp(s.Dir, "")
		if err != nil {
			panic(err)
		}
		_, _ = os.Chdir(dir), os.Remove(dir)
	}), clean: true},
	{name: "chroot", root: true, victim: after(func(s *attack.Scene) {
		if err := unix.Chroot(s.Home); err != nil {
			panic(err)
		}
		_, _ = os.Stat("/no")
	}), clean: true},
	{name: "umask", victim: after(func(*attack.Scene) { unix.Umask(0o777) }), clean: true},
	{name: "sets TMPDIR", victim: plain(func(s *attack.Scene) error {
		defer os.Setenv("TMPDIR", "/nowhere")
		f, err := os.CreateTemp("", "save-*")
		if err != nil {
			return err
		}
		return errors.Join(f.Close(), os.Remove(f.Name()))
	}), clean: true},
	{name: "clears the environment", victim: after(func(*attack.Scene) { os.Clearenv() }), clean: true},
	{name: "limits files", victim: after(func(*attack.Scene) {
		_ = syscall.Setrlimit(unix.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 8, Max: 8})
	}), clean: true},

	// Its surroundings.
	{name: "removes Dir", victim: after(func(s *attack.Scene) { _ = os.RemoveAll(s.Dir) }), says: []string{"without any attack, the victim removed the scene itself"}},
	{name: "removes Home", victim: after(func(s *attack.Scene) { _ = os.RemoveAll(s.Home) }), says: []string{"without any attack, the victim removed the scene itself"}},
	{name: "removes the whole scene", victim: after(func(s *attack.Scene) { _ = os.RemoveAll(s.Dir + "/..") }), says: []string{"without any attack, the victim removed the scene itself"}},
	{name: "renames the scene", victim: after(func(s *attack.Scene) {
		root := strings.TrimSuffix(s.Dir, "/shared")
		_ = os.Rename(root, root+".old")
	}), says: []string{"without any attack, the victim removed the scene itself"}},
	{name: "kills the process of the test", victim: after(func(*attack.Scene) { _ = unix.Kill(os.Getppid(), unix.SIGKILL) }),
		says: []string{"kill"}},
	{name: "kills the process of the test by pidfd", victim: after(func(*attack.Scene) {
		if p, err := os.FindProcess(os.Getppid()); err == nil {
			_ = p.Kill()
		}
	}), says: []string{"kill"}},
	{name: "signals a child of its own that is gone", victim: after(func(*attack.Scene) {
		p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
		if err != nil {
			panic(err)
		}
		fd, err := unix.PidfdOpen(p.Pid, 0)
		if err != nil {
			panic(err)
		}
		defer unix.Close(fd)
		if _, err := p.Wait(); err != nil {
			panic(err)
		}
		_ = unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0)
	}), clean: true},
	{name: "kills the process group of the test", victim: after(func(*attack.Scene) {
		if pg, err := unix.Getpgid(os.Getppid()); err == nil {
			_ = unix.Kill(-pg, unix.SIGKILL)
		}
	}), says: []string{"kill"}},
	{name: "kills its own process group", victim: after(func(*attack.Scene) { _ = unix.Kill(0, unix.SIGKILL); select {} }),
		says: []string{"without any attack, the victim ended the process: ", "killed"}},

	// Names.
	{name: "name of 255 bytes", victim: writes(strings.Repeat("n", 255)), says: []string{"X01", strings.Repeat("n", 255)}},
	{name: "name with newlines", victim: writes("a\nb\n    fix: nothing"), says: []string{"X01", `a\nb\n    fix: nothing`}, unsaid: []string{"\nb\n"}},
	{name: "name with control characters", victim: writes("a\x1b[31mb\x7f\r\u202e"), says: []string{"X01", `a\x1b[31mb\x7f\r\u202e`}, unsaid: []string{"\x1b", "\x7f", "\u202e"}},
	{name: "name of invalid UTF-8", victim: writes("a\xff\xfeb"), says: []string{"X01", `a\xff\xfeb`}, unsaid: []string{"\xff"}},
	{name: "name with quotes", victim: writes("it's $(a) `b` \"c\" %41;@=:#"), says: []string{"X01"}},
	{name: "panic with odd text", victim: after(func(*attack.Scene) { panic("a\x1b[31m\xff\u202e") }), says: []string{"panicked: "}, unsaid: []string{"\x1b", "\xff", "\u202e"}},
	{name: "error with odd text", victim: plain(func(s *attack.Scene) error { _ = save(s); return errors.New("a\x1b[31m\xff\u202e") }),
		says: []string{"returned an error: "}, unsaid: []string{"\x1b", "\xff", "\u202e"}},
	{name: "error about a random name", victim: plain(func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "save-*")
		if err != nil {
			return err
		}
		return errors.Join(f.Close(), os.Rename(f.Name(), s.Path("no", "save")))
	}), says: []string{"returned an error: rename shared/save-* shared/no/save: no such file"}, unsaid: []string{"/tmpproof-"}},
	{name: "panic about a path", victim: after(func(s *attack.Scene) { panic(s.Path("save")) }), says: []string{"panicked: shared/save"}, unsaid: []string{"/tmpproof-"}},
	{name: "Setup fails", victim: plain(save), opts: []attack.Option{attack.Setup(func(s *attack.Scene) error {
		_, err := os.Stat(s.Path("no"))
		return err
	})}, says: []string{"Setup failed: stat shared/no: no such file"}, unsaid: []string{"/tmpproof-"}},
	{name: "long error", victim: plain(func(s *attack.Scene) error { _ = save(s); return errors.New(strings.Repeat("long ", 1<<18)) }),
		says: []string{"returned an error: long long"}, unsaid: []string{strings.Repeat("long ", 1000)}},
}

// writes creates a file as nobody should.
func writes(name string) func(*testing.T) attack.Victim {
	return plain(func(s *attack.Scene) error { return os.WriteFile(s.Path(name), []byte(strconv.Itoa(1)), 0o600) })
}

// closeAll closes every descriptor but the Go runtime's own: without its
// epoll descriptor the runtime ends the process the next time it polls, which
// is chance, and the victim's own doing.
func closeAll() {
	for fd := range 1 << 10 {
		kind, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		if err == nil && kind != "anon_inode:[eventpoll]" && kind != "anon_inode:[eventfd]" {
			_ = unix.Close(fd)
		}
	}
}
