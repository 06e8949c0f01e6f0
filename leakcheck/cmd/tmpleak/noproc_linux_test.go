package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/internal/noproc"
)

// TestNoProc: without /proc nothing is checked, and that is the reason.
func TestNoProc(t *testing.T) {
	for _, flag := range []string{"-optional=false", "-optional"} {
		cmd := noproc.Command(t, os.Args[0], flag, "/bin/true")
		cmd.Env = append(os.Environ(), asTmpleak+"=1")
		out, _ := cmd.CombinedOutput()
		assert.Contains(t, string(out), "NOTHING WAS CHECKED: there is no /proc: mount it")
		assert.Equal(t, flag == "-optional", cmd.ProcessState.ExitCode() == 0, string(out))
	}
}
