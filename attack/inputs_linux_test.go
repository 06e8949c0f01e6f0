package attack_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/sample"
	"golang.org/x/sys/unix"
)

// What the go command's cache must know of a victim.

// envInputs has TestInputsOf do something: it is a directory with what the
// victims look at.
const envInputs = "TMPPROOF_TEST_INPUTS"

// byRawCall is a read that package os does not know of.
func byRawCall(name string) error {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	return errors.Join(err, unix.Close(fd))
}

var inputsOf = []struct {
	name   string
	run    func(t *testing.T, v attack.Victim)
	looks  func(dir string) error
	logged []string // "DIR" stands for the directory
	none   bool     // the result must not be kept
}{
	{"nothing", prove, func(string) error { return nil }, nil, false},
	{"a file", prove, func(dir string) error { _, err := os.ReadFile(dir + "/conf"); return err }, []string{"open DIR/conf"}, false},
	{"a relative name", prove, func(dir string) error {
		if err := os.Chdir(dir); err != nil {
			return err
		}
		_, err := os.ReadFile("conf")
		return err
	}, []string{"open DIR/conf"}, false},
	{"a directory", prove, func(dir string) error { _, err := os.ReadDir(dir); return err }, []string{"open DIR"}, false},
	{"an absent file", prove, func(dir string) error { _, _ = os.Stat(dir + "/absent"); return nil }, []string{"stat DIR/absent"}, false},
	{"an absent file, opened", prove, func(dir string) error { _, _ = os.Open(dir + "/absent"); return nil }, []string{"stat DIR/absent"}, false},
	{"a FIFO", prove, func(dir string) error { // which must not be waited for
		f, err := os.OpenFile(dir+"/fifo", os.O_RDWR, 0)
		return errors.Join(err, f.Close())
	}, []string{"stat DIR/fifo"}, false},
	{"a variable", prove, func(string) error { os.Getenv("INPUTS_MODE"); return nil }, []string{"getenv INPUTS_MODE"}, false},
	{"a raw call", prove, func(dir string) error { return byRawCall(dir + "/conf") }, []string{"open DIR/conf"}, false},
	{"Faults", faults, func(string) error { os.Getenv("INPUTS_MODE"); return nil }, []string{"getenv INPUTS_MODE"}, false},
	{"Kills", kills, func(string) error { os.Getenv("INPUTS_MODE"); return nil }, []string{"getenv INPUTS_MODE"}, false},
	{"Race", race, func(dir string) error {
		os.Getenv("INPUTS_MODE")
		_, err := os.ReadFile(dir + "/conf")
		return err
	}, []string{"getenv INPUTS_MODE", "open DIR/conf"}, false},
	{"a program", prove, func(dir string) error { return exec.Command("sh", dir+"/script").Run() }, nil, true},
	{"a program in a race", race, func(dir string) error { return exec.Command("sh", dir+"/script").Run() }, nil, true},
	{"a limit on files", prove, func(string) error { // the log is none
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 100, Max: unix.RLIM_INFINITY}); err != nil {
			return err
		}
		for range 1000 {
			os.Getenv("INPUTS_MODE")
		}
		return nil
	}, []string{"getenv INPUTS_MODE"}, false},
}

func prove(t *testing.T, v attack.Victim)  { attack.Prove(t, v, attack.Depth(1)) }
func faults(t *testing.T, v attack.Victim) { attack.Faults(t, v) }
func kills(t *testing.T, v attack.Victim)  { attack.Kills(t, v) }
func race(t *testing.T, v attack.Victim) {
	attack.Race(t, v, attack.Budget(50*time.Millisecond))
}

// TestInputsOf is what TestInputs runs.
func TestInputsOf(t *testing.T) {
	dir := os.Getenv(envInputs)
	if dir == "" {
		t.Skip("for TestInputs")
	}
	for _, row := range inputsOf {
		t.Run(row.name, func(t *testing.T) {
			row.run(t, func(s *attack.Scene) error {
				f, err := s.FS.OpenFile(s.Path("own"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
				if err != nil {
					return err
				}
				return errors.Join(f.Close(), s.FS.Remove(f.Name()), row.looks(dir))
			})
		})
	}
}

// TestInputs: what the victim alone has looked at, in its process, is in this
// process's log, by which the go command keeps results; or there is no log,
// where a program's environment counts.
func TestInputs(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	for _, row := range inputsOf {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir, log := t.TempDir(), filepath.Join(t.TempDir(), "testlog")
			require.NoError(t, os.WriteFile(filepath.Join(dir, "conf"), []byte("conf\n"), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "script"), []byte("exit 0\n"), 0o600))
			require.NoError(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
			cmd := exec.Command(exe, "-test.run=^TestInputsOf$/^"+strings.ReplaceAll(row.name, " ", "_")+"$", "-test.testlogfile="+log, "-test.v")
			cmd.Env = append(os.Environ(), envInputs+"="+dir)
			out, err := cmd.CombinedOutput()
			if strings.Contains(string(out), "--- SKIP: TestInputsOf/") {
				t.Skipf("%s", out)
			}
			require.NoError(t, err, "%s", out)
			require.Contains(t, string(out), "--- PASS: TestInputsOf/")
			data, err := os.ReadFile(log)
			require.NoError(t, err)
			if row.none {
				assert.Empty(t, string(data))
				return
			}
			lines := strings.Split(strings.ReplaceAll(string(data), dir, "DIR"), "\n")
			assert.Equal(t, "# test log", lines[0])
			for _, want := range row.logged {
				assert.Contains(t, lines, want)
			}
			if row.logged == nil {
				assert.NotContains(t, lines, "getenv INPUTS_MODE")
				assert.NotContains(t, lines, "open DIR/conf")
			}
			for _, line := range lines {
				assert.NotContains(t, line, "/own", "what is in the scene is never the same again")
			}
			left, err := filepath.Glob(filepath.Join(filepath.Dir(log), "*"))
			require.NoError(t, err)
			assert.Equal(t, []string{log}, left)
		})
	}
}

// TestCached: the go command itself.
func TestCached(t *testing.T) {
	if sample.Short() {
		t.Skip("builds a test of another module: not with -short")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command")
	}
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	const module = "github.com/tmpproof/tmpproof"
	text := strings.Replace(string(mod), "module "+module, "module example.com/cached", 1) +
		"\nrequire " + module + " v0.0.0\nreplace " + module + " => " + root + "\n"
	dir := t.TempDir()
	write := func(name, text string, age time.Duration) { // the go command keeps nothing of a file that is too new
		name = filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		when := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(name, when, when))
	}
	write("go.mod", text, 0)
	write("go.sum", string(sum), 0)
	write("conf", "one", 2*time.Hour)
	write("script", "exit 0\n", 2*time.Hour)
	write("cached_test.go", `package cached

import (
	"os"
	"os/exec"
	"testing"

	"github.com/tmpproof/tmpproof/attack"
)

func TestChild(t *testing.T) {
	attack.Prove(t, func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "")
		if err != nil {
			return err
		}
		defer os.Remove(f.Name())
		defer f.Close()
		os.Getenv("CACHED_MODE")
		_, err = os.ReadFile("conf")
		return err
	}, attack.Depth(1))
}

func TestScript(t *testing.T) {
	attack.Prove(t, func(s *attack.Scene) error {
		os.Stat(s.Dir)
		return exec.Command("sh", "script").Run()
	}, attack.Depth(1))
}
`, time.Hour)
	test := func(name string, env ...string) string {
		cmd := exec.Command("go", "test", "-vet=off", "-ldflags=-s -w", "-run=^"+name+"$", ".")
		cmd.Dir = dir
		cmd.Env = append(append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off"), env...)
		out, err := cmd.CombinedOutput()
		if strings.Contains(string(out), "module lookup disabled") {
			t.Skipf("not all modules are in the cache: %s", out)
		}
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "ok")
		return string(out)
	}
	const cached = "(cached)"
	require.NotContains(t, test("TestChild"), cached)
	require.Contains(t, test("TestChild"), cached, "nothing has changed")
	write("conf", "two!", time.Hour)
	require.NotContains(t, test("TestChild"), cached, "a file has")
	require.Contains(t, test("TestChild"), cached, "nothing has changed")
	require.NotContains(t, test("TestChild", "CACHED_MODE=1"), cached, "a variable has")
	require.NotContains(t, test("TestScript"), cached)
	write("script", "true\n", time.Hour)
	require.NotContains(t, test("TestScript"), cached, "a script has changed")
}
