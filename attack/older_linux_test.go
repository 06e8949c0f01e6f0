package attack_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/covered"
	"github.com/tmpproof/tmpproof/internal/supervise/refuse"
	"golang.org/x/sys/unix"
)

// envOlder names what the kernel of the process that runs TestOlderKernel does
// not have.
const envOlder = "TEST_ATTACK_OLDER"

var older = map[string]func() error{
	"WAIT_KILLABLE_RECV, 5.19": refuse.WaitKillable,
	"fchmodat2, 6.6":           func() error { return refuse.Call(unix.SYS_FCHMODAT2, unix.ENOSYS) },
	"openat2, 5.6":             func() error { return refuse.Call(unix.SYS_OPENAT2, unix.ENOSYS) },
	"linkat by descriptor, 6.10": func() error {
		return refuse.Flag(unix.SYS_LINKAT, 4, unix.AT_EMPTY_PATH, unix.ENOENT)
	},
}

// olderTest is a victim that uses a call which not every kernel has, and takes
// another way where it is missing. Each broken one stands beside its twin.
type olderTest struct {
	name   string
	victim attack.Victim
	broken string // a rule that must be found; empty: none may be
	opts   []attack.Option
}

var olderTests = []olderTest{
	{"fchmodat2, or fchmod", chmodTemp(func(f *os.File) error { return f.Chmod(0o400) }), "", nil},
	{"fchmodat2, or chmod by name", chmodOwn, "X01", []attack.Option{attack.Unsticky()}},
	{"openat2, or open, exclusively", createBeneath(os.O_EXCL), "", []attack.Option{attack.Target("out")}},
	{"openat2, or open", createBeneath(0), "X01", []attack.Option{attack.Target("out")}},
	{"O_TMPFILE, linkat by descriptor or by /proc", linkUnnamed(0o600), "", []attack.Option{attack.Target("out")}},
	{"O_TMPFILE for all, linkat by descriptor or by /proc", linkUnnamed(0o666), "X04 X09", []attack.Option{attack.Target("out")}},
	{"statx with every bit, exclusively", statCreate(os.O_EXCL), "", []attack.Option{attack.Target("out")}},
	{"statx with every bit, then create", statCreate(0), "X01", []attack.Option{attack.Target("out")}},
}

// chmodTemp changes the mode of a file of its own making.
func chmodTemp(fallback func(*os.File) error) attack.Victim {
	return func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "work-*")
		if err != nil {
			return err
		}
		err = unix.Fchmodat(int(f.Fd()), "", 0o400, unix.AT_EMPTY_PATH)
		if err != nil {
			err = fallback(f)
		}
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
}

// chmodOwn changes a mode by name, which the call's flag does not make right:
// the name may stand for another file by then.
func chmodOwn(s *attack.Scene) error {
	tmp, err := temp(s)
	if err != nil {
		return err
	}
	if err = unix.Fchmodat(unix.AT_FDCWD, tmp, 0o400, unix.AT_SYMLINK_NOFOLLOW); errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
		err = os.Chmod(tmp, 0o400)
	}
	return errors.Join(err, os.Remove(tmp))
}

func createBeneath(flag int) attack.Victim {
	return func(s *attack.Scene) error {
		dir, err := unix.Open(s.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(dir)
		flag := flag | os.O_WRONLY | os.O_CREATE
		fd, err := unix.Openat2(dir, "out", &unix.OpenHow{Flags: uint64(flag | unix.O_CLOEXEC), Mode: 0o600})
		if errors.Is(err, unix.ENOSYS) {
			fd, err = unix.Openat(dir, "out", flag|unix.O_CLOEXEC, 0o600)
		}
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(fd), "out")
		_, err = f.WriteString("defaults")
		return errors.Join(err, f.Close())
	}
}

func linkUnnamed(mode uint32) attack.Victim {
	return func(s *attack.Scene) error {
		fd, err := unix.Open(s.Dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, mode)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if _, err := unix.Write(fd, []byte("content")); err != nil {
			return err
		}
		err = unix.Linkat(fd, "", unix.AT_FDCWD, s.Path("out"), unix.AT_EMPTY_PATH)
		if errors.Is(err, unix.ENOENT) { // no privilege, and before 6.10
			err = unix.Linkat(unix.AT_FDCWD, filepath.Join("/proc/self/fd", strconv.Itoa(fd)), unix.AT_FDCWD, s.Path("out"), unix.AT_SYMLINK_FOLLOW)
		}
		return err
	}
}

func statCreate(flag int) attack.Victim {
	return func(s *attack.Scene) error {
		var st unix.Statx_t
		err := unix.Statx(unix.AT_FDCWD, s.Path("out"), unix.AT_SYMLINK_NOFOLLOW, 0x7fffffff, &st)
		if errors.Is(err, unix.ENOSYS) {
			err = unix.Lstat(s.Path("out"), new(unix.Stat_t))
		}
		if err == nil {
			return errors.New("exists")
		}
		return write(s.Path("out"), flag|os.O_WRONLY|os.O_CREATE, 0o600, "defaults")
	}
}

// unnamedOrTemp works in a file without a name, or where there is no such thing
// in one of a random name, which is another in each run.
func unnamedOrTemp(remove bool) attack.Victim {
	return func(s *attack.Scene) (err error) {
		f, err := os.OpenFile(s.Dir, os.O_RDWR|os.O_EXCL|unix.O_TMPFILE, 0o600)
		if errors.Is(err, errors.ErrUnsupported) {
			if f, err = os.CreateTemp(s.Dir, "work-*"); err == nil && remove {
				defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
			}
		}
		if err != nil {
			return err
		}
		_, err = f.WriteString("content")
		return errors.Join(err, f.Close())
	}
}

// TestOlderKernel proves the victims on this kernel, and is run again by
// TestOlder where the kernel lacks something.
func TestOlderKernel(t *testing.T) {
	name := os.Getenv(envOlder)
	const done = "TEST_ATTACK_OLDER_DONE"
	if name != "" && os.Getenv(done) == "" { // not again in the child, which inherits it
		require.NoError(t, os.Setenv(done, "1"))
		require.NoError(t, older[name]())
	}
	for _, tt := range olderTests {
		t.Run(tt.name, func(t *testing.T) {
			r := attack.Prove(t, tt.victim, append(tt.opts, attack.ReportOnly(), attack.Depth(1))...)
			require.True(t, r.Complete)
			show(t, r)
			if tt.broken == "" {
				assert.Empty(t, r.Findings)
			} else {
				assert.Contains(t, ruleIDs(r), tt.broken)
			}
			if strings.HasPrefix(name, "WAIT_KILLABLE_RECV") {
				assert.True(t, r.Repeated || r.Schedules == 0, "schedules are run twice")
			}
		})
	}
	for rule, remove := range map[string]bool{"": true, "R05": false} {
		t.Run("a random name where there is no O_TMPFILE, calls fail, "+rule, func(t *testing.T) {
			r := attack.Faults(t, unnamedOrTemp(remove), attack.ReportOnly())
			require.True(t, r.Complete)
			if rule == "" {
				assert.Empty(t, r.Findings)
			} else {
				assert.Contains(t, ruleIDs(r), rule)
			}
		})
	}
}

// TestOlder: the verdicts are the same where the kernel lacks a call or a flag
// that the victim or the supervisor would use.
func TestOlder(t *testing.T) {
	for name := range older {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exe, err := os.Executable()
			require.NoError(t, err)
			cmd := exec.Command(exe, "-test.run=^TestOlderKernel$", "-test.v")
			cmd.Env = append(os.Environ(), envOlder+"="+name, "TMPPROOF_STRICT=1")
			covered.Test(t, cmd)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			if strings.HasPrefix(name, "WAIT_KILLABLE_RECV") {
				assert.Contains(t, string(out), "(each one twice: before Linux 5.19 a signal can show a call twice)")
			}
		})
	}
}
