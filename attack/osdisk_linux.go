package attack

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// osDisk is the part of the kernel's disk that a scene lies on.
type osDisk struct {
	root        string // absolute, without symbolic links
	fd          int    // of root, O_PATH
	ownCanaries bool   // the canaries have an owner of their own: in a race, which cannot see a chown otherwise
	marker      *os.File
	ears        []*ear           // where the attacker hears the victim
	locks       []int            // descriptors by which he holds locks
	peers       map[uint64]bool  // sockets of the victim's that lead to him, by inode number
	built       map[string]state // of the parts of the scene
	touches     touchLog
	fresh       bool     // touches are told as they are now: guarded as they are
	dev         uint64   // of the scene's own file system
	aliased     bool     // a second mount leads to the scene
	spoilt      bool     // something has touched what every scene has: it must be made anew
	place       *osPlace // nil: a place of its own
	where       where
	// What was seen since the victim last ran, or the attacker last acted:
	// while the victim stands still nothing changes by itself. nil in a race,
	// where nobody stands still and several threads look.
	nodes map[string]node
	lists map[string][]string
}

// made is called when the attacker makes an entry. In its own place that
// concerns nothing else that was seen.
func (d *osDisk) made(name string) {
	if path.Dir(name) != dirAttic {
		d.forget()
	}
	delete(d.nodes, name)
	delete(d.nodes, dirAttic)
	delete(d.lists, dirAttic)
}

// forget is called when anything may have changed.
func (d *osDisk) forget() {
	if d.nodes != nil {
		d.fresh = false
	}
	clear(d.nodes)
	clear(d.lists)
}

func (d *osDisk) stat(name string) node {
	n, ok := d.nodes[name]
	if !ok {
		n = statAt(d.fd, name, unix.AT_SYMLINK_NOFOLLOW)
		d.keep(name, n)
	}
	return n
}

// keep remembers what was seen.
func (d *osDisk) keep(name string, n node) {
	if d.nodes != nil {
		d.nodes[name] = n
	}
}

const statMask = unix.STATX_BASIC_STATS | unix.STATX_BTIME

// statAt is called so often that the name must not cost an allocation.
func statAt(dirfd int, name string, flags int) node {
	var st unix.Statx_t
	var buf [256]byte
	if flags |= unix.AT_NO_AUTOMOUNT; len(name) < len(buf) {
		copy(buf[:], name)
		if _, _, errno := unix.Syscall6(unix.SYS_STATX, uintptr(dirfd), uintptr(unsafe.Pointer(&buf)), uintptr(flags), statMask, uintptr(unsafe.Pointer(&st)), 0); errno != 0 {
			return node{}
		}
	} else if unix.Statx(dirfd, name, flags, statMask, &st) != nil {
		return node{}
	}
	return nodeOf(&st)
}

func nodeOf(st *unix.Statx_t) node {
	return node{
		id:    id{uint64(st.Dev_major)<<32 | uint64(st.Dev_minor), st.Ino, st.Btime.Sec*1e9 + int64(st.Btime.Nsec)},
		typ:   typeBits(uint32(st.Mode)),
		perm:  uint32(st.Mode) & 0o7777,
		uid:   st.Uid,
		gid:   st.Gid,
		nlink: st.Nlink,
		size:  int64(st.Size),
		mtime: st.Mtime.Sec*1e9 + int64(st.Mtime.Nsec),
		ctime: st.Ctime.Sec*1e9 + int64(st.Ctime.Nsec),
		flags: st.Attributes & settable,
	}
}

// settable are the attributes in statx(2) that chattr(1) sets.
const settable = unix.STATX_ATTR_COMPRESSED | unix.STATX_ATTR_IMMUTABLE | unix.STATX_ATTR_APPEND | unix.STATX_ATTR_NODUMP

func typeBits(mode uint32) fs.FileMode {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return fs.ModeDir
	case unix.S_IFLNK:
		return fs.ModeSymlink
	case unix.S_IFIFO:
		return fs.ModeNamedPipe
	case unix.S_IFSOCK:
		return fs.ModeSocket
	case unix.S_IFBLK:
		return fs.ModeDevice
	case unix.S_IFCHR:
		return fs.ModeDevice | fs.ModeCharDevice
	}
	return 0
}

func (d *osDisk) abs(name string) string {
	if name == "" {
		return d.root + "/"
	}
	return d.root + "/" + name
}

func (d *osDisk) open(name string, flags int, perm uint32) (int, error) {
	fd, err := unix.Openat(d.fd, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, perm)
	return fd, pathError("open", name, err)
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// list is sorted: file systems have orders of their own.
func (d *osDisk) list(name string) ([]string, error) {
	if names, ok := d.lists[name]; ok {
		return names, nil
	}
	var names []string
	err := d.ours(name, func() (err error) {
		names, err = d.listed(name)
		return err
	})
	if err == nil && d.lists != nil {
		d.lists[name] = names
	}
	return names, err
}

func (d *osDisk) listed(name string) ([]string, error) {
	fd, err := d.open(name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var names []string
	buf := make([]byte, 4096)
	for {
		n, err := unix.Getdents(fd, buf)
		if err != nil {
			return nil, pathError("getdents", name, err)
		}
		if n == 0 {
			slices.Sort(names)
			return names, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

func (d *osDisk) blocks(name string, f func(at int64, b []byte)) (size int64, err error) {
	err = d.ours(name, func() (err error) {
		size, err = d.eachBlock(name, f)
		return err
	})
	return size, err
}

func (d *osDisk) eachBlock(name string, f func(at int64, b []byte)) (int64, error) {
	fd, err := d.open(name, unix.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	size, err := unix.Seek(fd, 0, unix.SEEK_END)
	if err != nil {
		return 0, pathError("lseek", name, err)
	}
	buf := make([]byte, min(size, blockSize))
	for at := int64(0); at < size; at += blockSize {
		if next, err := unix.Seek(fd, at, unix.SEEK_DATA); err == unix.ENXIO {
			break // a hole up to the end
		} else if err == nil {
			at = next &^ (blockSize - 1)
		}
		n, err := preadFull(fd, buf, at)
		if err != nil {
			return 0, pathError("read", name, err)
		}
		f(at, buf[:n])
	}
	return size, nil
}

// preadFull reads until the buffer is full or the file ends.
func preadFull(fd int, b []byte, at int64) (n int, err error) {
	for n < len(b) {
		m, err := unix.Pread(fd, b[n:], at+int64(n))
		if err != nil {
			return n, err
		}
		if m == 0 {
			break
		}
		n += m
	}
	return n, nil
}

func (d *osDisk) symlink(target, name string) error {
	defer d.made(name)
	return pathError("symlink", name, unix.Symlinkat(target, d.fd, name))
}

func (d *osDisk) link(old, name string) error {
	defer d.made(name)
	return pathError("link", name, d.ours(old, func() error { return unix.Linkat(d.fd, old, d.fd, name, 0) }))
}

func (d *osDisk) mkdir(name string, perm uint32) error {
	d.made(name)
	if err := unix.Mkdirat(d.fd, name, perm); err != nil {
		return pathError("mkdir", name, err)
	}
	return d.chmod(name, perm)
}

// chmod takes care that a new entry has its mode whatever the umask is.
func (d *osDisk) chmod(name string, perm uint32) error {
	if d.stat(name).perm == perm {
		return nil
	}
	d.forget()
	return pathError("chmod", name, unix.Fchmodat(d.fd, name, perm, 0))
}

func (d *osDisk) mkfifo(name string) error {
	d.made(name)
	if err := unix.Mknodat(d.fd, name, unix.S_IFIFO|0o666, 0); err != nil {
		return pathError("mkfifo", name, err)
	}
	return d.chmod(name, 0o666)
}

func (d *osDisk) mksock(name string) error {
	d.made(name)
	if err := unix.Mknodat(d.fd, name, unix.S_IFSOCK|0o777, 0); err != nil {
		return pathError("mknod", name, err)
	}
	return d.chmod(name, 0o777)
}

func (d *osDisk) write(name, data string, perm uint32) error {
	flags := unix.O_WRONLY | unix.O_TRUNC
	if perm != 0 {
		flags |= unix.O_CREAT | unix.O_EXCL
	}
	if perm == 0 {
		return d.ours(name, func() error { return d.put(name, data, flags, 0) })
	}
	return d.put(name, data, flags, perm)
}

func (d *osDisk) put(name, data string, flags int, perm uint32) error {
	if perm != 0 {
		d.made(name)
	} else {
		d.forget()
	}
	fd, err := d.open(name, flags, perm)
	if err != nil {
		return err
	}
	n, err := unix.Write(fd, []byte(data))
	if err == nil && n != len(data) {
		err = unix.ENOSPC
	}
	unix.Close(fd)
	if err != nil || perm == 0 {
		return pathError("write", name, err)
	}
	return d.chmod(name, perm)
}

func (d *osDisk) rename(old, name string) error {
	return pathError("rename", name, d.move(old, name, unix.RENAME_NOREPLACE))
}

func (d *osDisk) exchange(a, b string) error {
	return pathError("exchange", b, d.move(a, b, unix.RENAME_EXCHANGE))
}

// move renames. A directory that changes its parent must be writable for who
// moves it, which is a matter of the attic here and not of the attacker's
// powers: it would rename in place.
func (d *osDisk) move(a, b string, flags uint) error {
	defer d.forget()
	err := unix.Renameat2(d.fd, a, d.fd, b, flags)
	if err != unix.EACCES {
		return err
	}
	d.forget()
	na, nb := d.stat(a), d.stat(b)
	lift := func(name string, n node, perm uint32) {
		if n.isDir() && n.perm&0o200 == 0 {
			_ = unix.Fchmodat(d.fd, name, perm, 0)
		}
	}
	lift(a, na, na.perm|0o200)
	lift(b, nb, nb.perm|0o200)
	if err = unix.Renameat2(d.fd, a, d.fd, b, flags); err == nil {
		a, b = b, a
	}
	lift(a, na, na.perm)
	lift(b, nb, nb.perm)
	return err
}

func (d *osDisk) remove(name string) error {
	d.forget()
	err := unix.Unlinkat(d.fd, name, 0)
	if err == unix.EISDIR {
		err = unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR)
	}
	return pathError("remove", name, err)
}

// removeAll does not follow links. Directories that the victim made
// unreadable are opened first. What was seen is not forgotten: see clear.
func (d *osDisk) removeAll(name string) error {
	var err error = unix.EISDIR
	if !d.nodes[name].isDir() {
		if err = unix.Unlinkat(d.fd, name, 0); err == nil || err == unix.ENOENT {
			return nil
		}
	}
	if err == unix.EPERM { // or of the directory: an inode flag
		d.unflag(name, 0)
		d.unflag(path.Dir(name), 0)
		if err = unix.Unlinkat(d.fd, name, 0); err == nil {
			return nil
		}
	}
	if !d.stat(name).isDir() {
		return pathError("remove", name, err)
	}
	if err := unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR); err == nil {
		return nil
	}
	d.unflag(name, 0)
	if err := d.chmod(name, 0o700); err != nil {
		return err
	}
	list, err := d.list(name)
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := d.removeAll(path.Join(name, e)); err != nil {
			return err
		}
	}
	return pathError("rmdir", name, unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR))
}

func (d *osDisk) age(name string) error {
	ts := []unix.Timespec{unix.NsecToTimespec(oldTime), unix.NsecToTimespec(oldTime)}
	n, known := d.nodes[name]
	err := d.ours(name, func() error { return unix.UtimesNanoAt(d.fd, name, ts, unix.AT_SYMLINK_NOFOLLOW) })
	if !known {
		d.forget()
	}
	for other, o := range d.nodes { // and hard links to it
		if o.id == n.id {
			delete(d.nodes, other)
		}
	}
	return pathError("utimensat", name, err)
}
