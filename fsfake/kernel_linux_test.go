package fsfake_test

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tmpproof/tmpproof/fsfake"
)

// kernelWorld is a directory of a tmpfs, used by one locked thread that puts on
// one user after the other (setfsuid). With root's rights the thread is in a
// chroot; without, there is one user, and paths begin with base.
type kernelWorld struct {
	base  string
	users []account
	now   int // who the thread is
	open  [handles]int
	adds  [handles]bool // opened with O_APPEND
	whose [handles]int
	links map[uint64]string
	buf   []byte
}

const shm = "/dev/shm"

// tinySize bounds a disk.
type tinySize struct{ bytes, inodes int64 }

// tinySizes are less than a page, and a few pages; the directory of a run is an
// inode too.
var tinySizes = []tinySize{{1, 0}, {4097, 6}, {0, 4}, {40_000, 12}, {200_000, 0}}

func (s tinySize) options() []fsfake.Option {
	return []fsfake.Option{fsfake.Size(s.bytes), fsfake.Inodes(s.inodes)}
}

// onTmpfs runs f on a thread of its own that works in a new directory on tmpfs.
func onTmpfs(t testing.TB, f func(w *kernelWorld)) { onTmpfsOf(t, nil, f) }

// onTinyTmpfs is onTmpfs with a disk of that size, which root can mount.
func onTinyTmpfs(t testing.TB, size tinySize, f func(w *kernelWorld)) {
	if os.Getuid() == 0 {
		onTmpfsOf(t, &size, f)
	}
}

func onTmpfsOf(t testing.TB, size *tinySize, f func(w *kernelWorld)) {
	var fsinfo unix.Statfs_t
	if err := unix.Statfs(shm, &fsinfo); err != nil || fsinfo.Type != unix.TMPFS_MAGIC {
		t.Skipf("%s is not a tmpfs: %v", shm, err)
	}
	dir, err := os.MkdirTemp(shm, "fsfake-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	failed := make(chan any)
	go func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		defer func() { failed <- recover() }()
		w := &kernelWorld{base: dir, links: map[uint64]string{}, buf: make([]byte, 1<<17), users: accounts}
		for i := range w.open {
			w.open[i] = -1
		}
		check(unix.Unshare(unix.CLONE_FS))
		if size != nil { // gone with the thread
			check(unix.Unshare(unix.CLONE_NEWNS))
			check(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
			check(unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,nr_inodes=%d", size.bytes, size.inodes)))
		}
		check(unix.Chdir(dir))
		if os.Getuid() == 0 {
			check(unix.Chroot("."))
			w.base = ""
		} else {
			gid := os.Getgid()
			groups, _ := os.Getgroups()
			w.users = []account{{os.Getuid(), gid, groups, 0o027}}
			unix.Umask(0o027)
		}
		f(w)
		w.be(0)
		w.clear()
	}()
	if p := <-failed; p != nil {
		t.Fatal(p)
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// be makes the thread one of the users.
func (w *kernelWorld) be(user int) {
	if user == w.now || len(w.users) == 1 {
		return
	}
	u := w.users[user]
	if w.now != 0 {
		unix.SetfsuidRetUid(0)
	}
	groups := []uint32{0} // one place, so that there is an address
	for i, g := range u.groups {
		groups = append(groups[:i], uint32(g))
	}
	_, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(u.groups)), addressOf(groups), 0)
	if e != 0 {
		panic(e)
	}
	unix.SetfsgidRetGid(u.gid)
	unix.SetfsuidRetUid(u.uid)
	unix.Umask(int(u.umask))
	w.now = user
}

// reset empties the directory and gives it an owner and a mode.
func (w *kernelWorld) reset(mode uint32, uid, gid int) {
	w.end()
	w.be(0)
	w.clear()
	root := w.base + "/"
	check(unix.Chown(root, uid, gid))
	check(unix.Chmod(root, mode))
	check(unix.UtimesNanoAt(unix.AT_FDCWD, root, timespecs(call{n: -1, m: -1}), 0))
	clear(w.links)
}

func (w *kernelWorld) clear() {
	unix.Chmod(w.base+"/", 0o700)
	w.list(w.base+"/", func(name string) { w.remove(w.base + "/" + name) })
}

func (w *kernelWorld) remove(path string) {
	if err := unix.Unlink(path); err == unix.EISDIR {
		unix.Chmod(path, 0o700)
		w.list(path, func(name string) { w.remove(path + "/" + name) })
		check(unix.Rmdir(path))
	} else {
		check(err)
	}
}

// list calls f with the names in a directory, and leaves its access time where
// the thread may.
func (w *kernelWorld) list(path string, f func(name string)) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOATIME|unix.O_CLOEXEC, 0)
	check(err)
	names, err := w.dirents(fd)
	check(err)
	unix.Close(fd)
	for _, name := range names {
		f(name)
	}
}

func (w *kernelWorld) dirents(fd int) (names []string, err error) {
	for {
		n, err := unix.ReadDirent(fd, w.buf)
		if n <= 0 || err != nil {
			return names, err
		}
		_, _, names = unix.ParseDirent(w.buf[:n], -1, names)
	}
}

func (w *kernelWorld) end() {
	for i, fd := range w.open {
		if fd >= 0 {
			unix.Close(fd)
			w.open[i] = -1
		}
	}
}

func (w *kernelWorld) do(c call) result {
	w.be(c.user)
	n, s, err := w.run(c)
	if err != nil {
		if e, ok := err.(syscall.Errno); ok {
			return result{err: e}
		}
		return result{s: "no errno: " + err.Error()}
	}
	return result{n: n, s: s}
}

func (w *kernelWorld) run(c call) (int64, string, error) {
	a, b := c.a, c.b
	const cwd = unix.AT_FDCWD
	if wouldWait(kernelMode, c) {
		return 0, waits, nil
	}
	switch c.name {
	case "mkdir":
		return 0, "", unix.Mkdirat(cwd, a, c.mode)
	case "mknod":
		return 0, "", unix.Mknodat(cwd, a, c.mode, 0)
	case "symlink":
		return 0, "", unix.Symlinkat(b, cwd, a)
	case "link":
		return 0, "", unix.Linkat(cwd, a, cwd, b, 0)
	case "unlink":
		return 0, "", unix.Unlinkat(cwd, a, 0)
	case "rmdir":
		return 0, "", unix.Unlinkat(cwd, a, unix.AT_REMOVEDIR)
	case "rename":
		return 0, "", unix.Renameat2(cwd, a, cwd, b, uint(c.flag))
	case "chmod":
		return 0, "", unix.Fchmodat(cwd, a, c.mode, 0)
	case "chown":
		return 0, "", unix.Fchownat(cwd, a, int(c.n), int(c.m), 0)
	case "lchown":
		return 0, "", unix.Fchownat(cwd, a, int(c.n), int(c.m), unix.AT_SYMLINK_NOFOLLOW)
	case "utimens":
		return 0, "", unix.UtimesNanoAt(cwd, a, timespecs(c), 0)
	case "lutimens":
		return 0, "", unix.UtimesNanoAt(cwd, a, timespecs(c), unix.AT_SYMLINK_NOFOLLOW)
	case "truncate":
		return 0, "", unix.Truncate(a, c.n)
	case "access":
		return 0, "", access(a, c.mode)
	case "stat", "lstat":
		var s unix.Stat_t
		flags := 0
		if c.name == "lstat" {
			flags = unix.AT_SYMLINK_NOFOLLOW
		}
		if err := unix.Fstatat(cwd, a, &s, flags); err != nil {
			return 0, "", err
		}
		return s.Size, fmt.Sprint(goMode(s.Mode)), nil
	case "readlink":
		n, err := unix.Readlinkat(cwd, a, w.buf)
		if err != nil {
			return 0, "", err
		}
		return 0, string(w.buf[:n]), nil
	case "open":
		return w.openFile(c)
	case "statfs":
		var s unix.Statfs_t
		if err := unix.Statfs(a, &s); err != nil {
			return 0, "", err
		}
		return s.Bsize, roomText(int64(s.Blocks), int64(s.Bfree), int64(s.Files), int64(s.Ffree)), nil
	case "osremove":
		return osResult(os.Remove(a))
	case "osremoveall":
		return osRemoveAll(a, os.RemoveAll(a))
	case "osmkdirall":
		return osResult(os.MkdirAll(a, goMode(c.mode)))
	case "osrename":
		return osResult(os.Rename(a, b))
	case "oswritefile":
		return osResult(os.WriteFile(a, pattern(c.n&0xffff, c.m), goMode(c.mode)))
	case "osreadfile":
		if tooLong(kernelSize, a) {
			return 0, "too long to read", nil
		}
		data, err := os.ReadFile(a)
		if err != nil {
			return osResult(err)
		}
		return int64(len(data)), digest(data), nil
	case "osreaddir":
		f, err := os.Open(a)
		return osReadDir(c.flag > 0, f, err)
	}
	return w.runHandle(c)
}

func kernelMode(name string) (fs.FileMode, error) {
	var s unix.Stat_t
	err := unix.Stat(name, &s)
	return goMode(s.Mode), err
}

func kernelSize(name string) int64 {
	var s unix.Stat_t
	_ = unix.Stat(name, &s) // 0 if there is none
	return s.Size
}

func access(path string, mode uint32) error {
	p, err := unix.BytePtrFromString(path)
	if err != nil {
		return err
	}
	cwd := unix.AT_FDCWD
	_, _, e := unix.Syscall6(unix.SYS_FACCESSAT2, uintptr(cwd), pointer(p), uintptr(mode), unix.AT_EACCESS, 0, 0)
	runtime.KeepAlive(p)
	if e != 0 {
		return e
	}
	return nil
}

func timespecs(c call) []unix.Timespec {
	ts := make([]unix.Timespec, 2)
	for i, n := range []int64{c.n, c.m} {
		switch n {
		case -1:
			ts[i].Nsec = unix.UTIME_NOW
		case -2:
			ts[i].Nsec = unix.UTIME_OMIT
		default:
			ts[i] = unix.NsecToTimespec(n*1e9 + n%1000)
		}
	}
	return ts
}

func (w *kernelWorld) openFile(c call) (int64, string, error) {
	fd, err := unix.Open(c.a, c.flag|unix.O_CLOEXEC, c.mode)
	if err != nil {
		return 0, "", err
	}
	var s unix.Stat_t
	check(unix.Fstat(fd, &s))
	if old := w.open[c.handle]; old >= 0 {
		unix.Close(old)
		w.open[c.handle] = -1
	}
	if s.Mode&unix.S_IFMT == unix.S_IFIFO {
		unix.Close(fd)
		return 1, "", nil
	}
	w.open[c.handle], w.adds[c.handle], w.whose[c.handle] = fd, c.flag&unix.O_APPEND != 0, c.user
	return 0, "", nil
}

func (w *kernelWorld) runHandle(c call) (int64, string, error) {
	fd := w.open[c.handle]
	if fd < 0 {
		return 0, "no handle", nil
	}
	w.be(w.whose[c.handle])
	size := c.n & 0xffff
	switch c.name {
	case "osempty":
		if c.flag == 3 && w.adds[c.handle] { // which package os knows of files that it has opened
			return 0, appendAt, nil
		}
		return osEmpty(w.osFile(fd), c)
	case "close":
		w.open[c.handle] = -1
		return 0, "", unix.Close(fd)
	case "read":
		n, err := unix.Read(fd, w.buf[:size+1])
		n = max(n, 0)
		return int64(n), digest(w.buf[:n]), err
	case "pread":
		n, err := unix.Pread(fd, w.buf[:size+1], c.m)
		n = max(n, 0)
		return int64(n), digest(w.buf[:n]), err
	case "write":
		return whole(pattern(size, c.m), func(p []byte, _ int64) (int, error) { return unix.Write(fd, p) })
	case "pwrite":
		if w.adds[c.handle] {
			return 0, appendAt, nil
		}
		return whole(pattern(max(size, 1), c.m), func(p []byte, off int64) (int, error) { return unix.Pwrite(fd, p, c.m+off) })
	case "seek":
		var s unix.Stat_t
		if err := unix.Fstat(fd, &s); err != nil || s.Mode&unix.S_IFMT == unix.S_IFDIR {
			return 0, "directory", err
		}
		n, err := unix.Seek(fd, c.n, c.flag)
		return n, "", err
	case "ftruncate":
		return 0, "", unix.Ftruncate(fd, c.n)
	case "fchmod":
		return 0, "", unix.Fchmod(fd, c.mode)
	case "fchown":
		return 0, "", unix.Fchown(fd, int(c.n), int(c.m))
	case "readdir":
		if _, err := unix.Seek(fd, 0, 0); err != nil {
			return 0, "", err
		}
		names, err := w.dirents(fd)
		slices.Sort(names)
		return int64(len(names)), strings.Join(names, " "), err
	case "flink":
		if w.whose[c.handle] != 0 {
			return 0, notFirst, nil
		}
		return 0, "", unix.Linkat(fd, "", unix.AT_FDCWD, c.a, unix.AT_EMPTY_PATH)
	}
	panic("unknown call " + c.name)
}

// osFile is a handle as package os has it, on a descriptor of its own.
func (w *kernelWorld) osFile(fd int) *os.File {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	check(err)
	return os.NewFile(uintptr(own), "handle")
}

const appendAt = "no errno: os: invalid use of WriteAt on file opened with O_APPEND"

// whole writes on after a short write, as package os does.
func whole(p []byte, write func(p []byte, off int64) (int, error)) (int64, string, error) {
	for done := 0; ; {
		n, err := write(p[done:], int64(done))
		if done += max(n, 0); err != nil || done == len(p) {
			return int64(done), "", err
		}
	}
}

func (w *kernelWorld) tree() []object {
	user := w.now
	w.be(0)
	defer w.be(user)
	var list []object
	add := func(path string, s *unix.Stat_t) {
		o := object{path, s.Ino, s.Mode, s.Uid, s.Gid, uint64(s.Nlink), uint64(s.Rdev), s.Size, s.Blocks, "",
			time.Unix(s.Atim.Unix()), time.Unix(s.Mtim.Unix()), time.Unix(s.Ctim.Unix())}
		if s.Mode&unix.S_IFMT == unix.S_IFLNK && path[0] != '#' {
			if _, ok := w.links[s.Ino]; !ok {
				n, err := unix.Readlink(w.base+"/"+path, w.buf)
				check(err)
				w.links[s.Ino] = string(w.buf[:n])
			}
			o.target = w.links[s.Ino]
		}
		list = append(list, o)
	}
	var visit func(path string)
	visit = func(path string) {
		var s unix.Stat_t
		check(unix.Lstat(w.base+"/"+path, &s))
		add(path, &s)
		if s.Mode&unix.S_IFMT == unix.S_IFDIR {
			w.list(w.base+"/"+path, func(name string) { visit(strings.TrimPrefix(path+"/"+name, "/")) })
		}
	}
	visit("")
	for i, fd := range w.open {
		if fd >= 0 {
			var s unix.Stat_t
			check(unix.Fstat(fd, &s))
			add("#"+strconv.Itoa(i), &s)
		}
	}
	slices.SortFunc(list, func(a, b object) int { return cmp.Compare(a.path, b.path) })
	return list
}

// sysctl reads one of the kernel's fs.protected_* settings.
func sysctl(t testing.TB, name string) int {
	b, err := os.ReadFile("/proc/sys/fs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(string(bytes.TrimSpace(b)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sysctls gives the options that make a fake follow this kernel's settings.
func sysctls(t testing.TB) []fsfake.Option {
	opts := []fsfake.Option{
		fsfake.ProtectedRegular(sysctl(t, "protected_regular")),
		fsfake.ProtectedFIFOs(sysctl(t, "protected_fifos")),
	}
	if sysctl(t, "protected_symlinks") > 0 {
		opts = append(opts, fsfake.ProtectedSymlinks())
	}
	if sysctl(t, "protected_hardlinks") > 0 {
		opts = append(opts, fsfake.ProtectedHardlinks())
	}
	return opts
}
