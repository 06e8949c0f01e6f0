package fsfaketest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/afero"
)

func init() {
	for name, c := range linkContracts {
		All[name] = c
	}
}

// linkContracts are about symbolic and hard links.
var linkContracts = map[string]Contract{
	"SymlinkIsFollowed": rule("symlink(7); afero #258", func(c *checker) {
		c.put("f", "x")
		c.symlink("f", "l")
		c.has("l", "x")
		fi, err := c.lstat("l")
		c.ok(err)
		eq(c, "type", fi.Mode().Type(), fs.ModeSymlink)
		eq(c, "size", fi.Size(), 1)
		target, err := c.symlinker().ReadlinkIfPossible(c.p("l"))
		c.ok(err)
		eq(c, "target", target, "f")
		_, err = c.symlinker().ReadlinkIfPossible(c.p("f"))
		c.is(err, syscall.EINVAL)
	}),
	"SymlinkLoop": rule("path_resolution(7) ELOOP", func(c *checker) {
		c.symlink("b", "a")
		c.symlink("a", "b")
		_, err := c.Open(c.p("a"))
		c.is(err, syscall.ELOOP)
		_, err = c.Stat(c.p("a/x"))
		c.is(err, syscall.ELOOP)
		_, err = c.lstat("a")
		c.ok(err)
	}),
	"SymlinkDangling": rule("open(2): O_CREAT makes the target; jimfs #254", func(c *checker) {
		c.symlink("target", "l")
		_, err := c.Stat(c.p("l"))
		c.is(err, fs.ErrNotExist)
		_, err = c.OpenFile(c.p("l"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		c.is(err, fs.ErrExist)
		c.gone("target")
		c.put("l", "x")
		c.has("target", "x")
		c.is(c.Mkdir(c.p("l"), 0o755), fs.ErrExist)
	}),
	"SymlinkInTheMiddle": rule("path_resolution(7)", func(c *checker) {
		c.mkdir("d")
		c.symlink("d", "l")
		c.put("l/f", "x")
		c.has("d/f", "x")
		c.mkdir("d/sub")
		c.symlink("d/sub", "deep")
		c.has("deep/../f", "x") // the parent of the target
		c.gone("deep/../deep")
	}),
	"SymlinkRemoved": rule("unlink(2): the link, not its target", func(c *checker) {
		c.mkdir("d")
		c.put("d/f", "x")
		c.symlink("d", "l")
		c.ok(c.RemoveAll(c.p("l")))
		c.has("d/f", "x")
		c.symlink(c.p("d"), "d/up")
		c.ok(c.RemoveAll(c.p("d")))
		c.gone("d")
	}),
	"SymlinkRenamed": rule("rename(2): the link, not its target", func(c *checker) {
		c.put("f", "x")
		c.symlink("f", "l")
		c.put("g", "y")
		c.ok(c.Rename(c.p("g"), c.p("l")))
		c.has("f", "x")
		c.has("l", "y")
	}),
	"SymlinkExists": rule("symlink(2) EEXIST, ENOENT", func(c *checker) {
		c.put("f", "x")
		c.is(c.symlinker().SymlinkIfPossible("f", c.p("f")), fs.ErrExist)
		c.is(c.symlinker().SymlinkIfPossible("", c.p("g")), fs.ErrNotExist)
	}),
	"ChmodFollowsSymlink": rule("chmod(2); jimfs #119", func(c *checker) {
		c.put("f", "x")
		c.symlink("f", "l")
		c.ok(c.Chmod(c.p("l"), 0o600))
		fi, err := c.Stat(c.p("f"))
		c.ok(err)
		eq(c, "mode", fi.Mode(), 0o600)
	}),
	"WalkDoesNotFollow": rule("filepath.Walk", func(c *checker) {
		c.mkdir("d")
		c.put("d/f", "x")
		c.symlink("d", "l")
		var seen []string
		c.ok(afero.Walk(c.Fs, c.dir, func(path string, _ fs.FileInfo, err error) error {
			if rel, _ := filepath.Rel(c.dir, path); rel != "." {
				seen = append(seen, filepath.ToSlash(rel))
			}
			return err
		}))
		eq(c, "walk", strings.Join(seen, " "), "d d/f l")
	}),
	"HardLink": rule("link(2); afero #432, PR #529", func(c *checker) {
		l := c.linker()
		c.put("f", "x")
		c.mkdir("d")
		c.ok(l.Link(c.p("f"), c.p("g")))
		c.put("g", "changed")
		c.has("f", "changed")
		c.ok(c.Remove(c.p("f")))
		c.has("g", "changed")
		c.is(l.Link(c.p("d"), c.p("e")), fs.ErrPermission)
		c.is(l.Link(c.p("no"), c.p("e")), fs.ErrNotExist)
		c.is(l.Link(c.p("g"), c.p("d")), fs.ErrExist)
		le, ok := l.Link(c.p("no"), c.p("e")).(*os.LinkError)
		if !ok || le.Op != "link" {
			c.fail("error is not a LinkError of link")
		}
	}),
}
