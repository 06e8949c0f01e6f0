package leakcheck

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/internal/noproc"
)

// TestNoProc: what cannot be seen without /proc is said, and files are found.
func TestNoProc(t *testing.T) {
	for name, code := range map[string]int{"file, serial": 1, "file, serial, clean": 0, "open descriptor, serial": 0, "check": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain, _ := fixtureCommand(t, name)
			cmd := noproc.Command(t, plain.Path, append(plain.Args[1:], "-test.v")...)
			cmd.Env, cmd.Dir = plain.Env, plain.Dir
			out, _ := cmd.CombinedOutput()
			assert.Equal(t, code, cmd.ProcessState.ExitCode(), string(out))
			assert.Contains(t, string(out), "open descriptors, mappings and processes are not looked for: there is no /proc")
		})
	}
}
