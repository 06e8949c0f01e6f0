package fsfake

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/afero"
)

// FS is one user's view of a disk. It is an afero.Fs and an afero.Symlinker
// whose methods do what the functions of package os do, with the same errors,
// and has the system calls that afero lacks. A relative name is taken from the
// view's root. On Windows a backslash is a slash too and a drive letter is
// ignored, so paths made by path/filepath work.
type FS struct {
	disk    *Disk
	root    *node
	from    *node // where a relative name begins, if not at root
	cred    cred
	user    User
	umask   atomic.Uint32
	quiet   bool
	beneath bool
	cache   pathCache
}

var (
	_ afero.Fs        = (*FS)(nil)
	_ afero.Symlinker = (*FS)(nil)
	_ afero.File      = (*File)(nil)
)

// As gives a user's view of the disk. Views are cheap; each keeps its own cache
// of paths, so one that is used often is better kept.
func (d *Disk) As(u User) *FS {
	return d.view(&FS{disk: d, root: d.root, user: u})
}

func (d *Disk) view(v *FS) *FS {
	v.cred = newCred(v.user)
	v.umask.Store(uint32(v.user.Umask.Perm()))
	return v
}

// with makes another view like this one.
func (v *FS) with(change func(*FS)) *FS {
	n := &FS{disk: v.disk, root: v.root, from: v.from, user: v.User(), quiet: v.quiet, beneath: v.beneath}
	change(n)
	return v.disk.view(n)
}

// Disk gives the disk.
func (v *FS) Disk() *Disk { return v.disk }

// User gives the user, with the umask of the moment.
func (v *FS) User() User {
	u := v.user
	u.Umask = fs.FileMode(v.umask.Load())
	return u
}

// Quiet gives the same view, but for hooks, faults and the log, which do not
// see its operations. It is how a hook makes a move of its own.
func (v *FS) Quiet() *FS { return v.with(func(n *FS) { n.quiet = true }) }

// Umask sets the umask of the view and returns the one before.
func (v *FS) Umask(mask fs.FileMode) fs.FileMode {
	return fs.FileMode(v.umask.Swap(uint32(mask.Perm())))
}

// Sub gives a view whose root is a directory, as after chroot(2) to it: ".."
// and absolute symbolic links stay inside. The user needs search permission,
// but not, as for chroot, any privilege.
func (v *FS) Sub(dir string) (*FS, error) {
	n, err := v.directory(dir)
	if err != nil {
		return nil, pathError("chroot", dir, err)
	}
	return v.with(func(s *FS) { s.root, s.from = n, nil }), nil
}

// Root gives a view of a directory as os.OpenRoot does: every path that would
// leave it, by "..", an absolute name or a symbolic link, is an error.
func (v *FS) Root(dir string) (*FS, error) {
	n, err := v.directory(dir)
	if err != nil {
		return nil, pathError("open", dir, err)
	}
	return v.with(func(s *FS) { s.root, s.from, s.beneath = n, nil, true }), nil
}

func (v *FS) directory(name string) (*node, error) {
	var w walk
	w.begin(v, false)
	defer w.end()
	n, err := w.resolve(local(name)+"/.", true)
	if err != nil {
		return nil, err
	}
	return n, v.cred.may(n.dir.mode, n.dir.uid, n.dir.gid, mayExec)
}

// local turns a path of the host's form into one of the disk's.
func local(name string) string {
	if runtime.GOOS != "windows" {
		return name
	}
	return strings.TrimPrefix(filepath.ToSlash(name), filepath.ToSlash(filepath.VolumeName(name)))
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func linkError(op, oldname, newname string, err error) error {
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: op, Old: oldname, New: newname, Err: err}
}

// Name gives "fsfake".
func (v *FS) Name() string { return "fsfake" }

// Create is os.Create: OpenFile with O_RDWR|O_CREATE|O_TRUNC and mode 0666.
func (v *FS) Create(name string) (afero.File, error) {
	return v.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// Open is os.Open.
func (v *FS) Open(name string) (afero.File, error) {
	f, err := v.openFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// OpenFile is os.OpenFile, with every flag of package os and the O_ flags of
// this package. The file is a *File.
//
// A FIFO opens for reading and writing, or with O_NONBLOCK for reading; reads
// give io.EOF and writes EAGAIN, unless somebody reads it: see DrainFIFO. Where the kernel would wait for the other end
// the call fails with ENXIO, and hooks see Op.Blocked. A socket and a device
// give ENXIO: there is nothing behind them.
func (v *FS) OpenFile(name string, flag int, perm fs.FileMode) (afero.File, error) {
	f, err := v.openFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (v *FS) openFile(name string, flag int, perm fs.FileMode) (*File, error) {
	if o := v.observed(); o != nil {
		return v.watchedOpen(o, name, flag, perm)
	}
	if flag == os.O_RDONLY {
		if f := v.openToRead(name, local(name)); f != nil {
			return f, nil
		}
	}
	f, err := v.open(name, local(name), flag, permBits(perm))
	if err != nil {
		if err == errBlocked {
			err = syscall.ENXIO
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return f, nil
}

func (v *FS) watchedOpen(o *observers, name string, flag int, perm fs.FileMode) (*File, error) {
	op := &Op{Name: "open", FS: v, Path: name, Flag: flag, Mode: perm}
	err := o.run(op, func() error {
		if op.File != nil { // again, after EINTR
			_ = op.File.close()
			op.File = nil
		}
		f, err := v.open(name, local(name), flag, permBits(perm))
		if op.Blocked = err == errBlocked; op.Blocked {
			return syscall.ENXIO
		}
		op.File = f
		return err
	})
	if err != nil {
		if op.File != nil {
			_ = op.File.close()
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return op.File, nil
}

// Stat is os.Stat; the result is a *FileInfo.
func (v *FS) Stat(name string) (fs.FileInfo, error) { return v.statOp("stat", name, true) }

// Lstat is os.Lstat.
func (v *FS) Lstat(name string) (fs.FileInfo, error) { return v.statOp("lstat", name, false) }

// LstatIfPossible is Lstat, for afero.
func (v *FS) LstatIfPossible(name string) (fs.FileInfo, bool, error) {
	fi, err := v.Lstat(name)
	return fi, true, err
}

func (v *FS) statOp(op, name string, follow bool) (fs.FileInfo, error) {
	a, err := v.statRaw(op, name, follow)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return &FileInfo{name: base(name), a: a}, nil
}

// statRaw and the other raw operations return the errno alone.
func (v *FS) statRaw(op, name string, follow bool) (a *attr, err error) {
	if o := v.observed(); o != nil {
		err = o.run(&Op{Name: op, FS: v, Path: name}, func() (err error) {
			a, err = v.stat(local(name), follow)
			return err
		})
		return a, err
	}
	return v.stat(local(name), follow)
}

func (v *FS) stat(name string, follow bool) (*attr, error) {
	if e := v.cache.get(name, hashPath(name)); e != nil {
		if a, err := v.statCached(e, follow); a != nil || err != nil {
			return a, err
		}
	}
	var w walk
	w.begin(v, false)
	defer w.end()
	n, err := w.resolve(name, follow)
	if err != nil {
		return nil, err
	}
	return n.stat(), nil
}

// statCached gives the attributes of a cached path, without a lock: they were
// given out before, so nobody writes them, and if the entry holds afterwards it
// did when they were looked up. Otherwise it gives nothing.
func (v *FS) statCached(e *cachedPath, follow bool) (*attr, error) {
	n := e.node
	if n == nil {
		if e.holds(v.disk) {
			return nil, syscall.ENOENT
		}
		return nil, nil
	}
	if follow && n.isLink() {
		return nil, nil
	}
	if a := n.attr.Load(); a.shared.Load() && e.holds(v.disk) {
		return a, nil
	}
	return nil, nil
}

// identity is what the compound operations want of a stat. Attributes that are
// given out cannot be used again, so where nobody watches they are not.
type identity struct {
	ino      uint64
	dev, typ uint32
}

func (a *attr) identity() identity { return identity{a.ino, a.dev, a.typ()} }

func (v *FS) identify(op, name string, follow bool) (id identity, err error) {
	if v.observed() != nil {
		a, err := v.statRaw(op, name, follow)
		if err != nil {
			return id, err
		}
		return a.identity(), nil
	}
	path := local(name)
	if e := v.cache.get(path, hashPath(path)); e != nil && e.holds(v.disk) {
		switch n := e.node; {
		case n == nil:
			return id, syscall.ENOENT
		case n.isDir(): // whose node no other inode gets
			return identity{n.first.ino, n.first.dev, typeDir}, nil
		}
	}
	var w walk
	w.begin(v, false)
	defer w.end()
	n, err := w.resolve(path, follow)
	if err == nil {
		n.lock()
		id = n.attr.Load().identity()
		n.unlock()
	}
	return id, err
}

// base is the last element of a name, as FileInfo.Name has it.
func base(name string) string {
	name = local(name)
	for len(name) > 1 && name[len(name)-1] == '/' {
		name = name[:len(name)-1]
	}
	if i := strings.LastIndexByte(name, '/'); i >= 0 && len(name) > 1 {
		name = name[i+1:]
	}
	return name
}

// call runs an operation, before the eyes of whoever watches.
func (v *FS) call(op Op, do func() error) error {
	if o := v.observed(); o != nil {
		return v.watched(o, op, do)
	}
	return do()
}

// watched is apart so that op is on the heap only when it is needed.
func (v *FS) watched(o *observers, op Op, do func() error) error {
	op.FS = v
	return o.run(&op, do)
}

// Mkdir is os.Mkdir.
func (v *FS) Mkdir(name string, perm fs.FileMode) error {
	return pathError("mkdir", name, v.mkdirRaw(name, perm))
}

func (v *FS) mkdirRaw(name string, perm fs.FileMode) error {
	if v.observed() == nil { // spares the Op, as in the other frequent ones
		return v.mkdir(local(name), permBits(perm))
	}
	return v.call(Op{Name: "mkdir", Path: name, Mode: perm}, func() error {
		return v.mkdir(local(name), permBits(perm))
	})
}

// Chmod is os.Chmod.
func (v *FS) Chmod(name string, mode fs.FileMode) error {
	return pathError("chmod", name, v.call(Op{Name: "chmod", Path: name, Mode: mode}, func() error {
		return v.onPath(local(name), true, true, func(n *node) error { return v.setMode(n, permBits(mode)) })
	}))
}

// Chown is os.Chown; -1 leaves an id as it is.
func (v *FS) Chown(name string, uid, gid int) error { return v.chownOp("chown", name, uid, gid, true) }

// Lchown is os.Lchown: of a symbolic link itself.
func (v *FS) Lchown(name string, uid, gid int) error {
	return v.chownOp("lchown", name, uid, gid, false)
}

func (v *FS) chownOp(op, name string, uid, gid int, follow bool) error {
	return pathError(op, name, v.call(Op{Name: op, Path: name, UID: uid, GID: gid}, func() error {
		return v.onPath(local(name), follow, true, func(n *node) error { return v.setOwner(n, uid, gid) })
	}))
}

// Chtimes is os.Chtimes; a zero time leaves that time as it is.
func (v *FS) Chtimes(name string, atime, mtime time.Time) error {
	return v.timesOp("utimens", "chtimes", name, atime, mtime, true)
}

// UtimesNano is utimensat(2): Chtimes with TimeNow and TimeOmit, and without
// follow of a symbolic link itself.
func (v *FS) UtimesNano(name string, atime, mtime time.Time, follow bool) error {
	if follow {
		return v.timesOp("utimens", "utimensat", name, atime, mtime, true)
	}
	return v.timesOp("lutimens", "utimensat", name, atime, mtime, false)
}

func (v *FS) timesOp(op, errOp, name string, atime, mtime time.Time, follow bool) error {
	at, mt := timeArgOf(atime), timeArgOf(mtime)
	return pathError(errOp, name, v.call(Op{Name: op, Path: name, Atime: atime, Mtime: mtime}, func() error {
		if hasNUL(name) {
			return syscall.EINVAL
		}
		if at.keep && mt.keep {
			return nil // the kernel does not look at the path
		}
		return v.onPath(local(name), follow, false, func(n *node) error { return v.setTimes(n, at, mt) })
	}))
}
