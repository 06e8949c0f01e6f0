//go:build amd64 || arm64

package supervise

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// exempt are the calls of Linux that no set has, with the reason:
// testdata/exempt.txt has a reason, and below it the calls. One that is neither
// there nor in the table is new, and must be looked at.
func exempt(t *testing.T) map[string]string {
	data, err := os.ReadFile("testdata/exempt.txt")
	require.NoError(t, err)
	list, why := map[string]string{}, ""
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "\t") {
			why = strings.TrimSpace(line)
			continue
		}
		for name := range strings.FieldsSeq(line) {
			assert.NotContains(t, list, name)
			list[name] = why
		}
	}
	return list
}

// TestNoCallForgotten compares the table with all calls that x/sys/unix knows
// for this architecture.
func TestNoCallForgotten(t *testing.T) {
	gobin, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go command, to find the source of golang.org/x/sys")
	}
	cmd := exec.Command(gobin, "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys")
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off")
	dir, err := cmd.Output()
	if err != nil || len(strings.TrimSpace(string(dir))) == 0 {
		t.Skipf("the source of golang.org/x/sys is not at hand: %v", err)
	}
	src, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "unix", "zsysnum_linux_"+runtime.GOARCH+".go"))
	require.NoError(t, err)
	known := map[string]string{}
	for _, c := range calls() {
		known[c.name] = "in the table"
	}
	for name, why := range exempt(t) {
		assert.NotContains(t, known, name)
		known[name] = why
	}
	all := regexp.MustCompile(`(?m)^\s+SYS_(\w+)\s+=`).FindAllSubmatch(src, -1)
	require.Greater(t, len(all), 250)
	for _, m := range all {
		name := strings.ToLower(string(m[1]))
		if name != "arch_specific_syscall" { // the start of a range, no call
			assert.Contains(t, known, name, "which the supervisor does not know")
		}
	}
}
