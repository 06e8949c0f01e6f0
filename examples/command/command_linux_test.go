package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// program is a command line of which the mode and the output file are still to
// come.
type program struct {
	name string
	// command builds or finds the program, or skips the test.
	command func(t *testing.T) []string
	breaks  []rules.Rule // in its unsafe form
}

// look finds an interpreter.
func look(name, script string) func(t *testing.T) []string {
	return func(t *testing.T) []string {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("%s is needed: %v", name, err)
		}
		return []string{path, script}
	}
}

// python finds the interpreter itself: what stands in the path can be a script
// that looks for it first.
func python(script string) func(t *testing.T) []string {
	return func(t *testing.T) []string {
		path, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
		if err != nil {
			t.Skipf("python3 is needed: %v", err)
		}
		return []string{strings.TrimSpace(string(path)), "-I", "-S", script}
	}
}

// compile builds a C program. The test runs again in child processes, up to
// Prove: these take what the first one has built.
func compile(source string) func(t *testing.T) []string {
	const built = "TMPPROOF_EXAMPLE_PROGRAM"
	return func(t *testing.T) []string {
		if os.Getenv(built) == "" {
			cc, err := exec.LookPath("cc")
			if err != nil {
				t.Skipf("a C compiler is needed: %v", err)
			}
			out := filepath.Join(t.TempDir(), "save")
			text, err := exec.Command(cc, "-o", out, source).CombinedOutput()
			require.NoError(t, err, "%s", text)
			t.Setenv(built, out)
		}
		return []string{os.Getenv(built)}
	}
}

var programs = []program{
	{"shell", look("sh", "testdata/save.sh"), []rules.Rule{rules.X01, rules.X04, rules.X09, rules.X10}},
	{"C", compile("testdata/save.c"), []rules.Rule{rules.X01, rules.X04, rules.X09, rules.X10}},
	{"Python", python("testdata/save.py"), []rules.Rule{rules.X01, rules.X04, rules.X09, rules.X10}},
}

// run is a victim that runs the program and takes its report.
func run(command []string, mode string) attack.Victim {
	return func(s *attack.Scene) error {
		out := filepath.Join(s.Home, "report")
		args := append(command[1:len(command):len(command)], mode, out)
		if err := exec.Command(command[0], args...).Run(); err != nil {
			return err
		}
		_, err := os.ReadFile(out)
		return err
	}
}

// An interpreter takes its time to start, and does so for each schedule.
var budget = attack.Budget(4 * time.Minute)

func TestPrograms(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Run("unsafe", func(t *testing.T) {
				attack.Prove(t, run(p.command(t), "unsafe"), attack.Depth(1), attack.Moves(attack.Symlink), budget, attack.Expect(p.breaks...))
			})
			t.Run("safe", func(t *testing.T) {
				attack.Prove(t, run(p.command(t), "safe"), attack.Depth(1), budget)
			})
		})
	}
}
