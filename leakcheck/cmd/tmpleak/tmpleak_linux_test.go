//go:build amd64 || arm64

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/leftover"
	"github.com/tmpproof/tmpproof/internal/sample"
	"github.com/tmpproof/tmpproof/internal/swept"
	"golang.org/x/sys/unix"
)

// matrix is each way to leave something behind, and what the report says.
var matrix = []struct {
	test, left string
	renamed    bool
}{
	{"TestFile", `"upload-*.tmp" in TMP`, false},
	{"TestDirectory", `"work-*" in TMP`, false},
	{"TestDeepTree", `"deep" in TMP`, false},
	{"TestElsewhere", `".settings" in HOME`, false},
	{"TestReplaced", `"new" in PKG`, true},
	{"TestRemade", `"golden" in PKG`, false},
	{"TestChild", `"child.out" in TMP`, false},
	{"TestAgain", `"again" in TMP`, false},
	{"TestOrphan", `the process "sleep" running`, false},
	{"TestLate", `"late" in TMP`, false},
	{"TestServer", `"served" in TMP`, false},
	{"TestSocket", `"s" in TMP`, false},
	{"TestFIFO", `"fifo" in TMP`, false},
	{"TestSymlink", `"link" in TMP`, false},
	{"TestHardLink", `"hard" in TMP`, false},
	{"TestDangling", `"target" in TMP`, false},
	{"TestRoot", `"rooted" in TMP`, false},
	{"TestReadOnlyTree", `"mod" in TMP`, false},
	{"TestRenamed", `"final" in TMP`, true},
	{"TestRenamedDirectory", `"placed" in TMP`, true},
	{"TestMovedOut", `"moved" in TMP`, false},
	{"TestBehindLink", `"behind" in TMP`, false},
	{"TestOldName", `"old-name" in HOME/sub`, false},
	{"TestOddName", `"a \"b\n\x1b[31m" in TMP`, false},
	{"TestManyFiles", `50 times "part-*" in TMP`, false},
}

// arrangements are how the leaking test stands among its clean twins.
var arrangements = []struct {
	name, arrange string
	sub           string // name of the subtest
	args          []string
	flags         []string // of the build
}{
	{name: "serial"},
	{name: "parallel", arrange: "parallel", args: []string{"-test.parallel=8"}},
	{name: "subtests", arrange: "subtests", sub: "/b_c/d", args: []string{"-test.parallel=8", "-test.shuffle=on", "-test.cpu=1"}},
	{name: "race", arrange: "subtests", sub: "/b_c/d", args: []string{"-test.parallel=8"}, flags: []string{"-race"}},
	{name: "pie, trimmed, not optimised", args: []string{"-test.shuffle=on"}, flags: []string{"-buildmode=pie", "-trimpath", "-gcflags=all=-N -l"}},
}

// rounds repeats the matrix: TMPPROOF_REPEAT.
func rounds() int {
	n, _ := strconv.Atoi(os.Getenv("TMPPROOF_REPEAT"))
	return max(n, 1)
}

// TestMatrix: each way is found in each arrangement, with the test and the
// line, and nothing else is; and nothing where all are clean.
func TestMatrix(t *testing.T) {
	lines := madeBy(t)
	for _, a := range arrangements {
		if !sample.Long() && len(a.flags) > 0 || sample.Short() && a.arrange != "parallel" {
			continue // builds the standard library anew
		}
		exe := ways(t, a.flags...)
		env := []string{"ARRANGE=" + a.arrange}
		t.Run(a.name, func(t *testing.T) {
			for range rounds() {
				for _, m := range matrix {
					r := leaksOf(t, exe, append(env, "LEAK="+m.test), nil, a.args...)
					base := leftover.Pattern(filepath.Dir(r.tmp))
					want := strings.NewReplacer("TMP", base+"/tmp", "HOME", base+"/home", "PKG", base+"/pkg").Replace(m.left)
					require.Equal(t, 1, r.code, "%s\n%s", m.test, r.out)
					sub := a.sub
					if m.test == "TestLate" {
						sub = "" // it has ended: what is known is the function that started the goroutine
					}
					require.Contains(t, r.out, m.test+sub+" left "+want, r.out)
					require.Contains(t, r.out, " at ", r.out)
					require.Contains(t, firstLeak(r.out), lines[m.test], r.out)
					require.Equal(t, m.renamed, strings.Contains(firstLeak(r.out), ", renamed at "), r.out)
					require.Equal(t, 1, strings.Count(r.out, " left "), r.out)
				}
				r := leaksOf(t, exe, env, nil, a.args...)
				require.Equal(t, 0, r.code, r.out)
				require.NotContains(t, r.out, " left ")
				require.NotContains(t, r.out, "not followed")
			}
		})
	}
}

// TestOtherKinds: a benchmark, an example and a seed of a fuzz test are named, and
// the command that repeats it runs them.
func TestOtherKinds(t *testing.T) {
	exe := ways(t)
	lines := madeBy(t)
	for _, tt := range []struct {
		leak, who, left, repeat string
		args                    []string
	}{
		{"BenchmarkFile", "BenchmarkFile", `4 times "bench-*"`, "-run '^$' -bench '^(BenchmarkFile)$' -benchtime 1x", []string{"-test.run=^$", "-test.bench=File", "-test.benchtime=3x"}},
		{"BenchmarkFile", "BenchmarkFile", `"bench-*"`, "-run '^$' -bench '^(BenchmarkFile)$' -benchtime 1x", []string{"-test.run=^$", "-test.bench=File", "-test.benchtime=1x"}},
		{"ExampleMain", "ExampleMain", `"example-*"`, "-run '^(ExampleMain)$'", nil},
		{"FuzzFile", "FuzzFile/seed#1", `"seed-*"`, "-run '^(FuzzFile)$'", nil},
	} {
		t.Run(tt.leak, func(t *testing.T) {
			r := leaksOf(t, exe, []string{"LEAK=" + tt.leak}, nil, tt.args...)
			assert.Equal(t, 1, r.code, r.out)
			assert.Contains(t, firstLeak(r.out), tt.who+" left "+tt.left+" in ")
			assert.Contains(t, firstLeak(r.out), lines[tt.leak])
			assert.Contains(t, r.out, "-exec tmpleak "+tt.repeat+" ")
			assert.Equal(t, 1, strings.Count(r.out, " left "), r.out)
		})
	}
}

func firstLeak(out string) string {
	for line := range strings.Lines(out) {
		if strings.Contains(line, " left ") {
			return line
		}
	}
	return ""
}

// TestBehaviour: exit status, signals, input and output are those of the tests.
func TestBehaviour(t *testing.T) {
	exe := ways(t)
	for _, row := range []struct {
		name string
		do   string
		env  string
		code int
		sig  syscall.Signal
		has  []string
	}{
		{"pass", "", "", 0, 0, []string{"PASS\n", "tmpleak: github.com/tmpproof/tmpproof/leakcheck/cmd/tmpleak/testdata/ways: 0 leaks, 0 broken rules"}},
		{"fail", "fail", "", 1, 0, []string{"as asked", "0 leaks"}},
		{"exit", "exit 7", "", 7, 0, []string{"0 leaks"}},
		{"panic", "panic", "", 2, 0, []string{"panic: as asked", "0 leaks"}},
		{"terminated", "kill 15", "", -1, syscall.SIGTERM, []string{"0 leaks"}},
		{"killed", "kill 9", "", -1, syscall.SIGKILL, []string{"0 leaks"}},
		{"input", "cat", "", 0, 0, []string{"from outside"}},
		{"much output", "much", "", 0, 0, []string{strings.Repeat(strings.Repeat("x", 1023)+"\n", 4096), "0 leaks"}},
		{"unsafe", "unsafe", reachable, 0, 0, []string{"warning: C01", "warning: C03", "warning: C06", "foretold.txt: created without O_EXCL", "0 leaks, 3 broken rules"}},
		{"shared by the tests", "shared", reachable, 0, 0, []string{"warning: C01", "warning: C06", "0 leaks, 3 broken rules"}},
		{"unsafe, where nobody comes", "unsafe", "", 0, 0, []string{"0 leaks, 0 broken rules"}},
		{"safe", "safe", reachable, 0, 0, []string{"0 leaks, 0 broken rules"}},
		{"a seccomp listener of its own", "listener", "", 0, 0, []string{"a second listener: device or resource busy", "0 leaks"}},
		{"many kinds of leaks", "kinds 22", "", 1, 0, []string{`left "ttt"`, "tmpleak: and 2 more kinds of leaks\n", ": 22 leaks"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			cmd, r := prepare(t, exe, []string{"DO=" + row.do, row.env}, nil, "-test.run=^TestBehave$")
			cmd.Stdin = strings.NewReader("from outside")
			out, _ := cmd.CombinedOutput()
			r.out = string(out)
			assert.Equal(t, row.code, cmd.ProcessState.ExitCode(), r.out)
			if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); row.sig != 0 {
				assert.Equal(t, row.sig, ws.Signal(), r.out)
			}
			for _, s := range row.has {
				assert.Contains(t, r.out, s)
			}
		})
	}
}

// TestForeignPrograms: a file that another program makes is found, and has the
// line that started it. A program that may be run and not read keeps its names
// to itself, but from root: that is said.
func TestForeignPrograms(t *testing.T) {
	exe := ways(t)
	touch, err := exec.LookPath("touch")
	if err != nil {
		t.Skip(err)
	}
	bin := swept.Dir(t)
	for _, row := range []struct {
		name string
		mode os.FileMode
		seen bool
	}{
		{"readable", 0o755, true},
		{"unreadable", 0o111, os.Geteuid() == 0},
		{"static", 0o755, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := filepath.Join(bin, row.name)
			require.NoError(t, os.Mkdir(dir, 0o755))
			prog := filepath.Join(dir, "touch") // busybox goes by its name
			if row.name == "static" {
				buildTouch(t, prog)
			} else {
				copyProgram(t, touch, prog)
			}
			require.NoError(t, os.Chmod(prog, row.mode))
			r := leaksOf(t, exe, []string{"DO=run " + prog}, nil, "-test.run=^TestBehave$")
			if row.seen {
				assert.Equal(t, 1, r.code, r.out)
				assert.Contains(t, r.out, `TestBehave left "by-program" in `)
				assert.Contains(t, firstLeak(r.out), "by the program touch")
				assert.NotContains(t, r.out, "not followed")
				return
			}
			assert.Contains(t, r.out, "tmpleak: not followed: the memory of process")
		})
	}
}

// TestElsewhere: what a process makes under names that mean something else here
// is found where it is, and where it has no name here, that is said.
func TestElsewhere(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can do this")
	}
	exe := ways(t)
	for name, tt := range map[string]struct{ do, says string }{
		"a root directory":  {"chroot TMP", `TestBehave left "by-program" in `},
		"a mount namespace": {"unshare TMP/touch", `TestBehave left "by-program" in `},
		"a file system":     {"private", "tmpleak: not followed: names that a process made in a mount namespace of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := swept.Dir(t)
			buildTouch(t, filepath.Join(dir, "touch"))
			r := leaksOf(t, exe, []string{"DO=" + strings.Replace(tt.do, "TMP", dir, 1)}, nil, "-test.run=^TestBehave$")
			if strings.HasPrefix(tt.do, "chroot") { // of a directory that is not among those that are looked at
				assert.FileExists(t, filepath.Join(dir, "by-program"))
			}
			assert.Contains(t, r.out, tt.says)
		})
	}
}

// TestForms: a file that stays is found by whatever form of its path it was
// made, and the test and the line are known.
func TestForms(t *testing.T) {
	exe := ways(t)
	for _, form := range []string{"root link", "thread's root link", "descriptor link", "link to a link", "root descriptor", "in root", "in root, up",
		"directory, then file", "rename", "chroot"} {
		t.Run(form, func(t *testing.T) {
			if form == "chroot" && os.Getuid() != 0 {
				t.Skip("only root can do this")
			}
			r := leaksOf(t, exe, []string{"DO=form " + form}, nil, "-test.run=^TestBehave$")
			assert.Equal(t, 1, r.code, r.out)
			assert.Contains(t, r.out, `TestBehave left "by-form" in `)
			assert.Contains(t, firstLeak(r.out), " at ")
			assert.Contains(t, r.out, ": 1 leak", r.out)
			assert.NotContains(t, r.out, "not followed")
			r = leaksOf(t, exe, []string{"DO=form, " + form}, nil, "-test.run=^TestBehave$")
			assert.Equal(t, 0, r.code, r.out)
			assert.Contains(t, r.out, ": 0 leaks", r.out)
			assert.NotContains(t, r.out, "not followed")
		})
	}
}

// TestStrict: broken rules fail, and a look before the create is one.
func TestStrict(t *testing.T) {
	exe := ways(t)
	for _, row := range []struct {
		do   string
		code int
		has  string
		not  string
	}{
		{"unsafe", 1, "3 broken rules", "C10"},
		{"check", 1, "tmpleak: C10 ", "warning: C"},
		{"safe", 0, "0 broken rules", "C0"},
	} {
		t.Run(row.do, func(t *testing.T) {
			r := leaksOf(t, exe, []string{"DO=" + row.do, reachable}, []string{"-strict"}, "-test.run=^TestBehave$")
			assert.Equal(t, row.code, r.code, r.out)
			assert.Contains(t, r.out, row.has)
			assert.NotContains(t, r.out, row.not)
		})
	}
}

// TestSignals: an interrupt reaches the tests, and tmpleak ends as they do.
func TestSignals(t *testing.T) {
	exe := ways(t)
	for _, sig := range []syscall.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			cmd, r := prepare(t, exe, nil, nil, "-test.run=^TestBehave$", "-test.timeout=90s")
			ready := filepath.Join(r.home, "old") // there already
			cmd.Env = append(cmd.Env, "DO=hang "+ready+".tmp")
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			require.NoError(t, cmd.Start())
			require.Eventually(t, func() bool { _, err := os.Lstat(ready + ".tmp"); return err == nil }, 60*time.Second, 5*time.Millisecond)
			require.NoError(t, cmd.Process.Signal(sig))
			_ = cmd.Wait()
			ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if sig == unix.SIGQUIT {
				assert.Equal(t, 2, ws.ExitStatus(), out.String())
				assert.Contains(t, out.String(), "SIGQUIT: quit")
				assert.Contains(t, out.String(), "ways.TestBehave(")
			} else {
				assert.True(t, ws.Signaled() && ws.Signal() == sig, "%v\n%s", cmd.ProcessState, out.String())
			}
			assert.Contains(t, out.String(), `TestBehave left "old.tmp"`)
			assert.Contains(t, out.String(), "did not come to their end")
		})
	}
}

// TestReport: the JSON has what the text has.
func TestReport(t *testing.T) {
	exe := ways(t)
	dir := filepath.Join(t.TempDir(), "new")
	r := leaksOf(t, exe, []string{"LEAK=TestDeepTree", "DO=unsafe", reachable}, []string{"-report", dir}, "-test.run=^(TestDeepTree|TestBehave)$")
	require.Equal(t, 1, r.code, r.out)
	b, err := os.ReadFile(filepath.Join(dir, "github.com_tmpproof_tmpproof_leakcheck_cmd_tmpleak_testdata_ways.json"))
	require.NoError(t, err)
	var got result
	require.NoError(t, json.Unmarshal(b, &got))
	require.Len(t, got.Leaks, 1)
	l := got.Leaks[0]
	assert.Equal(t, leak{Rule: "R01", Path: r.tmp + "/deep", What: "directory with 4 entries", Mode: "0700", Entries: 4, Test: "TestDeepTree", Where: l.Where}, *l)
	assert.Contains(t, l.Where, madeBy(t)["TestDeepTree"])
	var rules []string
	for _, b := range got.Broken {
		rules = append(rules, b.Rule)
	}
	assert.Equal(t, []string{"C01", "C03", "C06", "C06"}, rules, "the deep tree has a name of its own making too")
	assert.Equal(t, "exit status 0", got.Status)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1)
}

// TestUnwatched: where nothing can be checked the tests run, and it is said.
func TestUnwatched(t *testing.T) {
	exe := ways(t)
	not := filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(not, []byte("#!/bin/sh\n:"), 0o755))
	env, err := exec.LookPath("env")
	require.NoError(t, err)
	for _, row := range []struct {
		name  string
		flags []string
		env   string
		code  int
	}{
		{"default", nil, "", statusUnchecked},
		{"optional", []string{"-optional"}, "", 0},
		{"strict", []string{"-strict", "-optional"}, "", statusUnchecked},
		{"strict by environment", []string{"-optional"}, "TMPPROOF_STRICT=1", statusUnchecked},
	} {
		t.Run(row.name, func(t *testing.T) {
			// A supervisor that is supervised: EBUSY.
			cmd, r := prepare(t, exe, []string{row.env}, nil)
			inner := append(append([]string{cmd.Path}, row.flags...), exe, "-test.run=^TestBehave$")
			cmd.Args = append([]string{cmd.Path, env, asTmpleak + "=1"}, inner...)
			out, _ := cmd.CombinedOutput()
			r.out = string(out)
			if strings.Count(r.out, "NOTHING WAS CHECKED") == 0 || !strings.Contains(r.out, "another seccomp listener") {
				t.Skip("no second listener is refused here:", r.out)
			}
			assert.Contains(t, r.out, "PASS")
			assert.Equal(t, row.code, cmd.ProcessState.ExitCode(), r.out)
		})
	}
}

// TestGoTest: as the go command runs it.
func TestGoTest(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command")
	}
	if sample.Short() {
		t.Skip("builds a test binary: not with -short")
	}
	for _, row := range []struct {
		name string
		env  []string
		args []string
		code int
		has  []string
		not  []string
	}{
		{"clean", nil, nil, 0, []string{"ok  \tgithub.com"}, []string{"tmpleak:"}},
		{"json, cover, leaking", []string{"LEAK=TestFile"}, []string{"-json", "-coverprofile=OUT/cover"}, 1,
			[]string{`"Action":"fail","Package"`, `TestFile left \"upload-*.tmp\"`}, []string{"gocoverdir", "cover\\\" in"}},
		{"timeout", []string{"DO=hang /dev/null"}, []string{"-timeout=2s"}, 1, []string{"panic: test timed out after 2s"}, []string{" left "}},
	} {
		t.Run(row.name, func(t *testing.T) {
			cmd, r := prepare(t, "", row.env, nil)
			self := cmd.Path
			gobin, err := exec.LookPath("go")
			require.NoError(t, err)
			out := filepath.Dir(r.tmp)
			var caches []string
			for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH"} {
				value, err := exec.Command(gobin, "env", name).Output()
				require.NoError(t, err)
				caches = append(caches, name+"="+strings.TrimSpace(string(value)))
			}
			cmd.Path, cmd.Args = gobin, []string{"go", "test", "-count=1", "-vet=off", "-run=^(TestFile|TestChild|TestBehave)$", "-exec", self, "./testdata/ways"}
			for _, a := range row.args {
				cmd.Args = append(cmd.Args[:len(cmd.Args)-1], strings.ReplaceAll(a, "OUT", out), "./testdata/ways")
			}
			cmd.Dir, _ = os.Getwd()
			cmd.Env = append(cmd.Env, caches...)
			b, _ := cmd.CombinedOutput()
			if strings.Contains(string(b), "NOTHING WAS CHECKED") {
				t.Skip(string(b))
			}
			assert.Equal(t, row.code, cmd.ProcessState.ExitCode(), "%s", b)
			for _, s := range row.has {
				assert.Contains(t, string(b), s)
			}
			for _, s := range row.not {
				assert.NotContains(t, string(b), s)
			}
		})
	}
}

// TestVendored: as a tool of a vendored module.
func TestVendored(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command")
	}
	if sample.Short() {
		t.Skip("builds tmpleak in another module: not with -short")
	}
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module example.com/v\n\ngo 1.26.0\n\nrequire github.com/tmpproof/tmpproof v0.0.0\n\ntool github.com/tmpproof/tmpproof/leakcheck/cmd/tmpleak\n\nreplace github.com/tmpproof/tmpproof => " + root + "\n",
		"v_test.go": "package v\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestLeak(t *testing.T) { os.CreateTemp(\"\", \"vendored-\") }\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	run := func(flags string, args ...string) (string, error) {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		// What the modules are made of was needed to build this test.
		cmd.Env = append(os.Environ(), "GOFLAGS="+flags, "GOPROXY=off", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, args := range [][]string{{"mod", "tidy"}, {"mod", "vendor"}} {
		if out, err := run("-mod=mod", args...); err != nil {
			t.Skip("not all modules are in the cache: ", out)
		}
	}
	out, err := run("", "test", "-vet=off", "-count=1", "-exec", "go tool tmpleak", "./...")
	if strings.Contains(out, "NOTHING WAS CHECKED") {
		t.Skip(out)
	}
	assert.Error(t, err)
	assert.Contains(t, out, `TestLeak left "vendored-*"`)
	assert.Contains(t, out, "made at v_test.go:8")
}
