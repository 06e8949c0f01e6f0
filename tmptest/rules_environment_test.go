//go:build linux

package tmptest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

var environmentRows = []ruleRow{
	{rule: rules.E01, name: "relative", broken: setRoot("relative/path"), sound: func(tb testing.TB) { setRoot(tb.TempDir())(tb) }},
	{rule: rules.E01, name: "missing", broken: func(tb testing.TB) { setRoot(filepath.Join(tb.TempDir(), "none"))(tb) }, sound: func(tb testing.TB) { setRoot("")(tb) }},
	{
		rule: rules.E01, name: "a file",
		broken: func(tb testing.TB) { f := filepath.Join(tb.TempDir(), "f"); write(tb, f, 0o600); setRoot(f)(tb) },
		sound:  func(tb testing.TB) { setRoot(tb.TempDir())(tb) },
	},
	{
		rule: rules.E02, name: "working directory",
		broken: func(tb testing.TB) {
			dir := tb.TempDir()
			tb.Chdir(dir)
			tb.Setenv("GOTMPDIR", dir)
			audit(tb, dir, tmptest.Process(), tmptest.Allow(rules.E06, "not about it"), tmptest.Allow(rules.E12, "not about it"))
		},
		sound: func(tb testing.TB) {
			tb.Setenv("GOTMPDIR", tb.TempDir())
			audit(tb, tmptest.Dir(tb), tmptest.Process(), tmptest.Allow(rules.E12, "not about it"))
		},
	},
	{
		rule: rules.E02, name: "inside the module",
		broken: func(tb testing.TB) {
			module := tmptest.Dir(tb)
			write(tb, filepath.Join(module, "go.mod"), 0o600)
			tmp := filepath.Join(module, "tmp")
			noError(tb, os.Mkdir(tmp, 0o700))
			tb.Chdir(module)
			tb.Setenv("GOTMPDIR", tmp)
			audit(tb, tmp, tmptest.Process(), tmptest.Allow(rules.E12, "not about it"))
		},
		sound: func(tb testing.TB) {
			module, tmp := tmptest.Dir(tb), tmptest.Dir(tb)
			write(tb, filepath.Join(module, "go.mod"), 0o600)
			tb.Chdir(module)
			tb.Setenv("GOTMPDIR", tmp)
			audit(tb, tmp, tmptest.Process(), tmptest.Allow(rules.E12, "not about it"))
		},
	},
	{
		rule: rules.E03, name: "an ancestor of another user", skip: needsRoot,
		broken: inDir(0o755, func(tb testing.TB, dir string) {
			noError(tb, os.Chown(dir, 12345, 12345))
			tmptest.Dir(tb, tmptest.In(dir))
		}),
		sound: inDir(0o755, func(tb testing.TB, dir string) { tmptest.Dir(tb, tmptest.In(dir)) }),
	},
	{
		rule: rules.E03, name: "an ancestor of another user, by the seam",
		broken: func(tb testing.TB) {
			dir := tb.TempDir()
			if os.Geteuid() == 0 { // root's own is everybody's
				noError(tb, os.Chown(dir, 12345, 12345))
			}
			for _, v := range tmptest.WalkChainAs(54321, dir) {
				tb.Errorf("\n  %s", v)
			}
		},
		sound: func(tb testing.TB) {
			for _, v := range tmptest.WalkChainAs(os.Geteuid(), tb.TempDir()) {
				tb.Errorf("\n  %s", v)
			}
		},
	},
	{
		rule: rules.E04, name: "others may write",
		broken: inDir(0o777, func(tb testing.TB, dir string) { tmptest.Dir(tb, tmptest.In(dir)) }),
		sound:  inDir(0o777|fs.ModeSticky, func(tb testing.TB, dir string) { tmptest.Dir(tb, tmptest.In(dir)) }),
	},
	{
		rule: rules.E04, name: "the group may write",
		broken: inDir(0o770, func(tb testing.TB, dir string) { tmptest.Dir(tb, tmptest.In(dir)) }),
		sound:  inDir(0o755, func(tb testing.TB, dir string) { tmptest.Dir(tb, tmptest.In(dir)) }),
	},
	{
		rule: rules.E04, name: "sticky, taken literally",
		broken: inDir(0o777|fs.ModeSticky, func(tb testing.TB, dir string) {
			tmptest.Dir(tb, tmptest.In(dir), tmptest.Literal())
		}),
		sound: inDir(0o777|fs.ModeSticky, func(tb testing.TB, dir string) { tmptest.Dir(tb, tmptest.In(dir)) }),
	},
	{
		rule: rules.E05, name: "a link, taken literally",
		broken: func(tb testing.TB) { tmptest.Dir(tb, tmptest.In(linkTo(tb, 1)), tmptest.Literal()) },
		sound:  func(tb testing.TB) { tmptest.Dir(tb, tmptest.In(linkTo(tb, 1))) },
	},
	{
		rule: rules.E05, name: "six links",
		broken: func(tb testing.TB) { tmptest.Dir(tb, tmptest.In(linkTo(tb, 6))) },
		sound:  func(tb testing.TB) { tmptest.Dir(tb, tmptest.In(linkTo(tb, 5))) },
	},
	{
		rule: rules.E05, name: "a link of another user", skip: needsRoot,
		broken: func(tb testing.TB) {
			link := linkTo(tb, 1)
			noError(tb, os.Lchown(link, 12345, 12345))
			tmptest.Dir(tb, tmptest.In(link))
		},
		sound: func(tb testing.TB) { tmptest.Dir(tb, tmptest.In(linkTo(tb, 1))) },
	},
	{
		rule: rules.E06, name: "mode 0750",
		broken: inDir(0o750, func(tb testing.TB, dir string) { audit(tb, dir) }),
		sound:  inDir(0o700, func(tb testing.TB, dir string) { audit(tb, dir) }),
	},
	{
		rule: rules.E07, name: "access list",
		broken: withDir(func(tb testing.TB, dir string) {
			setACL(tb, dir, "access", aclWith(7, 7))
			audit(tb, dir)
			noError(tb, unix.Removexattr(dir, "system.posix_acl_access"))
			noError(tb, os.Chmod(dir, 0o700))
		}),
		sound: withDir(func(tb testing.TB, dir string) {
			setACL(tb, dir, "access", aclWith(7, 0))
			audit(tb, dir)
		}),
	},
	{
		rule: rules.E07, name: "access list for a group",
		broken: withDir(func(tb testing.TB, dir string) {
			setACL(tb, dir, "access", aclForGroup(5, 7))
			audit(tb, dir)
			noError(tb, unix.Removexattr(dir, "system.posix_acl_access"))
			noError(tb, os.Chmod(dir, 0o700))
		}),
		sound: withDir(func(tb testing.TB, dir string) {
			setACL(tb, dir, "access", aclForGroup(5, 0))
			audit(tb, dir)
		}),
	},
	{
		rule: rules.E07, name: "default list of the parent",
		broken: inDir(0o700, func(tb testing.TB, dir string) {
			setACL(tb, dir, "default", aclWith(7, 7))
			tmptest.Dir(tb, tmptest.In(dir))
		}),
		sound: inDir(0o700, func(tb testing.TB, dir string) { tmptest.Dir(tb, tmptest.In(dir)) }),
	},
	{
		rule: rules.E08, name: "NFS, by the seam",
		broken: withDir(nothing, tmptest.FSType(0x6969, 1<<40, 1<<20)),
		sound:  withDir(nothing, tmptest.FSType(unix.EXT4_SUPER_MAGIC, 1<<40, 1<<20)),
	},
	{
		rule: rules.E09, name: "O_EXCL is ignored, by the seam",
		broken: withDir(func(tb testing.TB, dir string) {
			ignore := func(name string, flag int, perm fs.FileMode) (*os.File, error) {
				return os.OpenFile(name, flag&^os.O_EXCL, perm)
			}
			probe(tb, dir, ignore, nil)
		}),
		sound: withDir(func(tb testing.TB, dir string) { probe(tb, dir, nil, nil) }),
	},
	{
		rule: rules.E09, name: "modes are fixed, by the seam",
		broken: withDir(func(tb testing.TB, dir string) {
			probe(tb, dir, nil, func(f *os.File, _ fs.FileMode) error { return f.Chmod(0o755) })
		}),
		sound: withDir(func(tb testing.TB, dir string) { probe(tb, dir, nil, nil) }),
	},
	{
		rule: rules.E10, name: "umask 0",
		broken: func(tb testing.TB) { tmptest.Umask(tb, 0); auditProcess(tb, notE12) },
		sound:  func(tb testing.TB) { tmptest.Umask(tb, 0o077); auditProcess(tb, notE12) },
	},
	{
		rule: rules.E10, name: "changed by the test",
		broken: func(tb testing.TB) { tmptest.Umask(tb, 0o077); syscall.Umask(0o022) },
		sound:  func(tb testing.TB) { tmptest.Umask(tb, 0o077); syscall.Umask(syscall.Umask(0o022)) },
	},
	{
		rule: rules.E12, name: "TMP is another",
		broken: func(tb testing.TB) { allVariables(tb); tb.Setenv("TMP", "/elsewhere"); auditProcess(tb) },
		sound:  func(tb testing.TB) { allVariables(tb); auditProcess(tb) },
	},
	{
		rule: rules.E14, name: "long TMPDIR",
		broken: func(tb testing.TB) {
			dir := filepath.Join(tmptest.Dir(tb), strings.Repeat("d", 60))
			noError(tb, os.Mkdir(dir, 0o700))
			tmptest.Dir(tb, tmptest.In(dir))
		},
		sound: func(tb testing.TB) {
			dir, err := os.MkdirTemp("/dev/shm", "s")
			noError(tb, err)
			tb.Cleanup(func() { noError(tb, os.Remove(dir)) })
			tmptest.Dir(tb, tmptest.In(dir))
		},
	},
	{
		rule: rules.E15, name: "root below a sticky directory", skip: needsRoot,
		broken: inDir(0o777|fs.ModeSticky, func(tb testing.TB, dir string) {
			tb.Setenv("GOTMPDIR", dir)
			auditProcess(tb, notE12)
		}),
		sound: func(tb testing.TB) { tb.Setenv("GOTMPDIR", "/root"); auditProcess(tb, notE12) },
	},
	{rule: rules.E16, name: "all off, by the seam", broken: settings("0\n"), sound: settings("1\n")},
	{
		rule: rules.E17, name: "no room, by the seam",
		broken: withDir(nothing, tmptest.FSType(unix.EXT4_SUPER_MAGIC, 1<<20, 1<<20)),
		sound:  withDir(nothing, tmptest.FSType(unix.EXT4_SUPER_MAGIC, 1<<30, 1<<20)),
	},
	{
		rule: rules.E17, name: "no inodes, by the seam",
		broken: withDir(nothing, tmptest.FSType(unix.EXT4_SUPER_MAGIC, 1<<40, 10)),
		sound:  withDir(nothing, tmptest.FSType(unix.EXT4_SUPER_MAGIC, 1<<40, 1<<20)),
	},
}
