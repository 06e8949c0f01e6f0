//go:build amd64 || arm64

package supervise

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/sample"
)

// envBuilds asks for every kind of build in TestLines: minutes, the first time.
const envBuilds = "TEST_SUPERVISE_BUILDS"

// build compiles a program of testdata that supervises itself.
func build(t *testing.T, pkg string, env []string, flags ...string) string {
	t.Helper()
	gobin, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go command, to build a program")
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	exe := filepath.Join(dir, "program")
	args := append([]string{"build", "-buildvcs=false", "-o", exe}, flags...)
	cmd := exec.Command(gobin, append(args, "./testdata/"+pkg)...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil && needsC(env, flags) {
		if _, err := exec.LookPath("gcc"); err != nil {
			t.Skip("there is no gcc here, which this build needs")
		}
	}
	require.NoError(t, err, string(out))
	return exe
}

func needsC(env, flags []string) bool {
	all := strings.Join(append(env, flags...), " ")
	return strings.Contains(all, "CGO_ENABLED=1") || strings.Contains(all, "-race") || strings.Contains(all, "external")
}

// linesOf runs a program that supervises itself: for each name, where its
// calls were made.
func linesOf(t *testing.T, exe string) map[string][]string {
	t.Helper()
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	out, err := cmd.Output()
	var stderr *exec.ExitError
	if errors.As(err, &stderr) {
		t.Fatalf("%v\n%s\n%s", err, stderr.Stderr, out)
	}
	require.NoError(t, err)
	lines := map[string][]string{}
	for _, l := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		f := strings.SplitN(l, " ", 3)
		require.Len(t, f, 3, l)
		lines[f[0]] = append(lines[f[0]], f[2])
	}
	return lines
}

// TestLines: every call of testdata/lines is led to its line, however the
// program was built.
func TestLines(t *testing.T) {
	src, err := os.ReadFile("testdata/lines/main.go")
	require.NoError(t, err)
	source := strings.Split(string(src), "\n")
	where := func(name string) string {
		for i, l := range source {
			if strings.Contains(l, `at("`+name+`")`) || strings.Contains(l, `// "`+name+`"`) || strings.Contains(l, `"`+name+`-"`) {
				switch name {
				case "raw":
					i++
				case "execdir":
					i++
				}
				return strconv.Itoa(i + 1)
			}
		}
		return "?"
	}
	names := []string{"stat", "writefile", "mkdirall", "createtemp", "rename", "inwalk", "deep", "large", "goroutine", "deferredfunc",
		"panicking", "generic", "reflect", "method", "timer", "raw", "execdir", "once", "rangefunc"}
	for _, tt := range []struct {
		name  string
		env   []string
		flags []string
		slow  bool
	}{
		{"default", nil, nil, false},
		{"stripped without cgo", []string{"CGO_ENABLED=0"}, []string{"-ldflags=-s -w"}, false},
		{"trimpath", nil, []string{"-trimpath"}, true},
		{"pie", nil, []string{"-buildmode=pie"}, true},
		{"race", []string{"CGO_ENABLED=1"}, []string{"-race"}, true},
		{"not optimised", nil, []string{"-gcflags=all=-N -l"}, true},
		{"cover", nil, []string{"-cover"}, true},
		{"external linking", []string{"CGO_ENABLED=1"}, []string{"-ldflags=-linkmode=external"}, true},
		{"pie, external", []string{"CGO_ENABLED=1"}, []string{"-buildmode=pie", "-ldflags=-linkmode=external"}, true},
		{"race, cover, trimpath", []string{"CGO_ENABLED=1"}, []string{"-race", "-cover", "-trimpath"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.slow && os.Getenv(envBuilds) != "1" || sample.Short() {
				t.Skipf("builds a program and its packages anew: not with -short, and this one only with %s=1", envBuilds)
			}
			lines := linesOf(t, build(t, "lines", tt.env, tt.flags...))
			for _, name := range names {
				if assert.NotEmpty(t, lines[name], "%s was not seen", name) {
					for _, at := range lines[name] {
						assert.Equal(t, where(name), at, name)
					}
				}
			}
			assert.Len(t, lines["goroutine"], 16, "unlink and rmdir, eight times")
		})
	}
}

// TestCgo: calls by C code within a Go program, on threads of C's, in a
// process that C forks, and by Go that C calls.
func TestCgo(t *testing.T) {
	if sample.Short() {
		t.Skip("builds a program: not with -short")
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("there is no gcc here")
	}
	for _, flags := range [][]string{nil, {"-buildmode=pie"}, {"-ldflags=-s -w"}, {"-race"}} {
		if flags != nil && os.Getenv(envBuilds) != "1" {
			continue
		}
		t.Run(strings.Join(flags, " "), func(t *testing.T) { testCgo(t, flags) })
	}
}

func testCgo(t *testing.T, flags []string) {
	lines := linesOf(t, build(t, "cgo", []string{"CGO_ENABLED=1"}, flags...))
	src, err := os.ReadFile("testdata/cgo/main.go")
	require.NoError(t, err)
	where := func(text string) []string {
		before, _, found := strings.Cut(string(src), text)
		require.True(t, found, text)
		return []string{strconv.Itoa(strings.Count(before, "\n") + 1)}
	}
	for _, name := range []string{"c", "fork", "system", "callback", "nested", "goroutine"} {
		assert.Equal(t, where(`"/`+name+`"`), lines[name], name)
	}
	assert.Len(t, lines["thread"], 1)
	assert.Contains(t, lines["thread"][0], "made by C code that no Go code called, as on a thread that C has started")
}
