//go:build amd64 || arm64

package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/supervise/refuse"
	"golang.org/x/sys/unix"
)

// A refusal is made in a process of its own: a test binary that supervises a
// victim where something is refused, and prints the error of Start.
const envRefusal = "TEST_SUPERVISE_REFUSAL"

var refusals = map[string]func() error{
	"listener":       refuse.Listener,
	"seccomp-eperm":  func() error { return refuse.Call(unix.SYS_SECCOMP, unix.EPERM) },
	"seccomp-enosys": func() error { return refuse.Call(unix.SYS_SECCOMP, unix.ENOSYS) },
	"seccomp-einval": func() error { return refuse.Call(unix.SYS_SECCOMP, unix.EINVAL) },
	"readv":          func() error { return refuse.Call(unix.SYS_PROCESS_VM_READV, unix.EPERM) },
	"undumpable":     func() error { return nil }, // the victim sees to it
	"table":          unknownTable,
}

func init() {
	victims["refused"] = func(string) {}
	beforeAttach["refused"] = func() {
		if os.Getenv(envRefusal) == "undumpable" {
			_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
		}
	}
	victims["refuser"] = func(string) {}
	beforeAttach["refuser"] = func() {
		runtime.LockOSThread()
		if err := refusals[os.Getenv(envRefusal)](); err != nil {
			fmt.Println("preparing:", err)
			os.Exit(0)
		}
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), envVictim+"=refused")
		_, err := Start(cmd, Names, soon())
		var un *UnsupportedError
		fmt.Printf("unsupported %v: %v\n", errors.As(err, &un), err)
		os.Exit(0)
	}
}

// TestRefused: where the mechanism does not work, Start says exactly why.
func TestRefused(t *testing.T) {
	const install = "unsupported true: seccomp(SECCOMP_SET_MODE_FILTER, NEW_LISTENER|TSYNC): "
	const memory = "unsupported true: self-test: the child's memory cannot be read (Yama's ptrace_scope, or a sandbox without ptrace): " +
		"process_vm_readv: operation not permitted"
	for _, tt := range []struct {
		name, want string
		nobody     bool
	}{
		{"listener", install + "device or resource busy (another seccomp listener watches this process already: a container manager, or a supervisor that supervises)", false},
		{"seccomp-eperm", install + "operation not permitted (a sandbox refuses seccomp)", false},
		{"seccomp-enosys", install + "function not implemented (the kernel or a sandbox has no seccomp)", false},
		{"seccomp-einval", install + "invalid argument (a kernel before 5.7, or one without listeners such as gVisor)", false},
		{"readv", memory, false},
		{"undumpable", memory, true},
		{"table", tableReason, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == "" {
				t.Skip("on this architecture the stack is walked without a table")
			}
			cmd := victim(t, "refuser", "")
			cmd.Path = "/proc/self/exe"
			cmd.Env = append(cmd.Env, envRefusal+"="+tt.name)
			cmd.Stdout = nil
			if tt.nobody && os.Getuid() == 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			}
			out, err := cmd.Output()
			require.NoError(t, err)
			assert.Equal(t, tt.want, strings.TrimSpace(string(out)))
		})
	}
}
