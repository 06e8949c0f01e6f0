package attack_test

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/covered"
	"github.com/tmpproof/tmpproof/internal/rerun"
	"golang.org/x/sys/unix"
)

const envNoatime = "TMPPROOF_TEST_NOATIME"

// TestNoatime: where reading leaves no access time, it is seen all the same.
// The mount is in a namespace of a process of its own.
func TestNoatime(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a tmpfs with noatime needs root")
	}
	dir := t.TempDir()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestOnNoatime$", "-test.v")
	cmd.Env = append(os.Environ(), envNoatime+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	covered.Test(t, cmd)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestOnNoatime")
}

func TestOnNoatime(t *testing.T) {
	dir := os.Getenv(envNoatime)
	if dir == "" {
		t.Skip("run by TestNoatime, in a mount namespace of its own")
	}
	if !rerun.IsChild() { // the children have it already
		require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOATIME, "mode=1777"))
	}
	t.Setenv("TMPDIR", dir)
	for _, tt := range []victimTest{{
		name: "reads",
		victim: func(s *attack.Scene) error {
			_, err := os.ReadFile(s.Path("conf"))
			if os.IsNotExist(err) {
				err = nil
			}
			return err
		},
		opts: []attack.Option{attack.Moves(attack.Symlink, attack.File)},
		want: "X02 X03",
	}, {
		name: "lists",
		victim: func(s *attack.Scene) error {
			_, err := os.ReadDir(s.Path("conf"))
			if os.IsNotExist(err) {
				err = nil
			}
			return err
		},
		opts: []attack.Option{attack.Moves(attack.Symlink, attack.Dir)},
		want: "X02 X03",
	}, {
		name: "looks through os.Root",
		victim: func(s *attack.Scene) error {
			root, err := os.OpenRoot(s.Dir)
			if err != nil {
				return err
			}
			defer root.Close()
			_, err = root.Lstat("conf/kept")
			if os.IsNotExist(err) {
				err = nil
			}
			return err
		},
		opts: []attack.Option{attack.Moves(attack.Symlink, attack.Dir)},
	}, {
		name:   "opens for writing, and sets the mode by the descriptor",
		victim: on(writeAndChmod),
		opts:   []attack.Option{attack.Moves(attack.File)},
	}} {
		t.Run(tt.name, func(t *testing.T) {
			r := attack.Prove(t, tt.victim, append(tt.opts, attack.ReportOnly())...)
			assert.Equal(t, tt.want, ruleIDs(r))
		})
	}
	testConditions(t, readerTests())
}

func writeAndChmod(p string) error {
	f, err := os.OpenFile(p, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}
