package leakcheck

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/internal/rerun"
)

// ranAgain is the directory in which each test that is run again notes its
// name.
const ranAgain = "LEAKCHECK_RAN_AGAIN"

// addSources: the fourth of many tests leaves report.txt, while they all run.
func addSources(all map[string]fixture) {
	const many = 20
	list := make([]func(t *testing.T), many)
	var running sync.WaitGroup
	running.Add(many)
	for i := range list {
		list[i] = parallel(func(t *testing.T) {
			if rerun.IsWhole() {
				must(t, os.WriteFile(filepath.Join(os.Getenv(ranAgain), t.Name()), nil, 0o600))
			} else {
				running.Done()
				running.Wait()
			}
			if t.Name() == "TestD" {
				must(t, os.WriteFile(filepath.Join(os.TempDir(), "report.txt"), nil, 0o600))
			}
		})
	}
	run := func(opts ...Option) func(m *testing.M) int {
		return func(m *testing.M) int {
			flag.Parse()
			_ = flag.Set("test.parallel", strconv.Itoa(many))
			return Run(m, opts...)
		}
	}
	all["sources"] = fixture{tests: tests(list...), main: run()}
	all["sources, no explanation"] = fixture{tests: tests(list...), main: run(Explain(false))}
}

// TestSources: what the package's sources say of a name is told as that, and
// has the test tried first whose source has it.
func TestSources(t *testing.T) {
	const source = `package x

func TestD(t *testing.T) { os.WriteFile(filepath.Join(os.TempDir(), "%s"), nil, 0o600) }
`
	for _, tt := range []struct {
		name, fixture, source string
		says                  string // "" that it does not speak of the sources
		again                 int    // tests that are run again at most, two at a time
	}{
		{"the name", "sources, no explanation", fmt.Sprintf(source, "report.txt"), `the sources have "report.txt" at x_test.go:3`, 0},
		{"in a directory", "sources, no explanation", fmt.Sprintf(source, "a/report.txt"), `the sources have "a/report.txt" at x_test.go:3`, 0},
		{"another name", "sources, no explanation", fmt.Sprintf(source, "export.txt"), "", 0},
		{"a part of the name", "sources, no explanation", fmt.Sprintf(source, "port.txt"), "", 0},
		{"no Go", "sources, no explanation", "nonsense", "", 0},
		{"tried first", "sources", fmt.Sprintf(source, "report.txt"), "TestD left", 2},
		{"not to be seen", "sources", fmt.Sprintf(source, "export.txt"), "TestD left", 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd, _ := fixtureCommand(t, tt.fixture)
			must(t, os.WriteFile(filepath.Join(cmd.Dir, "x_test.go"), []byte(tt.source), 0o600))
			notes := t.TempDir()
			cmd.Env = append(cmd.Env, ranAgain+"="+notes, "GOMAXPROCS=2")
			out, _ := cmd.CombinedOutput()
			assert.Equal(t, 1, cmd.ProcessState.ExitCode(), "%s", out)
			if tt.says != "" {
				assert.Contains(t, string(out), tt.says)
			} else {
				assert.NotContains(t, string(out), "the sources have")
			}
			entries, err := os.ReadDir(notes)
			must(t, err)
			assert.LessOrEqual(t, len(entries), tt.again)
		})
	}
}
