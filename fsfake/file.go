package fsfake

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"syscall"
	"time"
)

// File is an open handle, an afero.File with the further methods of os.File.
// It outlives its name, and acts with the rights it was opened with. Its
// methods may be used at the same time.
type File struct {
	v    *FS
	name string
	h    *handle // whose file is another one, or none, after Close
}

// handle is the state of an open File, all but node guarded by node.mu. It stays
// with its inode: when the file is closed it serves the next one that is opened
// there, so that a File alone is all that opening costs.
type handle struct {
	node   *node
	file   *File   // whose handle it is; nil: nobody's
	free   *handle // the next one that no file has
	off    int64
	next   uint32 // the position in a directory
	alive  uint32 // the disk's generation
	access access
	reads  uint8 // counts them
}

// usable tells whether the file is open, and the disk still knows it. node.mu is
// held.
func (f *File) usable() error {
	switch {
	case f.h.file != f:
		return os.ErrClosed
	case f.h.alive != f.v.disk.alive.Load():
		return syscall.ESTALE
	}
	return nil
}

// begin starts an operation on the handle, beside others on the disk; end
// closes it.
func (f *File) begin() (h *handle, shard int, err error) {
	shard = f.v.disk.mu.RLock()
	h = f.h
	h.node.mu.Lock()
	if err = f.usable(); err != nil {
		f.end(h, shard)
	}
	return h, shard, err
}

func (f *File) end(h *handle, shard int) {
	h.node.mu.Unlock()
	f.v.disk.mu.RUnlock(shard)
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
	h := f.h
	n := h.node
	n.mu.Lock()
	if h.file != f {
		n.mu.Unlock()
		return os.ErrClosed
	}
	alive := h.alive
	gone := n.close(h)
	n.mu.Unlock()
	if gone {
		f.v.disk.closed(n, alive)
	}
	return nil
}

// Read reads from the handle's position; at the end of the file it gives io.EOF.
func (f *File) Read(p []byte) (int, error) {
	if len(p) == 0 && f.isOpen() {
		return 0, nil // package os makes no call
	}
	if o := f.v.observed(); o != nil {
		return f.observeIO(o, "read", p, -1, func(p []byte, _ int64) (int, error) { return f.readNext(p) })
	}
	n, err := f.readNext(p)
	return n, f.fail("read", err)
}

func (f *File) readNext(p []byte) (int, error) { return f.pread(p, 0, true) }

// ReadAt reads from an offset; fewer bytes than asked for come with io.EOF.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, f.fail("readat", errors.New("negative offset"))
	}
	if len(p) == 0 {
		return 0, nil // package os makes no call
	}
	var n int
	var err error
	if o := f.v.observed(); o != nil {
		n, err = f.observeIO(o, "read", p, off, f.readFrom)
	} else {
		n, err = f.readFrom(p, off)
		err = f.fail("read", err)
	}
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (f *File) readFrom(p []byte, off int64) (int, error) { return f.pread(p, off, false) }

// pread reads from off, or from the position if that moves. A read that does not
// set the access time needs nothing but the file's lock.
func (f *File) pread(p []byte, off int64, moves bool) (int, error) {
	d, n := f.v.disk, f.h.node
	conf := d.conf()
	if m, done, err := f.preadAlone(conf, p, off, moves); done {
		return m, err
	}
	defer d.mu.RUnlock(d.mu.RLock())
	n.mu.Lock()
	defer n.mu.Unlock()
	m, _, err := f.preadLocked(d.conf(), p, off, moves, true)
	return m, err
}

// preadAlone is pread under the file's lock alone, if that will do.
func (f *File) preadAlone(conf *config, p []byte, off int64, moves bool) (m int, done bool, err error) {
	f.h.node.mu.Lock()
	defer f.h.node.mu.Unlock()
	if f.v.disk.gen.Load()&1 != 0 {
		return 0, false, nil
	}
	return f.preadLocked(conf, p, off, moves, false)
}

// preadLocked is pread(2), with io.EOF for no bytes at the end. It is not done if
// it would have to set the access time and may not.
func (f *File) preadLocked(conf *config, p []byte, off int64, moves, touch bool) (m int, done bool, err error) {
	if err := f.usable(); err != nil {
		return 0, true, err
	}
	h := f.h
	n := h.node
	switch {
	case h.access&canRead == 0:
		return 0, true, syscall.EBADF
	case n.isDir():
		return 0, true, syscall.EISDIR
	case n.typ != typeReg:
		return 0, true, io.EOF
	case len(p) == 0:
		return 0, true, nil
	}
	d := f.v.disk
	a := n.attr.Load()
	if h.access&quietRead == 0 && !conf.readOnly && conf.atime != noatime && d.atimeDue(conf, a, uint32(h.reads)+1) {
		if !touch {
			return 0, false, nil
		}
		a = d.edit(n)
		a.setStamp(atime, d.now())
	}
	h.reads++
	if moves {
		off = h.off
	}
	if off >= a.size {
		return 0, true, io.EOF
	}
	m = int(min(int64(len(p)), a.size-off))
	n.data.read(p[:m], off)
	if moves {
		h.off += int64(m)
	}
	return m, true, nil
}

// Write writes at the handle's position, or at the end of the file if it was
// opened with os.O_APPEND.
func (f *File) Write(p []byte) (int, error) {
	if o := f.v.observed(); o != nil {
		return f.observeIO(o, "write", p, -1, func(p []byte, _ int64) (int, error) { return f.writeNext(p) })
	}
	n, err := f.writeNext(p)
	return n, f.fail("write", err)
}

func (f *File) writeNext(p []byte) (int, error) {
	h, shard, err := f.begin()
	if err != nil {
		return 0, err
	}
	defer f.end(h, shard)
	n, end, err := f.v.pwrite(h, p, h.off, h.access&canAppend != 0)
	if n > 0 {
		h.off = end
	}
	return n, err
}

var errAppendAt = errors.New("os: invalid use of WriteAt on file opened with O_APPEND")

// WriteAt writes at an offset. As with os.File, it is an error on a handle
// opened with os.O_APPEND.
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	if f.appends() {
		return 0, errAppendAt
	}
	if off < 0 {
		return 0, f.fail("writeat", errors.New("negative offset"))
	}
	if len(p) == 0 {
		return 0, nil // package os makes no call
	}
	if o := f.v.observed(); o != nil {
		return f.observeIO(o, "write", p, off, f.writeTo)
	}
	n, err := f.writeTo(p, off)
	return n, f.fail("write", err)
}

func (f *File) isOpen() bool {
	n := f.h.node
	n.mu.Lock()
	defer n.mu.Unlock()
	return f.h.file == f
}

// appends tells whether the file is open with os.O_APPEND.
func (f *File) appends() bool {
	n := f.h.node
	n.mu.Lock()
	defer n.mu.Unlock()
	return f.h.file == f && f.h.access&canAppend != 0
}

func (f *File) writeTo(p []byte, off int64) (int, error) {
	h, shard, err := f.begin()
	if err != nil {
		return 0, err
	}
	defer f.end(h, shard)
	n, _, err := f.v.pwrite(h, p, off, false)
	return n, err
}

// pwrite writes until all is written or something fails, as os.File does, and
// returns where it ended. The inode's lock is held.
func (v *FS) pwrite(h *handle, p []byte, off int64, atEnd bool) (int, int64, error) {
	n := h.node
	switch {
	case h.access&canWrite == 0:
		return 0, off, syscall.EBADF
	case n.drained() != nil:
		n.drained().Add(int64(len(p)))
		return len(p), off, nil
	case n.typ != typeReg:
		return 0, off, syscall.EAGAIN // a FIFO that nobody reads
	case len(p) == 0:
		return 0, off, nil
	}
	d := v.disk
	if atEnd {
		off = n.attr.Load().size
	}
	if off == maxSize {
		return 0, off, syscall.EFBIG
	}
	a := d.edit(n)
	d.own(n)
	a.mode &^= v.cred.droppedByWrite(a.mode, a.gid)
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
	h, shard, err := f.begin()
	if err != nil {
		return 0, f.fail("seek", err)
	}
	defer f.end(h, shard)
	at, err := h.seek(offset, whence)
	if err != nil {
		return 0, f.fail("seek", err)
	}
	h.off = at
	if h.node.isDir() {
		h.next = uint32(min(at, math.MaxUint32))
	}
	return at, nil
}

func (h *handle) seek(offset int64, whence int) (int64, error) {
	n := h.node
	if h.access&pathOnly != 0 {
		return 0, syscall.EBADF
	}
	if n.typ == typeFifo {
		return 0, syscall.ESPIPE
	}
	if n.isDir() {
		n.lock()
		defer n.unlock()
	}
	size := n.attr.Load().size
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += h.off
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
	if size < 0 && f.isOpen() { // even where there is nothing to truncate
		return f.fail("truncate", syscall.EINVAL)
	}
	return f.change(Op{Name: "ftruncate", Offset: size}, "truncate", func(h *handle) error {
		if h.node.typ != typeReg || h.access&canWrite == 0 {
			return syscall.EINVAL
		}
		f.v.resize(h.node, size, true)
		return nil
	})
}

// Chmod is fchmod(2).
func (f *File) Chmod(mode fs.FileMode) error {
	return f.change(Op{Name: "fchmod", Mode: mode}, "chmod", func(h *handle) error {
		return f.v.setMode(h.node, permBits(mode))
	})
}

// Chown is fchown(2); -1 leaves an id as it is.
func (f *File) Chown(uid, gid int) error {
	return f.change(Op{Name: "fchown", UID: uid, GID: gid}, "chown", func(h *handle) error {
		return f.v.setOwner(h.node, uid, gid)
	})
}

// Chtimes is futimens(3), with the arguments of FS.Chtimes.
func (f *File) Chtimes(atime, mtime time.Time) error {
	at, mt := timeArgOf(atime), timeArgOf(mtime)
	return f.change(Op{Name: "futimens", Atime: atime, Mtime: mtime}, "chtimes", func(h *handle) error {
		if at.keep && mt.keep {
			return nil
		}
		return f.v.setTimes(h.node, at, mt)
	})
}

// Sync does nothing to an open file; what is written is there at once.
func (f *File) Sync() error {
	return f.change(Op{Name: "fsync"}, "sync", func(*handle) error { return nil })
}

// change runs an operation on the handle, with its inode's lock held.
func (f *File) change(op Op, errOp string, change func(h *handle) error) error {
	op.File, op.Path = f, f.name
	return f.fail(errOp, f.v.call(op, func() error { return f.onFile(change) }))
}
