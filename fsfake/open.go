package fsfake

import (
	"errors"
	"os"
	"strings"
	"syscall"
)

// access is what a handle may do, and how it was asked for.
type access uint8

const (
	canRead access = 1 << iota
	canWrite
	canAppend
	pathOnly
	quietRead // O_NOATIME
	nonblock
)

// errBlocked stands for an open that waits.
var errBlocked = errors.New("would wait")

func hasNUL(s string) bool { return strings.IndexByte(s, 0) >= 0 }

// openFlags is an open call's flags, taken apart.
type openFlags struct {
	access
	want                                  uint32 // permission needed
	create, excl, trunc, follow, dir, tmp bool
}

func parseFlags(flag int) (openFlags, error) {
	if flag == os.O_RDONLY { // the most frequent one
		return openFlags{access: canRead, want: mayRead, follow: true}, nil
	}
	var f openFlags
	if flag&os.O_APPEND != 0 {
		f.access = canAppend
	}
	if flag&O_PATH == O_PATH {
		f.access |= pathOnly
		f.dir = flag&O_DIRECTORY == O_DIRECTORY
		f.follow = flag&O_NOFOLLOW == 0
		return f, nil
	}
	switch flag & 3 {
	case os.O_RDONLY:
		f.access |= canRead
		f.want = mayRead
	case os.O_WRONLY:
		f.access |= canWrite
		f.want = mayWrite
	case os.O_RDWR:
		f.access |= canRead | canWrite
		f.want = mayRead | mayWrite
	default: // the permissions of both, the powers of neither
		f.want = mayRead | mayWrite
	}
	f.create = flag&os.O_CREATE != 0
	f.excl = f.create && flag&os.O_EXCL != 0
	f.trunc = flag&os.O_TRUNC != 0
	f.dir = flag&O_DIRECTORY != 0
	f.follow = flag&O_NOFOLLOW == 0 && !f.excl
	if f.trunc {
		f.want |= mayWrite
	}
	if flag&O_NOATIME != 0 {
		f.access |= quietRead
	}
	if flag&O_NONBLOCK != 0 {
		f.access |= nonblock
	}
	const tmpfileBit = O_TMPFILE &^ O_DIRECTORY
	if f.tmp = flag&tmpfileBit != 0; f.tmp {
		if !f.dir || f.create || f.want&mayWrite == 0 || flag&3 == os.O_RDONLY {
			return f, syscall.EINVAL
		}
		f.excl = flag&os.O_EXCL != 0
	} else if f.create && f.dir {
		return f, syscall.EINVAL
	}
	return f, nil
}

// open is open(2). name is what the file is to be called, path where it is; mode
// has the permission bits of a new one.
func (v *FS) open(name, path string, flag int, mode uint32) (*File, error) {
	how, err := parseFlags(flag)
	if err != nil {
		return nil, err
	}
	if e := v.cache.get(path, hashPath(path)); e != nil && e.node != nil && e.dir != nil && e.node.typ == typeReg && !how.tmp {
		if f, err := v.openCached(e, name, &how); f != nil || err != nil {
			return f, err
		}
	}
	var w walk
	w.begin(v, false)
	defer w.end()
	return v.openWalk(&w, name, path, &how, mode)
}

// openToRead is the most frequent open: of a file whose path is cached, to read. It
// gives nothing for all others.
func (v *FS) openToRead(name, path string) (f *File) {
	e := v.cache.get(path, hashPath(path))
	if e == nil || e.node == nil || e.node.typ != typeReg {
		return nil
	}
	n := e.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.holds(v.disk) {
		if a := n.attr.Load(); v.cred.may(a.mode, a.uid, a.gid, mayRead) == nil {
			f = n.open(v, name, canRead)
		}
	}
	return f
}

// openCached opens the file of a cached path; it gives nothing if the entry holds
// no longer. To read, it need not know more than what the file's lock guards.
func (v *FS) openCached(e *cachedPath, name string, how *openFlags) (f *File, err error) {
	n, d := e.node, v.disk
	if how.want != mayRead || how.create {
		defer d.mu.RUnlock(d.mu.RLock())
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.holds(d) {
		f, err = v.openLocked(e.dir, n, name, how)
	}
	return f, err
}

// openLocked opens an inode that exists. Its lock is held.
func (v *FS) openLocked(dir, n *node, name string, how *openFlags) (*File, error) {
	if err := v.mayOpen(dir, n, how); err != nil {
		return nil, err
	}
	if how.trunc && n.typ == typeReg {
		v.resize(n, 0, true)
	}
	return n.open(v, name, how.access), nil
}

// openWalk finds or makes the inode to open.
func (v *FS) openWalk(w *walk, name, path string, how *openFlags, mode uint32) (*File, error) {
	var n *node
	isNew := true
	var err error
	if how.tmp {
		n, err = v.openUnnamed(w, path, how, mode)
	} else {
		n, isNew, err = w.target(path, how, mode)
	}
	switch {
	case err != nil:
		return nil, err
	case isNew: // nobody else can have found it
		return n.open(v, name, how.access), nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.isDir() {
		n.dir.mu.Lock()
		defer n.dir.mu.Unlock()
	}
	return v.openLocked(w.dir, n, name, how)
}

// target finds the inode to open, following links, or creates it. The directory
// of its name stays locked.
func (w *walk) target(path string, how *openFlags, mode uint32) (n *node, created bool, err error) {
	if err := w.parent(path); err != nil {
		return nil, false, err
	}
	d := w.v.disk
	for {
		if w.kind != lastName {
			n, err := w.special()
			return n, false, err
		}
		if w.slash {
			if how.create {
				return nil, false, syscall.EISDIR
			}
			how.follow, how.dir = true, true
		}
		if how.create {
			w.lock()
		} else {
			w.hold()
		}
		if len(w.last) > maxName {
			return nil, false, syscall.ENAMETOOLONG
		}
		n := w.dir.dir.get(d.conf().fold, w.last)
		if n == nil {
			if !how.create {
				w.remember(path, nil)
				return nil, false, syscall.ENOENT
			}
			if w.dir.dir.dead {
				return nil, false, syscall.ENOENT
			}
			if d.conf().readOnly {
				return nil, false, syscall.EROFS
			}
			if err := w.mayCreate(); err != nil {
				return nil, false, err
			}
			n, err := d.create(&w.v.cred, w.dir, clip(w.last, path), typeReg|w.v.newMode(w.dir, mode), 0, "")
			return n, err == nil, err
		}
		if !n.isLink() || !how.follow {
			w.remember(path, n)
			return n, false, nil
		}
		w.release()
		w.unlock()
		target, err := w.follow(n, true)
		if err != nil {
			return nil, false, err
		}
		if err := w.run(target); err != nil {
			return nil, false, err
		}
	}
}

// mayOpen checks an open of an existing inode, in the order of do_open and
// may_open of the kernel. The caller holds the inode's lock, but maybe not the
// directory's.
func (v *FS) mayOpen(dir, n *node, how *openFlags) error {
	c := &v.cred
	if how.create {
		switch {
		case how.excl:
			return errExist
		case n.isDir():
			return syscall.EISDIR
		}
		if err := v.mayAdopt(dir, n); err != nil {
			return err
		}
	}
	if how.dir && !n.isDir() {
		return syscall.ENOTDIR
	}
	if how.access&pathOnly != 0 {
		return nil
	}
	readOnly := how.want&mayWrite != 0 && v.disk.conf().readOnly
	switch {
	case n.typ == typeReg && how.trunc && readOnly:
		return syscall.EROFS
	case n.isLink():
		return syscall.ELOOP
	case n.isDir() && how.want&mayWrite != 0:
		return syscall.EISDIR
	case readOnly && (n.typ == typeReg || n.isDir()):
		return syscall.EROFS
	}
	if err := n.check(c, how.want); err != nil {
		return err
	}
	if how.access&quietRead != 0 && !c.owns(n.attr.Load().uid) {
		return errPerm
	}
	switch n.typ {
	case typeSock, typeChr, typeBlk:
		return syscall.ENXIO
	case typeFifo:
		// The kernel waits where O_NONBLOCK is not given.
		rw := how.access & (canRead | canWrite)
		switch {
		case rw != 0 && n.drained() != nil: // the other end is open
		case rw == 0:
			return syscall.EINVAL
		case rw == canRead|canWrite, rw == canRead && how.access&nonblock != 0:
		case how.access&nonblock != 0:
			return syscall.ENXIO
		default:
			return errBlocked
		}
	}
	return nil
}

// mayAdopt is the rule of fs.protected_regular and fs.protected_fifos for an
// O_CREATE open of what exists.
func (v *FS) mayAdopt(in, n *node) error {
	dir, conf := in.dir, v.disk.conf()
	level, owner := 1, n.attr.Load().uid
	switch n.typ {
	case typeReg:
		level = conf.protectedRegular
	case typeFifo:
		level = conf.protectedFIFOs
	}
	switch {
	case dir.mode&bitSticky == 0, level == 0, owner == dir.uid, owner == v.cred.uid:
		return nil
	case dir.mode&0o002 != 0, dir.mode&0o020 != 0 && level >= 2 && (n.typ == typeReg || n.typ == typeFifo):
		return errAccess
	}
	return nil
}

// openUnnamed is open with O_TMPFILE: a file in the directory's group that has
// no name.
func (v *FS) openUnnamed(w *walk, path string, how *openFlags, mode uint32) (*node, error) {
	dir, err := w.resolve(path, how.follow)
	if err != nil {
		return nil, err
	}
	switch {
	case !dir.isDir():
		return nil, syscall.ENOTDIR
	case v.disk.conf().readOnly:
		return nil, syscall.EROFS
	}
	if err := v.cred.may(dir.dir.mode, dir.dir.uid, dir.dir.gid, mayWrite|mayExec); err != nil {
		return nil, err
	}
	d := v.disk
	if !d.takeInode() {
		return nil, syscall.ENOSPC
	}
	n := d.inherit(&v.cred, dir, typeReg|v.newMode(dir, mode), d.now())
	n.first.nlink = 0
	n.linkable = !how.excl
	n.lost(d.alive.Load())
	d.usage.orphanInodes.Add(1)
	return n, nil
}
