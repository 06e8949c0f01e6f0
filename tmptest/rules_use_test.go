//go:build linux

package tmptest_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

var useRows = []ruleRow{
	{
		rule: rules.U01, name: "another file under the name",
		broken: func(tb testing.TB) {
			f := tmptest.File(tb)
			noError(tb, os.Remove(f.Name()))
			write(tb, f.Name(), 0o600)
		},
		sound: func(tb testing.TB) {
			f := tmptest.File(tb)
			_, err := f.WriteString("content")
			noError(tb, err)
		},
	},
	{
		rule: rules.U04, name: "the directory",
		broken: withDir(func(tb testing.TB, dir string) { noError(tb, os.Chmod(dir, 0o755)) }),
		sound:  withDir(func(tb testing.TB, dir string) { noError(tb, os.Chmod(dir, 0o500)) }),
	},
	{
		rule: rules.E06, name: "the directory is given away", skip: needsRoot,
		broken: withDir(func(tb testing.TB, dir string) { noError(tb, os.Chown(dir, 12345, -1)) }),
		sound:  withDir(func(tb testing.TB, dir string) { noError(tb, os.Chown(dir, os.Geteuid(), -1)) }),
	},
	{
		rule: rules.E06, name: "the directory gets a special bit",
		broken: withDir(func(tb testing.TB, dir string) { noError(tb, os.Chmod(dir, 0o700|fs.ModeSticky)) }),
		sound:  withDir(func(tb testing.TB, dir string) { noError(tb, os.Chmod(dir, 0o700)) }),
	},
	{
		rule: rules.U04, name: "the file",
		broken: func(tb testing.TB) { noError(tb, tmptest.File(tb).Chmod(0o604)) },
		sound:  func(tb testing.TB) { noError(tb, tmptest.File(tb).Chmod(0o600)) },
	},
	{
		rule: rules.U05, name: "an absolute link out",
		broken: withDir(func(tb testing.TB, dir string) { noError(tb, os.Symlink("/etc/passwd", dir+"/l")) }),
		sound:  withDir(func(tb testing.TB, dir string) { noError(tb, os.Symlink(dir+"/f", dir+"/l")) }),
	},
	{
		rule: rules.U05, name: "a relative link out",
		broken: withDir(func(tb testing.TB, dir string) {
			noError(tb, os.Mkdir(dir+"/a", 0o700))
			noError(tb, os.Symlink("../../x", dir+"/a/l"))
		}),
		sound: withDir(func(tb testing.TB, dir string) {
			noError(tb, os.Mkdir(dir+"/a", 0o700))
			noError(tb, os.Symlink("../x", dir+"/a/l"))
		}),
	},
	{
		rule: rules.U06, name: "replaced by a directory",
		broken: withDir(func(tb testing.TB, dir string) {
			noError(tb, os.Rename(dir, dir+".away"))
			noError(tb, os.Mkdir(dir, 0o700))
			tb.(*recorder).TB.Cleanup(func() { noError(tb, errors.Join(os.Remove(dir+".away"), os.Remove(dir))) })
		}),
		sound: withDir(func(tb testing.TB, dir string) {
			noError(tb, os.Rename(dir, dir+".away"))
			noError(tb, os.Rename(dir+".away", dir))
		}),
	},
	{
		rule: rules.U06, name: "renamed",
		broken: withDir(func(tb testing.TB, dir string) {
			noError(tb, os.Rename(dir, dir+".away"))
			tb.(*recorder).TB.Cleanup(func() { noError(tb, os.Remove(dir+".away")) })
		}),
		sound: withDir(func(tb testing.TB, dir string) { noError(tb, os.Remove(dir)) }),
	},
	{
		rule: rules.U06, name: "replaced by a link",
		broken: withDir(func(tb testing.TB, dir string) {
			noError(tb, os.Remove(dir))
			noError(tb, os.Symlink("/etc", dir))
			tb.(*recorder).TB.Cleanup(func() { noError(tb, os.Remove(dir)) })
		}),
		sound: withDir(func(tb testing.TB, dir string) { noError(tb, os.Remove(dir)) }),
	},
	{
		rule: rules.X01, name: "the file beside",
		broken: withShared(func(tb testing.TB, dir string) {
			noError(tb, os.WriteFile(dir+"/../canary.txt", []byte("x"), 0o600))
		}),
		sound: withShared(func(tb testing.TB, dir string) {
			_, err := os.ReadFile(dir + "/../canary.txt")
			noError(tb, err)
		}),
	},
}
