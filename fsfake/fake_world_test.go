package fsfake_test

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/fsfake"
)

// fakeWorld is the side of the fake.
type fakeWorld struct {
	disk  *fsfake.Disk
	root  *fsfake.FS
	users []*fsfake.FS
	base  string
	open  [handles]*fsfake.File
	whose [handles]int
	links map[uint64]string
}

func newFakeWorld(t testing.TB, users []account, base string, mode uint32, uid, gid int, opts ...fsfake.Option) *fakeWorld {
	d := fsfake.New(append([]fsfake.Option{fsfake.Bare()}, opts...)...)
	w := &fakeWorld{disk: d, root: d.As(fsfake.User{}), base: base, links: map[uint64]string{}}
	if base != "" {
		if err := w.root.MkdirAll(base, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		w.root.Chmod(base+"/", goMode(mode)),
		w.root.Chown(base+"/", uid, gid),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, u := range users {
		w.users = append(w.users, d.As(fsfake.User{UID: u.uid, GID: u.gid, Groups: u.groups, Umask: fs.FileMode(u.umask)}))
	}
	return w
}

// goMode has permission bits as package io/fs does.
func goMode(bits uint32) fs.FileMode {
	m := fs.FileMode(bits & 0o777)
	for bit, g := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if bits&bit != 0 {
			m |= g
		}
	}
	switch bits & 0o170000 {
	case 0o010000:
		m |= fs.ModeNamedPipe
	case 0o140000:
		m |= fs.ModeSocket
	case 0o120000:
		m |= fs.ModeSymlink
	case 0o040000:
		m |= fs.ModeDir
	case 0o060000:
		m |= fs.ModeDevice
	case 0o020000:
		m |= fs.ModeDevice | fs.ModeCharDevice
	}
	return m
}

// notFirst is the result of flink with another user's handle: linkat with
// AT_EMPTY_PATH needs the very credentials of the open, or root's, and the
// thread that changes users has new ones.
const notFirst = "not the first user's handle"

// timeArg turns a number of a call into a time to set.
func timeArg(n int64) time.Time {
	switch {
	case n == -1:
		return fsfake.TimeNow
	case n == -2:
		return fsfake.TimeOmit
	}
	return time.Unix(n, n%1000)
}

func (w *fakeWorld) do(c call) result {
	n, s, err := w.run(c, w.users[c.user])
	if err != nil {
		var e syscall.Errno
		if !errors.As(err, &e) {
			return result{s: "no errno: " + err.Error()}
		}
		return result{err: e}
	}
	return result{n: n, s: s}
}

func (w *fakeWorld) run(c call, v *fsfake.FS) (int64, string, error) {
	a, b := c.a, c.b
	if wouldWait(modeOn(v), c) {
		return 0, waits, nil
	}
	switch c.name {
	case "mkdir":
		return 0, "", v.Mkdir(a, goMode(c.mode))
	case "mknod":
		return 0, "", v.Mknod(a, goMode(c.mode), 0)
	case "symlink":
		return 0, "", v.Symlink(b, a)
	case "link":
		return 0, "", v.Link(a, b)
	case "unlink":
		return 0, "", v.Unlink(a)
	case "rmdir":
		return 0, "", v.Rmdir(a)
	case "rename":
		return 0, "", v.Renameat2(a, b, uint(c.flag))
	case "chmod":
		return 0, "", v.Chmod(a, goMode(c.mode))
	case "chown":
		return 0, "", v.Chown(a, int(c.n), int(c.m))
	case "lchown":
		return 0, "", v.Lchown(a, int(c.n), int(c.m))
	case "utimens", "lutimens":
		return 0, "", v.UtimesNano(a, timeArg(c.n), timeArg(c.m), c.name == "utimens")
	case "truncate":
		return 0, "", v.Truncate(a, c.n)
	case "access":
		return 0, "", v.Access(a, c.mode)
	case "stat", "lstat":
		f := v.Stat
		if c.name == "lstat" {
			f = v.Lstat
		}
		fi, err := f(a)
		if err != nil {
			return 0, "", err
		}
		return fi.Size(), fmt.Sprint(fi.Mode()), nil
	case "readlink":
		s, err := v.Readlink(a)
		return 0, s, err
	case "open":
		return w.openFile(c, v)
	case "statfs":
		s, err := v.Statfs(a)
		if err != nil {
			return 0, "", err
		}
		return s.BlockSize, roomText(s.Blocks, s.BlocksFree, s.Files, s.FilesFree), nil
	case "osremove":
		return osResult(v.Remove(a))
	case "osremoveall":
		return osRemoveAll(a, v.RemoveAll(a))
	case "osmkdirall":
		return osResult(v.MkdirAll(a, goMode(c.mode)))
	case "osrename":
		return osResult(v.Rename(a, b))
	case "oswritefile":
		return osResult(v.WriteFile(a, pattern(c.n&0xffff, c.m), goMode(c.mode)))
	case "osreadfile":
		if tooLong(sizeOn(v), a) {
			return 0, "too long to read", nil
		}
		data, err := v.ReadFile(a)
		if err != nil {
			return osResult(err)
		}
		return int64(len(data)), digest(data), nil
	case "osreaddir":
		f, err := v.Open(a)
		return osReadDir(c.flag > 0, f, err)
	}
	return w.runHandle(c)
}

func modeOn(v *fsfake.FS) func(name string) (fs.FileMode, error) {
	return func(name string) (fs.FileMode, error) {
		fi, err := v.Stat(name)
		if err != nil {
			return 0, err
		}
		return fi.Mode(), nil
	}
}

func sizeOn(v *fsfake.FS) func(name string) int64 {
	return func(name string) int64 {
		fi, err := v.Stat(name)
		if err != nil {
			return 0
		}
		return fi.Size()
	}
}

func (w *fakeWorld) openFile(c call, v *fsfake.FS) (int64, string, error) {
	f, err := v.OpenFile(c.a, c.flag, goMode(c.mode))
	if err != nil {
		return 0, "", err
	}
	fi, err := f.Stat()
	if err != nil {
		return 0, "", err
	}
	if old := w.open[c.handle]; old != nil {
		old.Close()
		w.open[c.handle] = nil
	}
	if fi.Mode()&fs.ModeNamedPipe != 0 {
		f.Close()
		return 1, "", nil
	}
	w.open[c.handle], w.whose[c.handle] = f.(*fsfake.File), c.user
	return 0, "", nil
}

func (w *fakeWorld) runHandle(c call) (int64, string, error) {
	f := w.open[c.handle]
	if f == nil {
		return 0, "no handle", nil
	}
	size := c.n & 0xffff
	switch c.name {
	case "osempty":
		return osEmpty(f, c)
	case "close":
		w.open[c.handle] = nil
		return 0, "", f.Close()
	case "read", "pread":
		p := make([]byte, size+1)
		var n int
		var err error
		if c.name == "read" {
			n, err = f.Read(p)
		} else {
			n, err = f.ReadAt(p, c.m)
		}
		if err == io.EOF {
			err = nil
		}
		return int64(n), digest(p[:n]), err
	case "write":
		n, err := f.Write(pattern(size, c.m))
		return int64(n), "", err
	case "pwrite":
		n, err := f.WriteAt(pattern(max(size, 1), c.m), c.m)
		return int64(n), "", err
	case "seek":
		if fi, err := f.Stat(); err != nil || fi.IsDir() {
			return 0, "directory", err
		}
		n, err := f.Seek(c.n, c.flag)
		return n, "", err
	case "ftruncate":
		return 0, "", f.Truncate(c.n)
	case "fchmod":
		return 0, "", f.Chmod(goMode(c.mode))
	case "fchown":
		return 0, "", f.Chown(int(c.n), int(c.m))
	case "readdir":
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return 0, "", err
		}
		names, err := f.Readdirnames(-1)
		slices.Sort(names)
		return int64(len(names)), strings.Join(names, " "), err
	case "flink":
		if w.whose[c.handle] != 0 {
			return 0, notFirst, nil
		}
		return 0, "", f.Link(c.a)
	}
	panic("unknown call " + c.name)
}

// pattern gives bytes to write that differ from call to call.
func pattern(n, seed int64) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(int64(i)*7 + seed + 1)
	}
	return p
}

func digest(p []byte) string {
	h := fnv.New64a()
	h.Write(p)
	return fmt.Sprintf("%d bytes %x", len(p), h.Sum64())
}

func (w *fakeWorld) tree() []object {
	var list []object
	var visit func(path string)
	add := func(path string, fi fs.FileInfo) {
		s, _ := fsfake.StatOf(fi)
		o := object{path, s.Ino, s.Mode, s.Uid, s.Gid, s.Nlink, s.Rdev, s.Size, s.Blocks, "", s.Atim, s.Mtim, s.Ctim}
		if fi.Mode()&fs.ModeSymlink != 0 && path[0] != '#' {
			o.target = w.linkText(w.base+"/"+path, s.Ino)
		}
		list = append(list, o)
	}
	visit = func(path string) {
		f, err := w.root.OpenFile(w.base+"/"+path, os.O_RDONLY|fsfake.O_NOATIME, 0)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		infos, err := f.Readdir(-1)
		if err != nil {
			panic(err)
		}
		for _, fi := range infos {
			p := strings.TrimPrefix(path+"/"+fi.Name(), "/")
			add(p, fi)
			if fi.IsDir() {
				visit(p)
			}
		}
	}
	fi, err := w.root.Lstat(w.base + "/")
	if err != nil {
		panic(err)
	}
	add("", fi)
	visit("")
	for i, f := range w.open {
		if f != nil {
			fi, err := f.Stat()
			if err != nil {
				panic(err)
			}
			add(fmt.Sprintf("#%d", i), fi)
		}
	}
	slices.SortFunc(list, func(a, b object) int { return cmp.Compare(a.path, b.path) })
	return list
}

// linkText reads what a link says, once: reading sets its access time.
func (w *fakeWorld) linkText(path string, ino uint64) string {
	if _, ok := w.links[ino]; !ok {
		text, err := w.root.Readlink(path)
		if err != nil {
			panic(err)
		}
		w.links[ino] = text
	}
	return w.links[ino]
}

func (w *fakeWorld) end() {
	for _, f := range w.open {
		if f != nil {
			f.Close()
		}
	}
}
