//go:build amd64 || arm64

package supervise

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// followRows are calls on "l", a link to the file "f", and on "dl", a link to
// the directory "d". What the table says of following is held against the
// kernel: a link that is followed gets a new access time.
var followRows = []struct {
	name, link string
	call       func() error
}{
	{"open", "l", func() error { return opened(unix.Open("l", unix.O_RDONLY, 0)) }},
	{"open O_NOFOLLOW", "l", func() error { return opened(unix.Open("l", unix.O_NOFOLLOW, 0)) }},
	{"open O_PATH|O_NOFOLLOW", "l", func() error { return opened(unix.Open("l", unix.O_PATH|unix.O_NOFOLLOW, 0)) }},
	{"open O_NOFOLLOW slash", "dl", func() error { return opened(unix.Open("dl/", unix.O_NOFOLLOW, 0)) }},
	{"open O_CREAT", "l", func() error { return opened(unix.Open("l", unix.O_CREAT|unix.O_RDWR, 0o600)) }},
	{"open O_CREAT|O_EXCL", "l", func() error { return opened(unix.Open("l", unix.O_CREAT|unix.O_EXCL, 0o600)) }},
	{"open O_CREAT slash", "dl", func() error { return opened(unix.Open("dl/", unix.O_CREAT, 0o600)) }},
	{"open O_TMPFILE", "dl", func() error { return opened(unix.Open("dl", unix.O_TMPFILE|unix.O_RDWR, 0o600)) }},
	{"openat2", "l", func() error { return opened(unix.Openat2(cwd, "l", &unix.OpenHow{})) }},
	{"openat2 RESOLVE_NO_SYMLINKS", "l", func() error {
		return opened(unix.Openat2(cwd, "l", &unix.OpenHow{Resolve: unix.RESOLVE_NO_SYMLINKS}))
	}},
	{"stat", "l", func() error { return unix.Fstatat(cwd, "l", &unix.Stat_t{}, 0) }},
	{"lstat", "l", func() error { return unix.Fstatat(cwd, "l", &unix.Stat_t{}, nofo) }},
	{"lstat slash", "dl", func() error { return unix.Fstatat(cwd, "dl/", &unix.Stat_t{}, nofo) }},
	{"statx", "l", func() error { return unix.Statx(cwd, "l", 0, 0, &unix.Statx_t{}) }},
	{"statx AT_SYMLINK_NOFOLLOW", "l", func() error { return unix.Statx(cwd, "l", nofo, 0, &unix.Statx_t{}) }},
	{"statfs", "l", func() error { return unix.Statfs("l", &unix.Statfs_t{}) }},
	{"access", "l", func() error { return unix.Faccessat(cwd, "l", unix.R_OK, 0) }},
	{"faccessat2 AT_SYMLINK_NOFOLLOW", "l", func() error { return unix.Faccessat(cwd, "l", unix.R_OK, nofo) }},
	{"chmod", "l", func() error { return unix.Fchmodat(cwd, "l", 0o600, 0) }},
	{"chown", "l", func() error { return unix.Fchownat(cwd, "l", -1, -1, 0) }},
	{"lchown", "l", func() error { return unix.Fchownat(cwd, "l", -1, -1, nofo) }},
	{"lchown slash", "dl", func() error { return unix.Fchownat(cwd, "dl/", -1, -1, nofo) }},
	{"utimes", "l", func() error { return unix.UtimesNanoAt(cwd, "l", nil, 0) }},
	{"truncate", "l", func() error { return unix.Truncate("l", 0) }},
	{"chdir", "dl", func() error { return chdirAndBack("dl") }},
	{"getxattr", "l", func() error { _, err := unix.Getxattr("l", "user.a", nil); return err }},
	{"lgetxattr", "l", func() error { _, err := unix.Lgetxattr("l", "user.a", nil); return err }},
	{"mkdir", "l", func() error { return unix.Mkdirat(cwd, "l", 0o700) }},
	{"mkdir slash", "dl", func() error { return unix.Mkdirat(cwd, "dl/", 0o700) }},
	{"mknod", "l", func() error { return unix.Mknodat(cwd, "l", unix.S_IFIFO|0o600, 0) }},
	{"rmdir", "dl", func() error { return unix.Unlinkat(cwd, "dl", unix.AT_REMOVEDIR) }},
	{"rmdir slash", "dl", func() error { return unix.Unlinkat(cwd, "dl/", unix.AT_REMOVEDIR) }},
	{"unlink slash", "dl", func() error { return unix.Unlinkat(cwd, "dl/", 0) }},
	{"rename of the link", "dl", func() error { return unix.Renameat(cwd, "dl/", cwd, "x") }},
	{"rename over the link", "dl", func() error { return unix.Renameat(cwd, "d", cwd, "dl/") }},
	{"symlink", "l", func() error { return unix.Symlinkat("f", cwd, "l") }},
	{"symlink slash", "dl", func() error { return unix.Symlinkat("f", cwd, "dl/") }},
	{"link to the link", "l", func() error { return hard("l", 0) }},
	{"link AT_SYMLINK_FOLLOW", "l", func() error { return hard("l", unix.AT_SYMLINK_FOLLOW) }},
	{"link slash", "dl", func() error { return hard("dl/", 0) }},
	{"new link at the link", "dl", func() error { return unix.Linkat(cwd, "f", cwd, "dl/", 0) }},
	{"bind", "l", func() error { return socket("l", unix.Bind) }},
	{"connect", "l", func() error { return socket("l", unix.Connect) }},
	{"inotify_add_watch", "l", func() error { return inotify("l", unix.IN_OPEN) }},
	{"inotify_add_watch IN_DONT_FOLLOW", "l", func() error { return inotify("l", unix.IN_OPEN|unix.IN_DONT_FOLLOW) }},
	{"name_to_handle_at", "l", func() error { _, _, err := unix.NameToHandleAt(cwd, "l", 0); return err }},
	{"execve", "l", func() error { return unix.Exec("l", []string{"l"}, nil) }},
}

func opened(fd int, err error) error {
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func chdirAndBack(dir string) error {
	if err := unix.Chdir(dir); err != nil {
		return err
	}
	return unix.Chdir("..")
}

func hard(old string, flags int) error {
	defer os.Remove("new")
	return unix.Linkat(cwd, old, cwd, "new", flags)
}

func socket(name string, call func(int, unix.Sockaddr) error) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return call(fd, &unix.SockaddrUnix{Name: name})
}

func inotify(name string, mask uint32) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.InotifyAddWatch(fd, name, mask)
	return err
}

func init() {
	victims["follow"] = func(dir string) {
		if unix.Chdir(dir) != nil {
			return
		}
		for _, r := range followRows {
			if _, err := child.Call(opMark, []byte(r.link)); err != nil {
				return
			}
			_ = r.call()
		}
		_, _ = child.Call(opMark, nil)
	}
}

func TestFollow(t *testing.T) {
	dir := t.TempDir()
	atime := func(name string) unix.Timespec {
		var st unix.Stat_t
		require.NoError(t, unix.Lstat(dir+"/"+name, &st))
		return st.Atim
	}
	old := []unix.Timespec{{Sec: 1}, {Nsec: unix.UTIME_OMIT}}
	scene := func() {
		require.NoError(t, os.RemoveAll(dir+"/d"))
		for _, n := range []string{"f", "l", "dl", "x"} {
			_ = os.RemoveAll(dir + "/" + n)
		}
		require.NoError(t, os.WriteFile(dir+"/f", nil, 0o600))
		require.NoError(t, os.Mkdir(dir+"/d", 0o700))
		require.NoError(t, os.Symlink("f", dir+"/l"))
		require.NoError(t, os.Symlink("d", dir+"/dl"))
		for _, n := range []string{"l", "dl"} {
			require.NoError(t, unix.UtimesNanoAt(cwd, dir+"/"+n, old, nofo))
		}
	}
	scene()
	_, err := os.Stat(dir + "/l")
	require.NoError(t, err)
	if atime("l") == old[0] {
		t.Skip("this file system keeps no access times of links")
	}
	at, link, said, calls := -1, "", false, 0
	watch(t, supervise(t, victim(t, "follow", dir), Names), func(ev *Event) bool {
		if ev.Type == Message {
			if at >= 0 && ev.Op == opMark {
				assert.NotZero(t, calls, followRows[at].name)
				assert.Equal(t, atime(link) != old[0], said, "%s: the kernel followed it (expected), the table says so (actual)", followRows[at].name)
			}
			at, link, calls = at+1, string(ev.Data), 0
			scene()
			return false
		}
		for _, p := range ev.Paths {
			if link != "" && (p.Raw == link || p.Raw == link+"/") {
				said, calls = p.Follow, calls+1
			}
		}
		return false
	})
	assert.Equal(t, len(followRows)+1, at)
}
