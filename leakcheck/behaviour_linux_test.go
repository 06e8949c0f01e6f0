package leakcheck

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/stretchr/testify/suite"
	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/internal/sweep"
)

func leakFile(t *testing.T) {
	f, err := os.CreateTemp("", "upload-*.tmp")
	must(t, err)
	must(t, f.Close())
}

func nothing(*testing.T) {}

func tests(list ...func(t *testing.T)) []testing.InternalTest {
	var all []testing.InternalTest
	for i, f := range list {
		all = append(all, one("Test"+string(rune('A'+i)), f))
	}
	return all
}

// checked is a test that calls Check first.
func checked(f func(t *testing.T), opts ...Option) func(t *testing.T) {
	return func(t *testing.T) {
		Check(t, opts...)
		f(t)
	}
}

func plainMain(m *testing.M) int { return m.Run() }

// shared makes two parallel tests leave a file together that neither leaves
// alone.
var shared = make(chan bool, 1)

func together(t *testing.T) {
	select {
	case shared <- true:
	default:
		leakFile(t)
	}
}

// removable is what one test leaves for another.
var removable bool

func waitForSignal(t *testing.T) {
	leakFile(t)
	<-current.s.background // it is known by then who takes signals
	ready := filepath.Join(os.Getenv("READY"), "ready")
	must(t, os.WriteFile(ready+"~", fmt.Append(nil, signal.Ignored(syscall.SIGINT)), 0o600))
	must(t, os.Rename(ready+"~", ready))
	select {}
}

// Ten tests that run at the same time.
var (
	arrived atomic.Int32
	all10   = make(chan bool)
)

type runner func() int

func (r runner) Run() int { return r() }

func addBehaviours(all map[string]fixture) {
	add := func(name string, f fixture) { all[name] = f }
	add("failing test", fixture{tests: tests(func(t *testing.T) { leakFile(t); t.Error("failed") })})
	add("warn", fixture{tests: tests(leakFile), opts: []Option{Warn()}})
	add("no explanation", fixture{tests: tests(nothing, leakFile), opts: []Option{Explain(false)}})
	add("ignored", fixture{tests: tests(leakFile), opts: []Option{Ignore("upload-*")}})
	add("bad glob", fixture{tests: tests(nothing), opts: []Option{Ignore("[")}})
	add("nil option", fixture{tests: tests(nothing), opts: []Option{nil}})
	add("run in a run", fixture{tests: tests(nothing), main: func(m *testing.M) int { return Run(runner(func() int { return Run(m) })) }})
	add("umask", fixture{tests: tests(nothing), main: func(m *testing.M) int {
		syscall.Umask(0o277)
		return Run(m)
	}})
	add("works on", fixture{tests: tests(func(*testing.T) {
		go func() {
			for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
			}
			_ = os.WriteFile(filepath.Join(os.TempDir(), "late"), nil, 0o600)
		}()
	})})
	add("no such dir", fixture{tests: tests(nothing), opts: []Option{Dir("/nonexistent/dir")}})
	add("kept", fixture{tests: tests(leakFile), opts: []Option{KeepOnLeak()}})
	add("allow open", fixture{tests: tests(ways[3].leak), opts: []Option{AllowOpen()}})
	add("TMPDIR changed", fixture{tests: tests(func(t *testing.T) { must(t, os.Setenv("TMPDIR", "/var/tmp")) })})
	add("TMPDIR set and taken back", fixture{tests: tests(func(t *testing.T) { t.Setenv("TMPDIR", t.TempDir()) })})
	add("root removed", fixture{tests: tests(nothing, func(t *testing.T) { must(t, os.RemoveAll(os.Getenv("TMPDIR"))) })})
	add("root removed by two together", fixture{tests: tests(nothing, func(*testing.T) { removable = true }, func(t *testing.T) {
		if removable {
			must(t, os.RemoveAll(os.Getenv("TMPDIR")))
		}
	})})
	add("together", fixture{tests: tests(together, together)})
	add("example", fixture{tests: tests(nothing), main: func(m *testing.M) int {
		*field[testing.InternalExample](m, "examples") = []testing.InternalExample{{Name: "Example", F: func() { _, _ = os.MkdirTemp("", "ex-") }, Output: ""}}
		return Run(m)
	}})
	addBlame(add)
	addFixes(add)
	add("package directory", fixture{tests: tests(nothing, func(t *testing.T) { must(t, os.WriteFile("out.txt", []byte("x"), 0o600)) })})
	add("package directory, MkdirAll", fixture{tests: tests(func(t *testing.T) { // makes it and takes it back
		must(t, os.MkdirAll("out/b", 0o700))
		must(t, os.RemoveAll("out"))
	}, nothing, func(t *testing.T) {
		must(t, os.MkdirAll("out/a", 0o700))
	}, func(t *testing.T) { // looks only
		_, _ = os.ReadDir("out")
		_, _ = os.Stat("out/a")
	})})
	add("package directory, if missing", fixture{tests: tests(func(*testing.T) { _, _ = os.ReadFile("cache.db") }, func(t *testing.T) {
		if _, err := os.Stat("cache.db"); err != nil {
			must(t, os.WriteFile("cache.db", []byte("x"), 0o600))
		}
	}, func(t *testing.T) {
		f, err := os.OpenFile("lock", os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			must(t, f.Close())
		}
	})})
	add("somebody else's file", fixture{tests: tests(func(t *testing.T) {
		if !rerun.IsWhole() {
			must(t, os.WriteFile("notes.txt", nil, 0o600))
		}
	})})
	add("somebody's file", fixture{tests: tests(func(t *testing.T) {
		if os.Getenv("STRANGER") != "" {
			must(t, os.WriteFile("notes.txt", nil, 0o600))
		}
		must(t, os.Unsetenv("STRANGER"))
	})})
	add("check", fixture{tests: tests(checked(nothing), checked(leakFile), checked(nothing)), main: plainMain})
	add("check, parallel", fixture{tests: tests(parallel(checked(nothing)), parallel(checked(leakFile)), parallel(checked(nothing))), main: plainMain})
	add("check in a subtest", fixture{tests: tests(func(t *testing.T) {
		t.Run("x", checked(nothing))
		t.Run("y/z", checked(leakFile))
	}), main: plainMain})
	add("check and main", fixture{tests: tests(checked(nothing), checked(leakFile))})
	add("check, warn", fixture{tests: tests(checked(leakFile, Warn())), main: plainMain})
	add("check, process", fixture{tests: tests(checked(nothing), checked(ways[8].leak)), main: plainMain})
	add("check, open", fixture{tests: tests(checked(nothing), checked(ways[4].leak)), main: plainMain})
	openAt := func(number int) func(t *testing.T) {
		return func(t *testing.T) {
			f, err := os.CreateTemp("", "high-")
			must(t, err)
			must(t, syscall.Dup3(int(f.Fd()), number, syscall.O_CLOEXEC))
			must(t, f.Close())
			must(t, os.Remove(f.Name()))
		}
	}
	// One that is open already; the file below is closed and its number used again.
	const used = 30
	add("check, a high descriptor", fixture{tests: tests(checked(nothing), checked(openAt(700))), main: plainMain})
	add("check, a number used again", fixture{tests: tests(func(t *testing.T) {
		must(t, syscall.Dup3(0, used, syscall.O_CLOEXEC))
		t.Run("x", checked(openAt(used)))
	}), main: plainMain})
	add("check, bad option", fixture{tests: tests(checked(nothing, Ignore("[")), checked(nothing)), main: plainMain})
	add("check, no such dir", fixture{tests: tests(func(t *testing.T) {
		t.Setenv("TMPDIR", "/nonexistent/dir")
		t.Run("x", checked(nothing))
	}, checked(nothing)), main: plainMain})
	add("check, root removed", fixture{tests: tests(checked(func(t *testing.T) { must(t, os.RemoveAll(os.Getenv("TMPDIR"))) }), checked(nothing)), main: plainMain})
	add("check, a process of before", fixture{tests: tests(func(t *testing.T) {
		sleep := exec.Command("sleep", "60")
		must(t, sleep.Start())
		t.Run("x", checked(nothing))
		must(t, sleep.Process.Kill())
		_ = sleep.Wait()
	}), main: plainMain})
	add("check, open directory", fixture{tests: tests(checked(func(t *testing.T) {
		dir, err := os.MkdirTemp("", "spool-")
		must(t, err)
		_, err = syscall.Open(dir, syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
		must(t, err)
		must(t, os.Remove(dir))
	})), main: plainMain})
	add("many kinds", fixture{tests: tests(func(t *testing.T) {
		for i := range 23 {
			must(t, os.WriteFile(filepath.Join(os.TempDir(), string(rune('a'+i))+".txt"), nil, 0o600))
		}
	}), opts: []Option{Explain(false)}})
	ten := slices.Repeat([]func(t *testing.T){parallel(func(t *testing.T) {
		if arrived.Add(1) == 10 {
			leakFile(t)
			close(all10)
		}
		<-all10
	})}, 10)
	add("many tests", fixture{tests: tests(ten...), main: func(m *testing.M) int {
		flag.Parse()
		_ = flag.Set("test.parallel", "10")
		return Run(m, Explain(false))
	}})
	add("suite", fixture{tests: tests(func(t *testing.T) { suite.Run(t, new(leakingSuite)) }), main: plainMain})
	add("panic", fixture{tests: tests(func(t *testing.T) { leakFile(t); panic("away") })})
	add("exit", fixture{tests: tests(func(t *testing.T) { leakFile(t); os.Exit(3) })})
	add("killed", fixture{tests: tests(func(t *testing.T) {
		leakFile(t)
		must(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
		select {}
	})})
	add("clean", fixture{tests: tests(func(t *testing.T) { t.TempDir() })})
	add("waits", fixture{tests: tests(waitForSignal)})
	add("odd name", fixture{tests: tests(func(t *testing.T) {
		must(t, os.WriteFile(filepath.Join(os.TempDir(), "a\n--- FAIL: x\xff"), nil, 0o600))
	})})
	add("six", fixture{tests: tests(parallel(nothing), parallel(leakFile), parallel(nothing), parallel(nothing), parallel(ways[1].leak), parallel(nothing))})
	add("six, no explanation", fixture{tests: all["six"].tests, opts: []Option{Explain(false)}})
	add("cannot run again", fixture{tests: tests(nothing, leakFile), main: func(m *testing.M) int {
		if rerun.IsWhole() {
			return 5 // before it comes to leakcheck
		}
		return Run(m)
	}})
	dies := func(t *testing.T) {
		if rerun.IsWhole() {
			panic("again\nand again")
		}
		leakFile(t)
	}
	add("dies when run again", fixture{tests: tests(nothing, dies)})
	add("dies when run again, traced", fixture{tests: tests(nothing, dies), main: withoutSupervisor})
	add("dies having left it", fixture{tests: tests(nothing, func(t *testing.T) { leakFile(t); dies(t) })})
	add("package directory, dies", fixture{tests: tests(nothing, func(t *testing.T) {
		dies(t)
		must(t, os.WriteFile("out.txt", []byte("x"), 0o600))
	})})
	add("nested", fixture{tests: tests(func(t *testing.T) {
		if os.Getenv("INNER") == "" {
			t.Setenv("INNER", "1")
			out, err := exec.Command("/proc/self/exe").CombinedOutput()
			must(t, err)
			assert.Equal(t, "PASS\n", string(out))
			out, err = exec.Command("/proc/self/exe", "-test.v").CombinedOutput()
			must(t, err)
			assert.Contains(t, string(out), "leakcheck: note: not looked for here")
			return
		}
		leakFile(t)
	})})
}

type leakingSuite struct{ Suite }

func (s *leakingSuite) TestClean() {}

func (s *leakingSuite) TestLeaking() { leakFile(s.T()) }

// TestBehaviour: one row per way in which a run can go.
func TestBehaviour(t *testing.T) {
	leak := func(test string) string { return test + ` left "upload-*.tmp", made at behaviour_linux_test.go:25` }
	died := "running TestB again: the child ended (exit status 2) before the test did: panic: again"
	rows := []struct {
		name string
		code int
		has  []string // "!x": x is not in it
	}{
		{"failing test", 1, []string{leak("TestA")}},
		{"warn", 0, []string{leak("TestA")}},
		{"no explanation", 1, []string{`the tests left "upload-*.tmp"`, "at that time ran only: TestB\n", "!made at"}},
		{"ignored", 0, []string{"!leakcheck"}},
		{"bad glob", 1, []string{"nothing can be checked: the pattern [ of Ignore: syntax error in pattern"}},
		{"nil option", 1, []string{"nothing can be checked: a nil option"}},
		{"run in a run", 1, []string{"nothing can be checked: Run was called while a checked run goes on: call it once, in TestMain", "PASS"}},
		{"umask", 1, []string{"nothing can be checked: ", "was made with mode 0700 and has 0500: the umask", "PASS"}},
		{"works on", 1, []string{`TestA left "late", made at behaviour_linux_test.go`}},
		{"no such dir", 1, []string{"nothing can be checked: a private directory", "PASS"}},
		{"allow open", 0, []string{"!leakcheck"}},
		{"TMPDIR changed", 1, []string{`E13: a test changed the place`, `TMPDIR="/var/tmp"`}},
		{"TMPDIR set and taken back", 0, []string{"!leakcheck"}},
		{"root removed", 1, []string{"leakcheck: TestB removed or replaced /", "-run '^TestB$'", "!could not be removed"}},
		{"together", 1, []string{"leaks only together with other tests", "!made at"}},
		{"example", 1, []string{`Example left "ex-*", made at behaviour_linux_test.go`, "-run '^Example$'"}},
		{"late goroutine beside the next test", 1, []string{`TestA left "late", made at blame_linux_test.go`, "!TestB left"}},
		{"late child beside the next test", 1, []string{`TestA left "late", made at blame_linux_test.go`, "!TestB left"}},
		{"removed and made again", 1, []string{`TestB left "state", made at blame_linux_test.go`, "!TestA left"}},
		{"made again only where it was", 1, []string{`the tests left "state"`, "at that time ran only: TestB", "!TestA left", "!TestB left"}},
		{"left by one, by the other open too", 1, []string{`TestA left "m-*", made at`, `TestB left "m-*", made at`, `TestB left "m-*" open`, "!TestA left \"m-*\" open", "!the tests left"}},
		{"two with one pattern", 1, []string{`TestA left "*.txt", made at blame_linux_test.go`, `TestC left "*.txt", made at blame_linux_test.go`, "!TestB left", "!the tests left"}},
		{"fixed names", 1, []string{`TestA left "part-1"`, `TestB left "part-2"`, "!the tests left"}},
		{"subtest", 1, []string{`TestA/x/y left "upload-*.tmp"`, "-run '^TestA$/^x$/^y$'"}},
		{"renamed", 1, []string{`TestA left "final", made at victims_linux_test.go:`, ", renamed at blame_linux_test.go:"}},
		{"benchmark", 1, []string{`BenchmarkA left 30 times "bench-*", made at blame_linux_test.go`, "-run '^$' -bench '^BenchmarkA$' -benchtime 1x", "!TestA"}},
		{"fuzz seed", 1, []string{`FuzzA/seed#1 left "seed-*", made at blame_linux_test.go`, "-run '^FuzzA$/^seed#1$'"}},
		{"check, a high descriptor", 1, []string{`TestB left "high-*" open`}},
		{"check, a number used again", 1, []string{`left "high-*" open`}},
		{"check", 1, []string{leak("TestB"), "--- FAIL: TestB", "!--- FAIL: TestA", "!--- FAIL: TestC"}},
		{"check, parallel", 1, []string{leak("TestB"), "--- FAIL: Test"}},
		{"check in a subtest", 1, []string{leak("TestA/y/z"), "--- FAIL: TestA/y/z", "!--- FAIL: TestA/x", "-run '^TestA$/^y$/^z$'"}},
		{"check and main", 1, []string{leak("TestB"), "--- FAIL: TestB", "!--- FAIL: TestA"}},
		{"check, warn", 0, []string{"!FAIL"}},
		{"check, process", 1, []string{`TestB left the process "sleep" running`, "!--- FAIL: TestA"}},
		{"check, open", 1, []string{`TestB left "spool-*" open, made at victims_linux_test.go`, "!--- FAIL: TestA"}},
		{"check, bad option", 1, []string{"nothing can be checked: the pattern [ of Ignore", "--- FAIL: TestA", "!--- FAIL: TestB"}},
		{"check, no such dir", 1, []string{"nothing can be checked: a private directory", "--- FAIL: TestA/x", "!--- FAIL: TestB"}},
		{"root removed by two together", 1, []string{"leakcheck: a test removed or replaced /", "!repeat"}},
		{"check, root removed", 1, []string{"leakcheck: TestA removed or replaced", "--- FAIL: TestA"}},
		{"check, a process of before", 0, []string{"!leakcheck"}},
		{"check, open directory", 1, []string{`TestA left "spool-*" open`, "open directory"}},
		{"many kinds", 1, []string{`left "t.txt"`, `!left "u.txt"`, "leakcheck: and 3 more kinds of leaks"}},
		{"many tests", 1, []string{`the tests left "upload-*.tmp"`, "10 tests ran at that time", "!at that time ran"}},
		{"suite", 1, []string{leak("TestA/TestLeaking"), "--- FAIL: TestA/TestLeaking", "!--- FAIL: TestA/TestClean"}},
		{"odd name", 1, []string{`TestA left "a\n--- FAIL: x\xff", made at behaviour_linux_test.go`, `    "a\n--- FAIL: x\xff": file, 0 bytes`}},
		{"six", 1, []string{leak("TestB"), `TestE left "work-*", made at victims_linux_test.go`}},
		{"nested", 1, []string{"TestA left 2 times \"upload-*.tmp\", made at behaviour_linux_test.go:25"}},
		{"cannot run again", 1, []string{`the tests left "upload-*.tmp"`, "at that time ran only: TestB\n", "running TestB again: ", "!does not leave"}},
		{"dies when run again", 1, []string{`the tests left "upload-*.tmp"`, "at that time ran only: TestB\n", died, "!does not leave"}},
		{"dies when run again, traced", 1, []string{`the tests left "upload-*.tmp"`, "at that time ran only: TestB\n", died, "!does not leave"}},
		{"dies having left it", 1, []string{leak("TestB"), died, "!does not leave"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := runFixture(t, row.name)
			endOrphans(r.out)
			assert.Equal(t, row.code, r.code, r.out)
			for _, s := range row.has {
				if not, ok := strings.CutPrefix(s, "!"); ok {
					assert.NotContains(t, r.out, not)
				} else {
					assert.Contains(t, r.out, s)
				}
			}
			requireNothingLeft(t, r)
		})
	}
}

func TestKeep(t *testing.T) {
	t.Parallel()
	r := runFixture(t, "kept")
	assert.Equal(t, 1, r.code)
	files, err := filepath.Glob(filepath.Join(r.tmp, "*", "t", "upload-*.tmp"))
	require.NoError(t, err)
	assert.Len(t, files, 1, r.out)
	assert.Contains(t, r.out, "kept: "+filepath.Dir(filepath.Dir(files[0])))
	// No later run takes it.
	cmd, tmp := fixtureCommand(t, "clean")
	must(t, os.Rename(filepath.Dir(filepath.Dir(files[0])), filepath.Join(tmp, sweep.Prefix+"1")))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.DirExists(t, filepath.Join(tmp, sweep.Prefix+"1", "t"))
}

func TestPackageDirectory(t *testing.T) {
	t.Parallel()
	run := func(name string, env ...string) (string, int, string) {
		cmd, _ := fixtureCommand(t, name)
		must(t, os.WriteFile(filepath.Join(cmd.Dir, "x_test.go"), []byte("package x\n"), 0o600))
		cmd.Env = append(cmd.Env, env...)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode(), cmd.Dir
	}
	out, code, dir := run("package directory")
	assert.Equal(t, 1, code, out)
	assert.Contains(t, out, `TestB left "out.txt" in the package's directory, made at behaviour_linux_test.go`)
	assert.FileExists(t, filepath.Join(dir, "out.txt"), "what is outside of the root is reported, not removed")
	out, code, _ = run("package directory, dies")
	assert.Equal(t, 1, code, out)
	assert.Contains(t, out, `the tests left "out.txt" in the package's directory`)
	assert.Contains(t, out, "running TestB again: the child ended (exit status 2) before the test did")
	for name, wants := range map[string][]string{
		"package directory, MkdirAll":   {`TestC left "out" in the package's directory, made at behaviour_linux_test.go`},
		"package directory, if missing": {`TestB left "cache.db" in the package's directory, made at behaviour_linux_test.go`, `TestC left "lock" in the package's directory`},
	} {
		out, code, _ = run(name)
		assert.Equal(t, 1, code, out)
		for _, want := range wants {
			assert.Contains(t, out, want)
		}
		assert.Equal(t, len(wants), strings.Count(out, " left "), out)
	}
	out, code, dir = run("somebody else's file")
	assert.Zero(t, code, out)
	assert.FileExists(t, filepath.Join(dir, "notes.txt"))
	assert.Contains(t, out, "leakcheck: note: not counted, since no test makes it when it runs alone, and perhaps another program did: notes.txt in the package's directory")
	// What no test is seen to make may be another program's.
	out, code, dir = run("somebody's file")
	assert.Zero(t, code, out)
	assert.NoFileExists(t, filepath.Join(dir, "notes.txt"))
}

// TestCrash: what a run that did not end has left is removed by the next one.
func TestCrash(t *testing.T) {
	for name, code := range map[string]int{"panic": 2, "exit": 3, "killed": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := runFixture(t, name)
			assert.Equal(t, code, r.code, r.out)
			require.Len(t, leftIn(t, r.tmp), 1)
			cmd, _ := fixtureCommand(t, "clean")
			cmd.Env = append(cmd.Env, "TMPDIR="+r.tmp)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			requireNothingLeft(t, r)
		})
	}
}

// notify is no call of signal.Notify, for which the fixtures of this binary look.
var notify = signal.Notify

// TestSignal: a signal from outside ends the run as it would have, and nothing
// stays. One that was ignored from the start does not.
func TestSignal(t *testing.T) {
	// What is taken here is not ignored in the children, as it is in the background
	// of a script.
	taken := make(chan os.Signal, 1)
	notify(taken, syscall.SIGINT)
	t.Cleanup(func() { signal.Stop(taken) })
	for _, row := range []struct {
		name    string
		sigs    []syscall.Signal // the last one ends it
		ignores bool             // SIGINT
	}{
		{"interrupt", []syscall.Signal{syscall.SIGINT}, false},
		{"terminated", []syscall.Signal{syscall.SIGTERM}, false},
		{"in the background of a script", []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cmd, tmp := fixtureCommand(t, "waits")
			if row.ignores {
				cmd.Args = append([]string{"sh", "-c", `trap "" INT; exec "$0" "$@"`}, cmd.Args...)
				var err error
				cmd.Path, err = exec.LookPath("sh")
				must(t, err)
			}
			dir := t.TempDir()
			cmd.Env = append(cmd.Env, "READY="+dir)
			must(t, cmd.Start())
			ready := filepath.Join(dir, "ready")
			require.Eventually(t, func() bool { return exists(ready) }, 20*time.Second, time.Millisecond)
			ignores, err := os.ReadFile(ready)
			must(t, err)
			assert.Equal(t, fmt.Sprint(row.ignores), string(ignores))
			for _, sig := range row.sigs {
				must(t, cmd.Process.Signal(sig))
			}
			_ = cmd.Wait()
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			assert.True(t, status.Signaled() && status.Signal() == row.sigs[len(row.sigs)-1], status)
			requireNothingLeft(t, result{tmp: tmp})
		})
	}
}
