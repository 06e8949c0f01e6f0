//go:build linux

package tmptest_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

var removalRows = []ruleRow{
	{
		rule: rules.R01, name: "left in the shared directory",
		broken: withShared(func(tb testing.TB, _ string) {
			f, err := os.CreateTemp("", "upload-*")
			noError(tb, err)
			noError(tb, f.Close())
		}),
		sound: withShared(func(tb testing.TB, _ string) {
			f, err := os.CreateTemp("", "upload-*")
			noError(tb, err)
			noError(tb, errors.Join(f.Close(), os.Remove(f.Name())))
		}),
	},
	{
		rule: rules.R01, name: "left in any directory",
		broken: func(tb testing.TB) { dir := tb.TempDir(); write(tb, dir+"/f", 0o600); tmptest.Empty(tb, dir) },
		sound:  func(tb testing.TB) { tmptest.Empty(tb, tb.TempDir()) },
	},
	{
		rule: rules.R03, name: "open file",
		broken: withDir(func(tb testing.TB, dir string) { leaveOpen(tb, dir+"/f", os.O_CREATE|os.O_RDWR) }),
		sound: withDir(func(tb testing.TB, dir string) {
			write(tb, dir+"/f", 0o600)
			leaveOpen(tb, os.DevNull, os.O_RDONLY)
		}),
	},
	{
		rule: rules.R03, name: "open removed file",
		broken: withDir(func(tb testing.TB, dir string) {
			leaveOpen(tb, dir+"/f", os.O_CREATE|os.O_RDWR)
			noError(tb, os.Remove(dir+"/f"))
		}),
		sound: withDir(func(tb testing.TB, dir string) {
			write(tb, dir+"/f", 0o600)
			noError(tb, os.Remove(dir+"/f"))
		}),
	},
	{
		rule: rules.R03, name: "file without a name",
		broken: withDir(func(tb testing.TB, dir string) { leaveOpen(tb, dir, os.O_RDWR|unix.O_TMPFILE) }),
		sound: withDir(func(tb testing.TB, dir string) {
			f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
			noError(tb, err)
			noError(tb, f.Close())
		}),
	},
	{
		rule: rules.R09, name: "links are followed",
		broken: func(tb testing.TB) {
			tmptest.RemovesAll(tb, func(dir string) error {
				return errors.Join(filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
					return errors.Join(err, ignoreMissing(os.Chmod(p, 0o700))) // chmod follows
				}), os.RemoveAll(dir))
			})
		},
		sound: func(tb testing.TB) { tmptest.RemovesAll(tb, os.RemoveAll) },
	},
	{
		rule: rules.R11, name: "the error is swallowed",
		broken: func(tb testing.TB) {
			tmptest.RemovesAll(tb, func(dir string) error { _ = os.RemoveAll(dir); return nil })
		},
		sound: func(tb testing.TB) { tmptest.RemovesAll(tb, os.RemoveAll) },
	},
	{
		rule: rules.R12, name: "read-only directories stay",
		skip: func() string {
			if os.Geteuid() == 0 {
				return "root needs no write permission"
			}
			return ""
		},
		broken: func(tb testing.TB) { tmptest.RemovesAll(tb, os.RemoveAll) },
		sound: func(tb testing.TB) {
			tmptest.RemovesAll(tb, func(dir string) error {
				return errors.Join(filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
					if err == nil && d.IsDir() {
						return os.Chmod(p, 0o700)
					}
					return nil
				}), os.RemoveAll(dir))
			})
		},
	},
	{
		rule: rules.R13, name: "a child in the directory",
		broken: withDir(func(tb testing.TB, dir string) { sleeper(tb, dir) }),
		sound:  withDir(func(tb testing.TB, _ string) { sleeper(tb, "/") }),
	},
	{
		rule: rules.R13, name: "an orphan in the directory",
		broken: withDir(func(tb testing.TB, dir string) { orphan(tb, dir) }),
		sound:  withDir(func(tb testing.TB, _ string) { orphan(tb, "/") }),
	},
	{
		rule: rules.R14, name: "written between two listings",
		broken: func(tb testing.TB) {
			var dir string
			dir = tmptest.Dir(tb, tmptest.BetweenListings(func() { write(tb, dir+"/late", 0o600) }))
		},
		sound: func(tb testing.TB) {
			var dir string
			dir = tmptest.Dir(tb, tmptest.BetweenListings(func() { noError(tb, os.Remove(dir+"/f")) }))
			write(tb, dir+"/f", 0o600)
		},
	},
	{
		rule: rules.R14, name: "written between listing and removal",
		broken: removal(func(tb testing.TB, dir string) { write(tb, dir+"/late", 0o600) }),
		sound:  removal(func(tb testing.TB, dir string) { noError(tb, os.Remove(dir+"/f")) }),
	},
}
