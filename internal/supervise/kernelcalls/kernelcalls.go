// Package kernelcalls has the system calls of Linux, for tests that hold a table
// of calls against all of them.
package kernelcalls

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// exempt has a reason, and below it, indented, the calls.
//
//go:embed exempt.txt
var exempt string

// Exempt returns the calls that the supervisor leaves alone, with the reason.
// A call that is named twice fails the test.
func Exempt(t testing.TB) map[string]string {
	list, why := map[string]string{}, ""
	for line := range strings.Lines(exempt) {
		if !strings.HasPrefix(line, "\t") {
			why = strings.TrimSpace(line)
			continue
		}
		for name := range strings.FieldsSeq(line) {
			require.NotContains(t, list, name)
			list[name] = why
		}
	}
	return list
}

// Names returns the calls of a processor, a GOARCH, as golang.org/x/sys/unix has
// them. Where its source is not at hand the test is skipped, with the reason.
func Names(t testing.TB, arch string) map[string]bool {
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
	src, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "unix", "zsysnum_linux_"+arch+".go"))
	require.NoError(t, err)
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\s+SYS_(\w+)\s+=`).FindAllSubmatch(src, -1) {
		if name := strings.ToLower(string(m[1])); name != "arch_specific_syscall" { // the start of a range
			names[name] = true
		}
	}
	require.Greater(t, len(names), 250)
	return names
}
