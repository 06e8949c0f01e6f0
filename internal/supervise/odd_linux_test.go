//go:build amd64 || arm64

package supervise

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestOddCalls: what cannot be understood is opaque, and says why.
func TestOddCalls(t *testing.T) {
	tree := supervise(t, victim(t, "silent", ""), Names)
	for name, tt := range map[string]struct {
		data   seccompData
		opaque string
	}{
		"another architecture": {seccompData{arch: auditArch ^ 1, nr: unix.SYS_FSYNC}, "a program of another architecture"},
		"an unknown call":      {seccompData{arch: auditArch, nr: 100_000}, "a call that is not in the table"},
		"a message that cannot be read": {seccompData{arch: auditArch, nr: unix.SYS_FSYNC, args: [6]uint64{uint64(uint32(hyperFD)), 1, 1, 8}},
			"the child's message: "},
		"one of the table": {seccompData{arch: auditArch, nr: unix.SYS_FSYNC, args: [6]uint64{3}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ev := tree.decode(&notif{pid: uint32(tree.PID()), data: tt.data}, &tree.procs.child)
			assert.Contains(t, ev.Opaque, tt.opaque)
			assert.Equal(t, tt.opaque == "", ev.Opaque == "")
			assert.Nil(t, ev.Data)
			assert.Equal(t, tree.PID(), ev.PID)
		})
	}
	_, err := new(Child).Call(1, make([]byte, maxMessage+1))
	require.ErrorContains(t, err, "more than 1048576")
}

// TestBecause: why seccomp(2) may refuse.
func TestBecause(t *testing.T) {
	for errno, want := range map[unix.Errno]string{
		unix.EBUSY: "another seccomp listener", unix.EINVAL: "gVisor", unix.ENOSYS: "has no seccomp", unix.EPERM: "a sandbox refuses",
		unix.EACCES: "a sandbox refuses", unix.ESRCH: "another filter",
	} {
		assert.Contains(t, because(errno), want)
	}
	assert.Empty(t, because(unix.ENOMEM))
}
