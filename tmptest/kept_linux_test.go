package tmptest_test

import (
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/unix"

	"github.com/tmpproof/tmpproof/tmptest"
)

// TestDirSockets: a unix socket that listens in the directory is open there, by
// whatever name it was bound; one that was closed, that is elsewhere, or that
// somebody else has made by connecting, is not.
func TestDirSockets(t *testing.T) {
	listen := func(tb testing.TB, name string) net.Listener {
		l, err := net.Listen("unix", name)
		noError(tb, err)
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	for name, tt := range map[string]struct {
		use  func(tb testing.TB, dir string)
		want []string
	}{
		"listening": {func(tb testing.TB, dir string) { listen(tb, dir+"/s") }, []string{"R03"}},
		"listening, its file removed": {func(tb testing.TB, dir string) {
			listen(tb, dir+"/s")
			noError(tb, os.Remove(dir+"/s"))
		}, []string{"R03"}},
		"below": {func(tb testing.TB, dir string) {
			noError(tb, os.Mkdir(dir+"/d", 0o700))
			listen(tb, dir+"/d/../d/s")
		}, []string{"R03"}},
		"by a relative name": {func(tb testing.TB, dir string) {
			t.Chdir(dir)
			listen(tb, "s")
		}, []string{"R03", "R13"}},
		"datagrams": {func(tb testing.TB, dir string) {
			c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + "/s", Net: "unixgram"})
			noError(tb, err)
			t.Cleanup(func() { _ = c.Close() })
		}, []string{"R03"}},
		"inherited": {func(tb testing.TB, dir string) {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			noError(tb, err)
			t.Cleanup(func() { _ = unix.Close(fd) })
			noError(tb, unix.Bind(fd, &unix.SockaddrUnix{Name: dir + "/s"}))
			noError(tb, unix.Listen(fd, 1))
		}, []string{"C16", "R03"}},
		"closed":    {func(tb testing.TB, dir string) { noError(tb, listen(tb, dir+"/s").Close()) }, nil},
		"elsewhere": {func(tb testing.TB, _ string) { listen(tb, t.TempDir()+"/s") }, nil},
		"without a name": {func(tb testing.TB, _ string) {
			listen(tb, "@tmpproof-test"+t.Name())
		}, nil},
		"TCP": {func(tb testing.TB, _ string) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			noError(tb, err)
			t.Cleanup(func() { _ = l.Close() })
		}, nil},
		"a connection to one that is closed": {func(tb testing.TB, dir string) {
			l := listen(tb, dir+"/s")
			c, err := net.Dial("unix", dir+"/s")
			noError(tb, err)
			t.Cleanup(func() { _ = c.Close() })
			noError(tb, l.Close())
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := observe(t, func(tb testing.TB) { tt.use(tb, tmptest.Dir(tb)) })
			assert.ElementsMatch(t, tt.want, r.broken(), r.text())
		})
	}
}

// TestDirWorkingDirectory: this process is not left in a directory that is
// removed.
func TestDirWorkingDirectory(t *testing.T) {
	was, err := os.Getwd()
	noError(t, err)
	for name, tt := range map[string]struct {
		use  func(tb testing.TB, dir string)
		want []string
	}{
		"in it": {func(tb testing.TB, dir string) { noError(tb, os.Chdir(dir)) }, []string{"R13"}},
		"below it": {func(tb testing.TB, dir string) {
			noError(tb, os.Mkdir(dir+"/d", 0o700))
			noError(tb, os.Chdir(dir+"/d"))
		}, []string{"R13"}},
		"in it, removed": {func(tb testing.TB, dir string) { noError(tb, os.Chdir(dir)); noError(tb, os.Remove(dir)) }, []string{"R13"}},
		"taken back":     {func(tb testing.TB, dir string) { noError(tb, os.Chdir(dir)); noError(tb, os.Chdir(was)) }, nil},
		"beside it":      {func(tb testing.TB, dir string) { noError(tb, os.Mkdir(dir+"x", 0o700)); noError(tb, os.Chdir(dir+"x")) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := observe(t, func(tb testing.TB) {
				dir := tmptest.Dir(tb)
				t.Cleanup(func() { _ = os.Remove(dir + "x") })
				tt.use(tb, dir)
			})
			noError(t, os.Chdir(was))
			assert.Equal(t, tt.want, r.broken(), r.text())
		})
	}
}

// TestDirEnvironment: the variables that name a temporary root are as they were
// when the directory was handed out.
func TestDirEnvironment(t *testing.T) {
	for name, tt := range map[string]struct {
		use  func(tb testing.TB)
		want []string
	}{
		"changed":        {func(tb testing.TB) { noError(tb, os.Setenv("TMPDIR", "/x")) }, []string{"E13"}},
		"unset":          {func(tb testing.TB) { noError(tb, os.Unsetenv("GOTMPDIR")) }, []string{"E13"}},
		"set to nothing": {func(tb testing.TB) { noError(tb, os.Setenv("TEMP", "")) }, []string{"E13"}},
		"taken back":     {func(tb testing.TB) { tb.Setenv("TMPDIR", "/x") }, nil},
		"another one":    {func(tb testing.TB) { noError(tb, os.Setenv("TMPPROOF_X", "/x")) }, nil},
		"a leakcheck that has begun": {func(tb testing.TB) {
			noError(tb, os.Setenv("TMPPROOF_LEAKCHECK", "/y"))
			noError(tb, os.Setenv("TMPDIR", "/y"))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range []string{"TMPDIR", "TEMP", "GOTMPDIR", "TMPPROOF_X", "TMPPROOF_LEAKCHECK"} {
				t.Setenv(v, t.TempDir())
			}
			noError(t, os.Unsetenv("TEMP"))
			r := observe(t, func(tb testing.TB) {
				tmptest.Dir(tb)
				tt.use(tb)
			})
			assert.Equal(t, tt.want, r.broken(), r.text())
		})
	}
}
