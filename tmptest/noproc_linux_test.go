package tmptest_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/internal/noproc"
	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

const envNoProc = "TMPPROOF_TEST_NOPROC"

func TestNoProcDir(t *testing.T) {
	if os.Getenv(envNoProc) == "" {
		t.Skip("run by TestNoProc, in a process of its own")
	}
	tmptest.Dir(t)
	assert.NoError(t, exec.Command("true").Run()) // without one R13 has nothing to say
}

// TestNoProc: what cannot be seen without /proc is said not to be checked.
func TestNoProc(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("in a user namespace of its own the root directory is somebody else's")
	}
	cmd := noproc.Command(t, os.Args[0], "-test.run=^TestNoProcDir$", "-test.v")
	cmd.Env = append(os.Environ(), envNoProc+"=1")
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, "%s", out)
	for _, rule := range []rules.Rule{rules.R03, rules.R13, rules.C16} {
		assert.Regexp(t, rule.ID()+` .*\n.*not checked: .*/proc/self`, string(out))
	}
}
