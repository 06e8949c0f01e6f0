//go:build linux

package tmptest_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"

	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

var creationRows = []ruleRow{
	{
		rule: rules.C02, name: "a link is followed",
		broken: func(tb testing.TB) { tmptest.NoFollow(tb, openFlags(os.O_RDWR)) },
		sound:  func(tb testing.TB) { tmptest.NoFollow(tb, openFlags(os.O_RDWR|syscall.O_NOFOLLOW)) },
	},
	{
		rule: rules.C03, name: "world-readable in a shared directory",
		broken: withShared(func(tb testing.TB, dir string) { write(tb, dir+"/f", 0o644) }, tmptest.Target("f")),
		sound:  withShared(func(tb testing.TB, dir string) { write(tb, dir+"/f", 0o600) }, tmptest.Target("f")),
	},
	{
		rule: rules.C04, name: "set-user-id",
		broken: withDir(func(tb testing.TB, dir string) { write(tb, dir+"/f", 0o700|fs.ModeSetuid) }),
		sound:  withDir(func(tb testing.TB, dir string) { write(tb, dir+"/f", 0o700) }),
	},
	{
		rule: rules.C05, name: "file 0640, deep",
		broken: withShared(func(tb testing.TB, dir string) {
			noError(tb, os.MkdirAll(dir+"/a/b", 0o750))
			write(tb, dir+"/a/b/f", 0o640)
		}, tmptest.Target("a"), tmptest.Allow(rules.C03, "the rule is about what is below")),
		sound: withShared(func(tb testing.TB, dir string) {
			noError(tb, os.MkdirAll(dir+"/a/b", 0o700))
			write(tb, dir+"/a/b/f", 0o640)
		}, tmptest.Target("a")),
	},
	{
		rule: rules.C05, name: "a result for everybody, in a directory that is opened",
		broken: withDir(func(tb testing.TB, dir string) {
			write(tb, dir+"/page.html", 0o644)
			noError(tb, os.Chmod(dir, 0o755))
		}),
		sound: withDir(func(tb testing.TB, dir string) {
			write(tb, dir+"/page.html", 0o644)
			noError(tb, os.Mkdir(dir+"/bin", 0o755))
			write(tb, dir+"/bin/tool", 0o755)
		}),
	},
	{
		rule: rules.C05, name: "a file for everybody with a name elsewhere",
		broken: withDir(func(tb testing.TB, dir string) {
			write(tb, dir+"/f", 0o644)
			noError(tb, os.Link(dir+"/f", tb.TempDir()+"/f"))
		}),
		sound: withDir(func(tb testing.TB, dir string) {
			write(tb, dir+"/f", 0o644)
			noError(tb, os.Link(dir+"/f", dir+"/g"))
		}),
	},
	{
		rule: rules.C05, name: "a socket that others can connect to",
		broken: withShared(func(tb testing.TB, dir string) { socket(tb, dir+"/s", 0o777) }, tmptest.Target("s")),
		sound:  withShared(func(tb testing.TB, dir string) { socket(tb, dir+"/s", 0o755) }, tmptest.Target("s")),
	},
	{
		rule: rules.C06, name: "process id",
		broken: withShared(func(tb testing.TB, dir string) { write(tb, fmt.Sprintf("%s/%d.tmp", dir, os.Getpid()), 0o600) }),
		sound: withShared(func(tb testing.TB, dir string) {
			f, err := os.CreateTemp("", "*.tmp")
			noError(tb, err)
			noError(tb, f.Close())
		}, tmptest.Target("*")),
	},
	{
		rule: rules.C07, name: "constant seed",
		broken: func(tb testing.TB) {
			r := rand.New(rand.NewPCG(1, 2))
			tmptest.Unpredictable(tb, func() (string, error) { return fmt.Sprintf("%016x", r.Uint64()), nil })
		},
		sound: func(tb testing.TB) {
			tmptest.Unpredictable(tb, func() (string, error) { return fmt.Sprintf("%016x", rand.Uint64()), nil })
		},
	},
	{
		rule: rules.C08, name: "six digits",
		broken: func(tb testing.TB) {
			tmptest.Unpredictable(tb, func() (string, error) { return fmt.Sprintf("%06d", rand.IntN(1e6)), nil })
		},
		sound: func(tb testing.TB) {
			tmptest.Unpredictable(tb, func() (string, error) { return fmt.Sprintf("%012d", rand.Int64N(1e12)), nil })
		},
	},
	{
		rule: rules.C09, name: "a counter after a random start",
		broken: func(tb testing.TB) {
			start, n := rand.Uint64(), 0
			tmptest.Unpredictable(tb, func() (string, error) { n++; return fmt.Sprintf("%016x-%d", start, n), nil })
		},
		sound: func(tb testing.TB) {
			n := 0
			tmptest.Unpredictable(tb, func() (string, error) { n++; return fmt.Sprintf("%016x-%d", rand.Uint64(), n), nil })
		},
	},
	{
		rule: rules.C11, name: "directly in a shared directory",
		broken: withShared(func(tb testing.TB, dir string) {
			write(tb, dir+"/f", 0o600)
			tmptest.InSecureDir(tb, dir+"/f")
			noError(tb, os.Remove(dir+"/f"))
		}),
		sound: withShared(func(tb testing.TB, dir string) {
			noError(tb, os.Mkdir(dir+"/d", 0o700))
			write(tb, dir+"/d/f", 0o600)
			tmptest.InSecureDir(tb, dir+"/d/f")
			noError(tb, os.RemoveAll(dir+"/d"))
		}),
	},
	{
		rule: rules.C15, name: "a hard link from elsewhere",
		broken: withDir(func(tb testing.TB, dir string) {
			write(tb, dir+"/f", 0o600)
			noError(tb, os.Link(dir+"/f", tmptest.Dir(tb)+"/g"))
		}),
		sound: withDir(func(tb testing.TB, dir string) {
			write(tb, dir+"/f", 0o600)
			noError(tb, os.Link(dir+"/f", dir+"/g"))
		}),
	},
	{
		rule: rules.C15, name: "a file of another user", skip: needsRoot,
		broken: withDir(func(tb testing.TB, dir string) {
			write(tb, dir+"/f", 0o600)
			noError(tb, os.Chown(dir+"/f", 12345, 12345))
		}),
		sound: withDir(func(tb testing.TB, dir string) { write(tb, dir+"/f", 0o600) }),
	},
	{
		rule: rules.C16, name: "inherited",
		broken: withDir(func(tb testing.TB, dir string) {
			fd, err := syscall.Open(dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
			noError(tb, err)
			f := os.NewFile(uintptr(fd), dir+"/f")
			tmptest.CloseOnExec(tb, f)
			noError(tb, f.Close())
		}),
		sound: withDir(func(tb testing.TB, dir string) {
			f, err := os.Create(dir + "/f")
			noError(tb, err)
			noError(tb, f.Chmod(0o600))
			tmptest.CloseOnExec(tb, f)
			noError(tb, f.Close())
		}),
	},
	{
		rule: rules.C16, name: "left open in the directory, and inherited",
		broken: withDir(func(tb testing.TB, dir string) {
			fd, err := syscall.Open(dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
			noError(tb, err)
			tb.(*recorder).TB.Cleanup(func() { noError(tb, syscall.Close(fd)) })
		}),
		sound: withDir(func(tb testing.TB, dir string) {
			fd, err := syscall.Open(dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
			noError(tb, err)
			noError(tb, syscall.Close(fd))
		}),
	},
	{
		rule: rules.C18, name: "others can make files beside it",
		broken: inDir(0o777, func(tb testing.TB, dir string) { write(tb, dir+"/f", 0o600); tmptest.InSecureDir(tb, dir+"/f") }),
		sound:  inDir(0o700, func(tb testing.TB, dir string) { write(tb, dir+"/f", 0o600); tmptest.InSecureDir(tb, dir+"/f") }),
	},
}
