package leakcheck

import (
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
)

// fixRows are a leak of each kind, what is to be done about it, and the same test
// with that done.
var fixRows = []struct {
	kind         kind
	broken, says string
	fixed        []string
}{
	{entry, "file, serial", "remove it on every path, errors and panics too: a deferred os.Remove where it is made, or t.TempDir() in a test", []string{"file, serial, clean", "FIFO, serial, clean"}},
	{descriptor, "deleted but open, serial", "close the file on every path, before the test ends", []string{"deleted but open, serial, clean"}},
	{elsewhere, "elsewhere, pipe", "close it on every path, before the test ends; AllowElsewhere() is for what stays open for all tests", []string{"elsewhere, pipe, closed", "elsewhere, pipe, allowed"}},
	{mapping, "mapped, serial", "unmap the file before the test ends", []string{"mapped, serial, clean"}},
	{process, "check, process", "end the process and wait for it, in a t.Cleanup: exec.CommandContext(t.Context(), ...) kills what it started itself", []string{"process, ended in a cleanup"}},
	{source, "package directory", "write to t.TempDir(), or remove the file in a t.Cleanup", []string{"package directory, TempDir", "package directory, cleanup"}},
}

var fixLine = regexp.MustCompile(`(?m)^ *(?:\S+\.go:\d+: )?  fix: (.*)$`)

// TestFixes: what a failure says to do about it does away with it, and there is no
// other text.
func TestFixes(t *testing.T) {
	said := map[kind]string{}
	run := func(t *testing.T, name string) result {
		cmd, tmp := fixtureCommand(t, name)
		must(t, os.WriteFile(cmd.Dir+"/x_test.go", []byte("package x\n"), 0o600))
		out, _ := cmd.CombinedOutput()
		endOrphans(string(out))
		return result{string(out), cmd.ProcessState.ExitCode(), tmp}
	}
	for _, row := range fixRows {
		said[row.kind] = row.says
		t.Run(row.broken, func(t *testing.T) {
			t.Parallel()
			r := run(t, row.broken)
			assert.Equal(t, 1, r.code, r.out)
			var lines []string
			for _, m := range fixLine.FindAllStringSubmatch(r.out, -1) {
				lines = append(lines, m[1])
			}
			assert.Equal(t, []string{row.says}, lines, r.out)
			for _, name := range row.fixed {
				r := run(t, name)
				assert.Zero(t, r.code, r.out)
				assert.NotContains(t, r.out, "leakcheck", name)
			}
		})
	}
	assert.Equal(t, fixes, said)
	t.Run("two kinds", func(t *testing.T) {
		t.Parallel()
		r := run(t, "a file and a descriptor")
		assert.Len(t, fixLine.FindAllString(r.out, -1), 2, r.out)
	})
}

func addFixes(add func(string, fixture)) {
	add("process, ended in a cleanup", fixture{tests: tests(checked(func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), "sleep", "300")
		must(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Wait() })
	})), main: plainMain})
	add("package directory, TempDir", fixture{tests: tests(func(t *testing.T) { must(t, os.WriteFile(t.TempDir()+"/out.txt", nil, 0o600)) })})
	add("package directory, cleanup", fixture{tests: tests(func(t *testing.T) {
		t.Cleanup(func() { must(t, os.Remove("out.txt")) })
		must(t, os.WriteFile("out.txt", nil, 0o600))
	})})
	add("a file and a descriptor", fixture{tests: tests(func(t *testing.T) {
		must(t, temp(t, "a-*").Close())
		f := temp(t, "b-*")
		must(t, os.Remove(f.Name()))
		kept = append(kept, f)
	})})
}
