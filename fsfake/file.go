package fsfake

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"sync"
	"syscall"
	"time"
)

// File is an open handle, an afero.File with the further methods of os.File.
// It outlives its name, and acts with the rights it was opened with. Its
// methods may be used at the same time.
type File struct {
	v       *FS
	node    *node
	name    string
	mu      sync.Mutex // guards off and next, and makes Read and Write one step
	off     int64
	next    uint32 // the position in a directory
	alive   uint32
	access  access
	closed  bool // guarded by node.mu
	blocked bool // the open would have waited
}

// usable tells whether the handle is open. The caller holds node.mu.
func (f *File) usable() error {
	switch {
	case f.closed:
		return os.ErrClosed
	case f.alive != f.v.disk.alive:
		return syscall.ESTALE
	}
	return nil
}

func (f *File) isClosed() bool {
	f.node.mu.RLock()
	defer f.node.mu.RUnlock()
	return f.closed
}

// Name gives the name as it was passed to the call that opened the file.
func (f *File) Name() string { return f.name }

func (f *File) fail(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

// Close ends the handle; a second call gives fs.ErrClosed.
func (f *File) Close() error {
	if f == nil {
		return os.ErrInvalid
	}
	if o := f.v.observed(); o != nil {
		return f.fail("close", o.run(&Op{Name: "close", FS: f.v, File: f, Path: f.name}, f.close))
	}
	return f.fail("close", f.close())
}

func (f *File) close() error {
	d, n := f.v.disk, f.node
	defer d.mu.RUnlock(d.mu.RLock())
	n.mu.Lock()
	defer n.mu.Unlock()
	if f.closed {
		return os.ErrClosed
	}
	f.closed = true
	n.close(f.alive)
	if f.alive == d.alive && n.attr.Load().nlink == 0 && !n.isOpen(d.alive) {
		d.forget(n)
	}
	return nil
}

// Read reads from the handle's position; at the end of the file it gives io.EOF.
func (f *File) Read(p []byte) (int, error) {
	if o := f.v.observed(); o != nil {
		return f.observeIO(o, &Op{Name: "read", Data: p, Offset: -1}, func(p []byte) (int, error) { return f.readNext(p) })
	}
	n, err := f.readNext(p)
	return n, f.fail("read", err)
}

func (f *File) readNext(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.pread(p, f.off)
	f.off += int64(n)
	return n, err
}

// ReadAt reads from an offset; fewer bytes than asked for come with io.EOF.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, f.fail("readat", errors.New("negative offset"))
	}
	var n int
	var err error
	if o := f.v.observed(); o != nil {
		n, err = f.observeIO(o, &Op{Name: "read", Data: p, Offset: off}, func(p []byte) (int, error) { return f.pread(p, off) })
	} else {
		n, err = f.pread(p, off)
		err = f.fail("read", err)
	}
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// pread is pread(2), with io.EOF for no bytes at the end.
func (f *File) pread(p []byte, off int64) (int, error) {
	d, n := f.v.disk, f.node
	defer d.mu.RUnlock(d.mu.RLock())
	n.mu.RLock()
	err := f.usable()
	switch {
	case err != nil:
	case f.access&canRead == 0:
		err = syscall.EBADF
	case n.isDir():
		err = syscall.EISDIR
	case n.typ != typeReg:
		err = io.EOF
	}
	if err != nil || len(p) == 0 {
		n.mu.RUnlock()
		return 0, err
	}
	m := 0
	a := n.attr.Load()
	if off < a.size {
		m = int(min(int64(len(p)), a.size-off))
		n.data.read(p[:m], off)
	}
	due := f.access&quietRead == 0 && !d.conf.readOnly && d.conf.atime != noatime && d.atimeDue(a)
	n.mu.RUnlock()
	if due {
		n.mu.Lock()
		d.edit(n).setStamp(atime, d.now())
		n.mu.Unlock()
	}
	if m == 0 {
		return 0, io.EOF
	}
	return m, nil
}

// Write writes at the handle's position, or at the end of the file if it was
// opened with os.O_APPEND.
func (f *File) Write(p []byte) (int, error) {
	if o := f.v.observed(); o != nil {
		return f.observeIO(o, &Op{Name: "write", Data: p, Offset: -1}, func(p []byte) (int, error) { return f.writeNext(p) })
	}
	n, err := f.writeNext(p)
	return n, f.fail("write", err)
}

func (f *File) writeNext(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, end, err := f.pwrite(p, f.off, f.access&canAppend != 0)
	if n > 0 {
		f.off = end
	}
	return n, err
}

var errAppendAt = errors.New("os: invalid use of WriteAt on file opened with O_APPEND")

// WriteAt writes at an offset. As with os.File, it is an error on a handle
// opened with os.O_APPEND.
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	if f.access&canAppend != 0 {
		return 0, errAppendAt
	}
	if off < 0 {
		return 0, f.fail("writeat", errors.New("negative offset"))
	}
	at := func(p []byte) (int, error) {
		n, _, err := f.pwrite(p, off, false)
		return n, err
	}
	if o := f.v.observed(); o != nil {
		return f.observeIO(o, &Op{Name: "write", Data: p, Offset: off}, at)
	}
	n, err := at(p)
	return n, f.fail("write", err)
}

// pwrite writes until all is written or something fails, as os.File does, and
// returns where it ended.
func (f *File) pwrite(p []byte, off int64, atEnd bool) (int, int64, error) {
	d, n := f.v.disk, f.node
	defer d.mu.RUnlock(d.mu.RLock())
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := f.usable(); err != nil {
		return 0, off, err
	}
	switch {
	case f.access&canWrite == 0:
		return 0, off, syscall.EBADF
	case n.typ != typeReg:
		return 0, off, syscall.EAGAIN // a FIFO that nobody reads
	case len(p) == 0:
		return 0, off, nil
	}
	if atEnd {
		off = n.attr.Load().size
	}
	if off == maxSize {
		return 0, off, syscall.EFBIG
	}
	a := d.edit(n)
	d.own(n)
	a.mode &^= f.v.cred.droppedByWrite(a.mode, a.gid)
	a.touch(d.now())
	done := 0
	for done < len(p) {
		m, err := d.write(n, a, p[done:], off)
		if err != nil {
			return done, off, err
		}
		done += m
		off += int64(m)
		if off == maxSize && done < len(p) {
			return done, off, syscall.EFBIG
		}
	}
	return done, off, nil
}

// WriteString is Write of a string.
func (f *File) WriteString(s string) (int, error) { return f.Write([]byte(s)) }

// Further values of whence for Seek, those of lseek(2) on Linux.
const (
	SeekData = 3 // the first byte at or after offset that is not in a hole; ENXIO if there is none
	SeekHole = 4 // the first byte at or after offset in a hole; the end of the file counts as one
)

// Seek sets the position of the next Read or Write. On a directory it sets the
// stream back to its start.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := f.seek(offset, whence)
	if err != nil {
		return 0, f.fail("seek", err)
	}
	f.off = at
	if f.node.isDir() {
		f.next = uint32(min(at, math.MaxUint32))
	}
	return at, nil
}

func (f *File) seek(offset int64, whence int) (int64, error) {
	d, n := f.v.disk, f.node
	defer d.mu.RUnlock(d.mu.RLock())
	n.mu.RLock()
	defer n.mu.RUnlock()
	if err := f.usable(); err != nil {
		return 0, err
	}
	if f.access&pathOnly != 0 {
		return 0, syscall.EBADF
	}
	if n.typ == typeFifo {
		return 0, syscall.ESPIPE
	}
	size := n.attr.Load().size
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += f.off
	case io.SeekEnd:
		offset += size
	case SeekData, SeekHole:
		if offset < 0 || offset >= size || n.typ != typeReg {
			return 0, syscall.ENXIO
		}
		at := n.data.seekData(offset, size, whence == SeekData)
		if at < 0 || at >= size && whence == SeekData {
			return 0, syscall.ENXIO
		}
		return min(at, size), nil
	default:
		return 0, syscall.EINVAL
	}
	if offset < 0 {
		return 0, syscall.EINVAL
	}
	return offset, nil
}

// Truncate sets the length of the file; EINVAL on a handle that cannot write.
func (f *File) Truncate(size int64) error {
	if size < 0 && f != nil && !f.isClosed() {
		return f.fail("truncate", syscall.EINVAL)
	}
	return f.change(Op{Name: "ftruncate", Offset: size}, "truncate", func(n *node) error {
		if n.typ != typeReg || f.access&canWrite == 0 {
			return syscall.EINVAL
		}
		f.v.resize(n, size, true)
		return nil
	})
}

// Chmod is fchmod(2).
func (f *File) Chmod(mode fs.FileMode) error {
	return f.change(Op{Name: "fchmod", Mode: mode}, "chmod", func(n *node) error {
		return f.v.setMode(n, permBits(mode))
	})
}

// Chown is fchown(2); -1 leaves an id as it is.
func (f *File) Chown(uid, gid int) error {
	return f.change(Op{Name: "fchown", UID: uid, GID: gid}, "chown", func(n *node) error {
		return f.v.setOwner(n, uid, gid)
	})
}

// Chtimes is futimens(3), with the arguments of FS.Chtimes.
func (f *File) Chtimes(atime, mtime time.Time) error {
	at, mt := timeArgOf(atime), timeArgOf(mtime)
	return f.change(Op{Name: "futimens", Atime: atime, Mtime: mtime}, "chtimes", func(n *node) error {
		if at.keep && mt.keep {
			return nil
		}
		return f.v.setTimes(n, at, mt)
	})
}

// Sync does nothing to an open file; what is written is there at once.
func (f *File) Sync() error {
	return f.change(Op{Name: "fsync"}, "sync", func(*node) error { return nil })
}

// change runs an operation on the handle's inode, with its lock held.
func (f *File) change(op Op, errOp string, change func(n *node) error) error {
	op.File, op.Path = f, f.name
	return f.fail(errOp, f.v.call(op, func() error { return f.onFile(change) }))
}
