package attack_test

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/covered"
	"github.com/tmpproof/tmpproof/internal/supervise/refuse"
	"golang.org/x/sys/unix"
)

// envRefusal names what is refused to the test process that runs TestRefusal.
const envRefusal = "TEST_ATTACK_REFUSAL"

var refusals = map[string]func() error{
	"listener":        refuse.Listener,
	"seccomp, EPERM":  func() error { return refuse.Call(unix.SYS_SECCOMP, unix.EPERM) },
	"seccomp, ENOSYS": func() error { return refuse.Call(unix.SYS_SECCOMP, unix.ENOSYS) },
	"memory":          func() error { return refuse.Call(unix.SYS_PROCESS_VM_READV, unix.EPERM) },
	"statx":           func() error { return refuse.Call(unix.SYS_STATX, unix.ENOSYS) },
}

// TestRefusal is run by TestRefused, in a process of its own. Its victim is
// broken: a pass would be a silent one.
func TestRefusal(t *testing.T) {
	refusal := refusals[os.Getenv(envRefusal)]
	if refusal == nil {
		t.Skipf("runs where %s names what is refused: see TestRefused", envRefusal)
	}
	if os.Getenv("TEST_ATTACK_REFUSED") == "" { // not again in the child, which inherits it
		require.NoError(t, os.Setenv("TEST_ATTACK_REFUSED", "1"))
		require.NoError(t, refusal())
	}
	attack.Prove(t, func(s *attack.Scene) error {
		return os.WriteFile(s.Path("out"), []byte("x"), 0o600)
	}, attack.Target("out"))
}

// TestRefused: where the mechanism is missing the test is skipped with the
// exact reason, and fails where TMPPROOF_STRICT asks that it must work.
func TestRefused(t *testing.T) {
	const install = "seccomp(SECCOMP_SET_MODE_FILTER, NEW_LISTENER|TSYNC): "
	for name, reason := range map[string]string{
		"listener":        install + "device or resource busy (another seccomp listener watches this process already: a container manager, or a supervisor that supervises)",
		"seccomp, EPERM":  install + "operation not permitted (a sandbox refuses seccomp)",
		"seccomp, ENOSYS": install + "function not implemented (the kernel or a sandbox has no seccomp)",
		"memory": "self-test: the child's memory cannot be read (Yama's ptrace_scope, or a sandbox without ptrace): " +
			"process_vm_readv: operation not permitted",
		"statx": "statx: function not implemented (a sandbox refuses it)",
	} {
		for _, strict := range []string{"", "1"} {
			t.Run(name+" strict="+strict, func(t *testing.T) {
				t.Parallel()
				exe, err := os.Executable()
				require.NoError(t, err)
				cmd := exec.Command(exe, "-test.run=^TestRefusal$", "-test.v")
				cmd.Env = append(os.Environ(), envRefusal+"="+name, "TMPPROOF_STRICT="+strict)
				covered.Test(t, cmd)
				out, err := cmd.CombinedOutput()
				if strict == "" {
					assert.NoError(t, err)
					assert.Contains(t, string(out), "attack.Prove cannot work here: "+reason+"\n--- SKIP: TestRefusal")
					return
				}
				var failed *exec.ExitError
				assert.True(t, errors.As(err, &failed), err)
				assert.Contains(t, string(out), "attack.Prove cannot work here (TMPPROOF_STRICT=1 asks that it must): "+reason+"\n--- FAIL: TestRefusal")
			})
		}
	}
}
