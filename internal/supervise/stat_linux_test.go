//go:build amd64 || arm64

package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// owners are the ways to ask for an owner; each returns uid and gid.
var owners = map[string]func(path string, fd int) (uint32, uint32, error){
	"newfstatat": func(path string, _ int) (uint32, uint32, error) {
		var st unix.Stat_t
		err := unix.Fstatat(cwd, path, &st, 0)
		return st.Uid, st.Gid, err
	},
	"newfstatat, no follow": func(path string, _ int) (uint32, uint32, error) {
		var st unix.Stat_t
		err := unix.Fstatat(cwd, path, &st, nofo)
		return st.Uid, st.Gid, err
	},
	"newfstatat, by descriptor": func(_ string, fd int) (uint32, uint32, error) {
		var st unix.Stat_t
		empty := [1]byte{}
		_, _, errno := unix.Syscall6(unix.SYS_NEWFSTATAT, uintptr(fd), uintptr(unsafe.Pointer(&empty)), uintptr(unsafe.Pointer(&st)), empt, 0, 0)
		return st.Uid, st.Gid, failed(errno)
	},
	"fstat": func(_ string, fd int) (uint32, uint32, error) {
		var st unix.Stat_t
		_, _, errno := unix.Syscall(unix.SYS_FSTAT, uintptr(fd), uintptr(unsafe.Pointer(&st)), 0)
		return st.Uid, st.Gid, failed(errno)
	},
	"statx": func(path string, _ int) (uint32, uint32, error) {
		var st unix.Statx_t
		err := unix.Statx(cwd, path, 0, unix.STATX_BASIC_STATS, &st)
		return st.Uid, st.Gid, err
	},
	"statx, by descriptor": func(_ string, fd int) (uint32, uint32, error) {
		var st unix.Statx_t
		err := unix.Statx(fd, "", empt, unix.STATX_UID|unix.STATX_GID|unix.STATX_BTIME, &st)
		return st.Uid, st.Gid, err
	},
	"statx, every field": func(path string, _ int) (uint32, uint32, error) {
		var st unix.Statx_t
		err := unix.Statx(cwd, path, nofo|unix.AT_STATX_DONT_SYNC, 0x7fffffff, &st)
		return st.Uid, st.Gid, err
	},
	"stat of coreutils or busybox": func(path string, _ int) (uint32, uint32, error) {
		var uid, gid uint32
		out, err := exec.Command("stat", "-c", "%u %g", path).Output()
		if err == nil {
			_, err = fmt.Sscan(string(out), &uid, &gid)
		}
		return uid, gid, err
	},
}

func failed(errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

func init() {
	for name, f := range archOwners {
		owners[name] = f
	}
	victims["owners"] = func(dir string) {
		for _, file := range []string{"planted", "own"} {
			fd, err := unix.Open(dir+"/"+file, unix.O_RDONLY, 0)
			if err != nil {
				os.Exit(5)
			}
			for name, f := range owners {
				uid, gid, err := f(dir+"/"+file, fd)
				_, _ = child.Call(opMark, fmt.Appendf(nil, "%s %s: %d %d %v", file, name, uid, gid, err))
			}
		}
		// A buffer that cannot be written is the kernel's to answer.
		name := cstring(dir + "/planted")
		_, _, errno := unix.Syscall6(unix.SYS_NEWFSTATAT, ^uintptr(99), uintptr(unsafe.Pointer(&name[0])), 8, 0, 0, 0)
		_, _ = child.Call(opMark, fmt.Appendf(nil, "bad buffer: %d", int(errno)))
	}
}

// TestAnswerStat: whoever asks, and however, for a planted file is told the
// attacker's owner; other files have their true one.
func TestAnswerStat(t *testing.T) {
	const uid, gid = 4242, 2424
	dir := t.TempDir()
	var planted unix.Stat_t
	for _, f := range []string{"planted", "own"} {
		require.NoError(t, os.WriteFile(dir+"/"+f, []byte(f), 0o600))
	}
	require.NoError(t, unix.Stat(dir+"/planted", &planted))
	var got []string
	answered := 0
	tree := supervise(t, victim(t, "owners", dir), Names)
	watch(t, tree, func(ev *Event) bool {
		if ev.Type == Message {
			if ev.Op == opMark {
				got = append(got, string(ev.Data))
			}
			return false
		}
		if ev.Kind != Check {
			return false
		}
		fd := ev.FD
		at := ""
		for _, p := range ev.Paths {
			at = p.Raw
			if p.Null {
				fd = p.Dir
			}
		}
		var st unix.Stat_t
		if fd >= 0 {
			at = fmt.Sprintf("/proc/%d/fd/%d", ev.TID, fd)
		}
		if unix.Stat(at, &st) != nil || st.Dev != planted.Dev || st.Ino != planted.Ino {
			return false
		}
		if tree.AnswerStat(ev, dir+"/planted", uid, gid) {
			answered++
			return true
		}
		return false
	})
	var want []string
	_, none := exec.LookPath("stat")
	for name := range owners {
		if strings.HasPrefix(name, "stat of") && none != nil {
			t.Fatal("there is no stat here")
		}
		want = append(want, fmt.Sprintf("planted %s: %d %d <nil>", name, uid, gid),
			fmt.Sprintf("own %s: %d %d <nil>", name, planted.Uid, planted.Gid))
	}
	want = append(want, fmt.Sprintf("bad buffer: %d", int(unix.EFAULT)))
	assert.Equal(t, sorted(want), sorted(got))
	assert.GreaterOrEqual(t, answered, len(owners))
}

// TestAnswerStatTruth: but for the owner, the answer is what the kernel says.
func TestAnswerStatTruth(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/f", make([]byte, 12345), 0o640))
	victimsSay := map[string]string{}
	for _, lie := range []bool{false, true} {
		tree := supervise(t, victim(t, "truth", dir), Names)
		watch(t, tree, func(ev *Event) bool {
			if ev.Type == Message && ev.Op == opMark {
				victimsSay[fmt.Sprint(lie)] += string(ev.Data)
			}
			return lie && ev.Kind == Check && describe(ev, dir) != "" && tree.AnswerStat(ev, dir+"/f", uint32(os.Getuid()), uint32(os.Getgid()))
		})
	}
	assert.NotEmpty(t, victimsSay["false"])
	assert.Equal(t, victimsSay["false"], victimsSay["true"])
}

func init() {
	victims["truth"] = func(dir string) {
		var st unix.Stat_t
		err := unix.Lstat(dir+"/f", &st)
		_, _ = child.Call(opMark, fmt.Appendf(nil, "%+v %v\n", st, err))
		for _, mask := range []int{0, unix.STATX_BASIC_STATS, unix.STATX_ALL, unix.STATX_MNT_ID, 0x7fffffff} {
			var sx unix.Statx_t
			err := unix.Statx(cwd, dir+"/f", nofo, mask, &sx)
			_, _ = child.Call(opMark, fmt.Appendf(nil, "%+v %v\n", sx, err))
		}
		err = unix.Statx(cwd, dir+"/f", nofo, unix.STATX__RESERVED, &unix.Statx_t{})
		_, _ = child.Call(opMark, fmt.Appendf(nil, "%v\n", err))
	}
}
