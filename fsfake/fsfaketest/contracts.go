package fsfaketest

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/afero"
)

// All has every contract under its name.
var All = map[string]Contract{
	"MkdirNeedsParent": rule("mkdir(2) ENOENT; afero #149", func(c *checker) {
		c.is(c.Mkdir(c.p("no/dir"), 0o755), fs.ErrNotExist)
		c.gone("no")
	}),
	"CreateNeedsParent": rule("open(2) ENOENT; afero #168, #270, #373", func(c *checker) {
		_, err := c.Create(c.p("no/file"))
		c.is(err, fs.ErrNotExist)
		c.is(afero.WriteFile(c.Fs, c.p("no/file"), nil, 0o644), fs.ErrNotExist)
		c.gone("no")
	}),
	"MkdirExists": rule("mkdir(2) EEXIST", func(c *checker) {
		c.mkdir("d")
		c.put("f", "")
		c.is(c.Mkdir(c.p("d"), 0o755), fs.ErrExist)
		c.is(c.Mkdir(c.p("f"), 0o755), fs.ErrExist)
	}),
	"MkdirAllBelowFile": rule("os.MkdirAll; afero #164", func(c *checker) {
		c.put("f", "x")
		c.is(c.MkdirAll(c.p("f/a/b"), 0o755), syscall.ENOTDIR)
		c.is(c.MkdirAll(c.p("f"), 0o755), syscall.ENOTDIR)
		c.has("f", "x")
	}),
	"MkdirAllTwice": rule("os.MkdirAll", func(c *checker) {
		c.ok(c.MkdirAll(c.p("a/b/c"), 0o755))
		c.ok(c.MkdirAll(c.p("a/b/c"), 0o755))
		c.ok(c.MkdirAll(c.p("a/b/c/d/"), 0o755))
	}),
	"MkdirMode": rule("mkdir(2); afero #209", func(c *checker) {
		c.ok(c.Mkdir(c.p("d"), 0o700))
		fi, err := c.Stat(c.p("d"))
		c.ok(err)
		eq(c, "mode", fi.Mode(), fs.ModeDir|0o700)
		c.ok(c.MkdirAll(c.p("x/y/z"), 0o700))
		for _, name := range []string{"x", "x/y", "x/y/z"} {
			fi, err := c.Stat(c.p(name))
			c.ok(err)
			eq(c, "mode of "+name, fi.Mode(), fs.ModeDir|0o700)
		}
	}),
	"CreateMode": rule("open(2); afero #107, #338", func(c *checker) {
		f, err := c.OpenFile(c.p("f"), os.O_CREATE|os.O_WRONLY, 0o600)
		c.ok(err)
		fi, err := f.Stat()
		c.ok(err)
		eq(c, "mode of the open file", fi.Mode(), 0o600)
		c.ok(f.Close())
		fi, err = c.Stat(c.p("f"))
		c.ok(err)
		eq(c, "mode", fi.Mode(), 0o600)
	}),
	"CreateKeepsMode": rule("open(2): mode is for a new file only", func(c *checker) {
		c.put("f", "x")
		c.ok(c.Chmod(c.p("f"), 0o640))
		c.ok(afero.WriteFile(c.Fs, c.p("f"), []byte("y"), 0o600))
		fi, err := c.Stat(c.p("f"))
		c.ok(err)
		eq(c, "mode", fi.Mode(), 0o640)
	}),
	"ExclusiveCreate": rule("open(2) EEXIST; afero #244", func(c *checker) {
		c.put("f", "x")
		_, err := c.OpenFile(c.p("f"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		c.is(err, fs.ErrExist)
		c.has("f", "x")
	}),
	"ExclusiveWithoutCreate": rule("open(2): O_EXCL without O_CREAT; afero #415", func(c *checker) {
		c.put("f", "x")
		f := c.open("f", os.O_RDWR|os.O_EXCL)
		c.ok(f.Close())
	}),
	"OpenMissing": rule("open(2) ENOENT; afero #15", func(c *checker) {
		for _, flag := range []int{os.O_RDONLY, os.O_WRONLY, os.O_RDWR | os.O_TRUNC, os.O_WRONLY | os.O_APPEND} {
			_, err := c.OpenFile(c.p("f"), flag, 0o600)
			c.is(err, fs.ErrNotExist)
		}
		c.gone("f")
	}),
	"OpenBelowFile": rule("open(2) ENOTDIR", func(c *checker) {
		c.put("f", "x")
		_, err := c.Open(c.p("f/x"))
		c.is(err, syscall.ENOTDIR)
		_, err = c.Stat(c.p("f/x"))
		c.is(err, syscall.ENOTDIR)
		_, err = c.Create(c.p("f/x"))
		c.is(err, syscall.ENOTDIR)
	}),
	"OpenDirectoryForWriting": rule("open(2) EISDIR", func(c *checker) {
		c.mkdir("d")
		for _, flag := range []int{os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC, os.O_WRONLY | os.O_CREATE} {
			_, err := c.OpenFile(c.p("d"), flag, 0o600)
			c.is(err, syscall.EISDIR)
		}
	}),
	"ReadDirectory": rule("read(2) EISDIR; afero #201", func(c *checker) {
		c.mkdir("d")
		f, err := c.Open(c.p("d"))
		c.ok(err)
		defer f.Close()
		_, err = f.Read(make([]byte, 1))
		c.is(err, syscall.EISDIR)
	}),
	"TruncateOnOpen": rule("open(2) O_TRUNC", func(c *checker) {
		c.put("f", "long")
		f := c.open("f", os.O_WRONLY|os.O_TRUNC)
		c.ok(f.Close())
		c.has("f", "")
	}),
	"AppendGoesToTheEnd": rule("open(2) O_APPEND: before each write", func(c *checker) {
		c.put("f", "one")
		a, b := c.open("f", os.O_WRONLY|os.O_APPEND), c.open("f", os.O_WRONLY|os.O_APPEND)
		for _, f := range []afero.File{a, b, a} {
			_, err := f.Write([]byte("+"))
			c.ok(err)
		}
		_, err := a.Seek(0, io.SeekStart)
		c.ok(err)
		_, err = a.Write([]byte("!"))
		c.ok(err)
		c.ok(a.Close())
		c.ok(b.Close())
		c.has("f", "one+++!")
	}),
	"WriteReadOnlyHandle": rule("write(2) EBADF; afero #53", func(c *checker) {
		c.put("f", "x")
		f, err := c.Open(c.p("f"))
		c.ok(err)
		defer f.Close()
		_, err = f.Write([]byte("y"))
		c.is(err, syscall.EBADF)
		_, err = f.WriteAt([]byte("y"), 0)
		c.is(err, syscall.EBADF)
		c.is(f.Truncate(0), syscall.EINVAL)
		c.has("f", "x")
	}),
	"ReadWriteOnlyHandle": rule("read(2) EBADF", func(c *checker) {
		c.put("f", "x")
		f := c.open("f", os.O_WRONLY)
		defer f.Close()
		_, err := f.Read(make([]byte, 1))
		c.is(err, syscall.EBADF)
	}),
	"UseAfterClose": rule("os.File; afero #166, #567, PR #660", func(c *checker) {
		c.put("f", "x")
		f := c.open("f", os.O_RDWR)
		c.ok(f.Close())
		_, err := f.Write([]byte("y"))
		c.is(err, fs.ErrClosed)
		_, err = f.Read(make([]byte, 1))
		c.is(err, fs.ErrClosed)
		_, err = f.Seek(0, io.SeekStart)
		c.is(err, fs.ErrClosed)
		_, err = f.Stat()
		c.is(err, fs.ErrClosed)
		c.is(f.Sync(), fs.ErrClosed)
		c.is(f.Truncate(0), fs.ErrClosed)
		c.is(f.Close(), fs.ErrClosed)
		c.has("f", "x")
	}),
	"HoleReadsAsZeros": rule("lseek(2)", func(c *checker) {
		f := c.open("f", os.O_RDWR|os.O_CREATE)
		defer f.Close()
		_, err := f.WriteAt([]byte("x"), 10)
		c.ok(err)
		c.has("f", strings.Repeat("\x00", 10)+"x")
	}),
	"HugeTruncate": rule("truncate(2): a hole costs nothing", func(c *checker) {
		f := c.open("f", os.O_RDWR|os.O_CREATE)
		if err := f.Truncate(1e15); err != nil {
			c.is(err, syscall.EFBIG)
			return
		}
		fi, err := f.Stat()
		c.ok(err)
		eq(c, "size", fi.Size(), int64(1e15))
		_, err = f.WriteAt([]byte("x"), 1e14)
		c.ok(err)
		p := []byte{1, 1, 1}
		_, err = f.ReadAt(p, 1e14-1)
		c.ok(err)
		eq(c, "bytes", string(p), "\x00x\x00")
		c.ok(f.Truncate(0))
		c.ok(f.Close())
	}),
	"TruncateGrowsWithZeros": rule("ftruncate(2)", func(c *checker) {
		f := c.open("f", os.O_RDWR|os.O_CREATE)
		defer f.Close()
		_, err := f.Write([]byte("abcdef"))
		c.ok(err)
		c.ok(f.Truncate(2))
		c.ok(f.Truncate(4))
		c.has("f", "ab\x00\x00")
		c.is(f.Truncate(-1), syscall.EINVAL)
	}),
	"SeekErrors": rule("lseek(2) EINVAL", func(c *checker) {
		f := c.open("f", os.O_RDWR|os.O_CREATE)
		defer f.Close()
		_, err := f.Seek(-1, io.SeekStart)
		c.is(err, syscall.EINVAL)
		at, err := f.Seek(100, io.SeekEnd)
		c.ok(err)
		eq(c, "position", at, 100)
		_, err = f.Read(make([]byte, 1))
		c.is(err, io.EOF)
	}),
	"ReadAtEnd": rule("io.ReaderAt", func(c *checker) {
		c.put("f", "abc")
		f := c.open("f", os.O_RDONLY)
		defer f.Close()
		p := make([]byte, 5)
		n, err := f.ReadAt(p, 1)
		c.is(err, io.EOF)
		eq(c, "bytes read", n, 2)
		at, err := f.Seek(0, io.SeekCurrent)
		c.ok(err)
		eq(c, "position", at, 0)
	}),
	"UnlinkedFileLives": rule("unlink(2)", func(c *checker) {
		c.put("f", "still")
		f := c.open("f", os.O_RDWR)
		defer f.Close()
		c.ok(c.Remove(c.p("f")))
		c.put("f", "new")
		b, err := io.ReadAll(f)
		c.ok(err)
		eq(c, "content", string(b), "still")
		_, err = f.Write([]byte("!"))
		c.ok(err)
		c.has("f", "new")
	}),
	"RemoveMissing": rule("unlink(2) ENOENT", func(c *checker) {
		c.is(c.Remove(c.p("f")), fs.ErrNotExist)
		c.ok(c.RemoveAll(c.p("f")))
		c.ok(c.RemoveAll(c.p("f/g/h")))
	}),
	"RemoveFullDirectory": rule("rmdir(2) ENOTEMPTY; afero #232, #388", func(c *checker) {
		c.mkdir("d")
		c.put("d/f", "x")
		c.is(c.Remove(c.p("d")), syscall.ENOTEMPTY)
		c.has("d/f", "x")
		c.ok(c.Remove(c.p("d/f")))
		c.ok(c.Remove(c.p("d")))
		c.gone("d")
	}),
	"RemoveAllKeepsNeighbours": rule("os.RemoveAll: names, not prefixes; afero #513", func(c *checker) {
		c.ok(c.MkdirAll(c.p("app/x/y"), 0o755))
		c.put("app/x/f", "x")
		c.mkdir("app-secret")
		c.put("app-secret/f", "x")
		c.ok(c.RemoveAll(c.p("app")))
		c.gone("app")
		c.has("app-secret/f", "x")
	}),
	"RenameReplacesFile": rule("rename(2); afero #319", func(c *checker) {
		c.put("a", "new")
		c.put("b", "old")
		f := c.open("b", os.O_RDONLY)
		defer f.Close()
		c.ok(c.Rename(c.p("a"), c.p("b")))
		c.gone("a")
		c.has("b", "new")
		b, err := io.ReadAll(f)
		c.ok(err)
		eq(c, "the replaced file", string(b), "old")
	}),
	"RenameMovesTree": rule("rename(2); afero #141", func(c *checker) {
		c.ok(c.MkdirAll(c.p("a/b/c"), 0o755))
		c.put("a/b/c/f", "x")
		c.ok(c.Rename(c.p("a"), c.p("z")))
		c.gone("a")
		c.has("z/b/c/f", "x")
		eq(c, "entries", strings.Join(c.names("z"), " "), "b")
	}),
	"RenameOntoDirectory": rule("os.Rename: EEXIST; rename(2) EISDIR", func(c *checker) {
		c.mkdir("a")
		c.mkdir("b")
		c.put("f", "x")
		c.is(c.Rename(c.p("a"), c.p("b")), fs.ErrExist)
		c.is(c.Rename(c.p("f"), c.p("b")), fs.ErrExist)
		c.is(c.Rename(c.p("a"), c.p("f")), syscall.ENOTDIR)
		c.has("f", "x")
	}),
	"RenameMissing": rule("rename(2) ENOENT", func(c *checker) {
		c.is(c.Rename(c.p("a"), c.p("b")), fs.ErrNotExist)
		c.put("a", "x")
		c.is(c.Rename(c.p("a"), c.p("no/b")), fs.ErrNotExist)
		c.has("a", "x")
	}),
	"RenameIntoItself": rule("rename(2) EINVAL", func(c *checker) {
		c.mkdir("a")
		c.is(c.Rename(c.p("a"), c.p("a/b")), syscall.EINVAL)
	}),
	"RenameKeepsHandleName": rule("os.File.Name; afero #327", func(c *checker) {
		f := c.open("a", os.O_RDWR|os.O_CREATE)
		defer f.Close()
		c.ok(c.Rename(c.p("a"), c.p("b")))
		eq(c, "name", f.Name(), c.p("a"))
		_, err := f.Write([]byte("x"))
		c.ok(err)
		c.has("b", "x")
	}),
	"ReaddirInSteps": rule("os.File.Readdir; afero #261", func(c *checker) {
		c.mkdir("d")
		for i := range 10 {
			c.put(fmt.Sprintf("d/f%d", i), "")
		}
		f, err := c.Open(c.p("d"))
		c.ok(err)
		seen := map[string]bool{}
		for {
			l, err := f.Readdir(3)
			for _, fi := range l {
				if seen[fi.Name()] {
					c.fail("%s twice", fi.Name())
				}
				seen[fi.Name()] = true
				c.ok(c.Remove(c.p("d/" + fi.Name())))
			}
			if err == io.EOF {
				break
			}
			c.ok(err)
		}
		c.ok(f.Close())
		eq(c, "number of names", len(seen), 10)
		c.ok(c.Remove(c.p("d")))
	}),
	"ReaddirOfFile": rule("getdents(2) ENOTDIR", func(c *checker) {
		c.put("f", "x")
		f, err := c.Open(c.p("f"))
		c.ok(err)
		defer f.Close()
		_, err = f.Readdir(-1)
		c.is(err, syscall.ENOTDIR)
	}),
	"StatRoot": rule("afero #7", func(c *checker) {
		c.put("f", "")
		fi, err := c.Stat(c.dir)
		c.ok(err)
		eq(c, "IsDir", fi.IsDir(), true)
		eq(c, "entries", strings.Join(c.names("."), " "), "f")
	}),
	"ChmodKeepsType": rule("chmod(2); afero PR #249, PR #118, #392", func(c *checker) {
		c.mkdir("d")
		c.ok(c.Chmod(c.p("d"), 0o700))
		fi, err := c.Stat(c.p("d"))
		c.ok(err)
		eq(c, "mode", fi.Mode(), fs.ModeDir|0o700)
		eq(c, "IsDir", fi.IsDir(), true)
		c.is(c.Chmod(c.p("no"), 0o700), fs.ErrNotExist)
	}),
	"ChmodSpecialBits": rule("chmod(2)", func(c *checker) {
		c.mkdir("d")
		c.ok(c.Chmod(c.p("d"), 0o777|fs.ModeSticky))
		fi, err := c.Stat(c.p("d"))
		c.ok(err)
		eq(c, "mode", fi.Mode(), fs.ModeDir|fs.ModeSticky|0o777)
	}),
	"ChownMissing": rule("chown(2) ENOENT; afero #122", func(c *checker) {
		c.is(c.Chown(c.p("no"), -1, -1), fs.ErrNotExist)
	}),
	"Chtimes": rule("os.Chtimes", func(c *checker) {
		c.put("f", "x")
		at := time.Unix(1_000_000_000, 123456789)
		c.ok(c.Chtimes(c.p("f"), at, at))
		fi, err := c.Stat(c.p("f"))
		c.ok(err)
		eq(c, "mtime", fi.ModTime().UnixNano(), at.UnixNano())
		c.ok(c.Chtimes(c.p("f"), at, time.Time{}))
		fi, err = c.Stat(c.p("f"))
		c.ok(err)
		eq(c, "mtime after a zero time", fi.ModTime().UnixNano(), at.UnixNano())
		c.is(c.Chtimes(c.p("no"), at, at), fs.ErrNotExist)
	}),
	"WriteSetsMtime": rule("write(2); afero #51", func(c *checker) {
		c.put("f", "x")
		old := time.Unix(1_000_000_000, 0)
		c.ok(c.Chtimes(c.p("f"), old, old))
		f := c.open("f", os.O_WRONLY)
		defer f.Close()
		_, err := f.Write([]byte("y"))
		c.ok(err)
		fi, err := c.Stat(c.p("f"))
		c.ok(err)
		eq(c, "mtime is new", fi.ModTime().After(old), true)
	}),
	"CreateSetsDirectoryMtime": rule("open(2), unlink(2): the directory's mtime", func(c *checker) {
		c.mkdir("d")
		old := time.Unix(1_000_000_000, 0)
		for _, change := range []func(){
			func() { c.put("d/f", "x") },
			func() { c.ok(c.Rename(c.p("d/f"), c.p("d/g"))) },
			func() { c.ok(c.Remove(c.p("d/g"))) },
		} {
			c.ok(c.Chtimes(c.p("d"), old, old))
			change()
			fi, err := c.Stat(c.p("d"))
			c.ok(err)
			eq(c, "mtime is new", fi.ModTime().After(old), true)
		}
	}),
	"StatIsASnapshot": rule("stat(2)", func(c *checker) {
		c.put("f", "x")
		fi, err := c.Stat(c.p("f"))
		c.ok(err)
		c.put("f", "longer")
		eq(c, "size of the old FileInfo", fi.Size(), 1)
	}),
	"LongName": rule("open(2) ENAMETOOLONG", func(c *checker) {
		long := strings.Repeat("n", 256)
		_, err := c.Create(c.p(long))
		c.is(err, syscall.ENAMETOOLONG)
		c.is(c.Mkdir(c.p(long), 0o755), syscall.ENAMETOOLONG)
		c.put(long[1:], "x")
		_, err = c.Stat(c.p(strings.Repeat("./", 2048)))
		c.is(err, syscall.ENAMETOOLONG)
	}),
	"EmptyName": rule("open(2) ENOENT", func(c *checker) {
		_, err := c.Open("")
		c.is(err, fs.ErrNotExist)
		_, err = c.Stat("")
		c.is(err, fs.ErrNotExist)
		c.is(c.Mkdir("", 0o755), fs.ErrNotExist)
	}),
	"NULInName": rule("package os: EINVAL", func(c *checker) {
		_, err := c.Create(c.p("a\x00b"))
		c.is(err, syscall.EINVAL)
	}),
	"TrailingSlash": rule("path_resolution(7)", func(c *checker) {
		c.put("f", "x")
		_, err := c.Stat(c.p("f/"))
		c.is(err, syscall.ENOTDIR)
		_, err = c.OpenFile(c.p("new/"), os.O_CREATE|os.O_WRONLY, 0o600)
		c.is(err, syscall.EISDIR)
		c.ok(c.Mkdir(c.p("d/"), 0o755))
		_, err = c.Stat(c.p("d/"))
		c.ok(err)
	}),
	"DotDotIsWalked": rule("path_resolution(7): not cut out of the text", func(c *checker) {
		_, err := c.Stat(c.p("no/../"))
		c.is(err, fs.ErrNotExist)
		c.put("f", "x")
		_, err = c.Stat(c.p("f/../f"))
		c.is(err, syscall.ENOTDIR)
	}),
	"ErrorTypes": rule("package os", func(c *checker) {
		_, err := c.Open(c.p("no"))
		pe, ok := err.(*fs.PathError)
		if !ok || pe.Op != "open" || pe.Path != c.p("no") {
			c.fail("Open: %#v", err)
		}
		if _, ok := pe.Err.(syscall.Errno); !ok {
			c.fail("Open: %T inside, want syscall.Errno", pe.Err)
		}
		err = c.Rename(c.p("no"), c.p("b"))
		le, ok := err.(*os.LinkError)
		if !ok || le.Op != "rename" || le.Old != c.p("no") || le.New != c.p("b") {
			c.fail("Rename: %#v", err)
		}
		err = c.Remove(c.p("no"))
		if pe, ok := err.(*fs.PathError); !ok || pe.Op != "remove" {
			c.fail("Remove: %#v", err)
		}
	}),
}
