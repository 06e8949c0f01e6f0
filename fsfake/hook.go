package fsfake

import (
	"io/fs"
	"path"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// Op is one operation on a disk, of the size of a system call: FS.MkdirAll, for
// example, is a row of stat and mkdir. Hooks, faults and the log see it.
// Fields that an operation does not have are zero.
//
//	stat lstat readlink rmdir unlink       Path
//	open                                   Path Flag Mode; File after success
//	mkdir mknod                            Path Mode Dev
//	symlink                                Path (the link), NewPath (what it says)
//	link rename                            Path NewPath Flag
//	chmod chown lchown utimens lutimens    Path and Mode, UID GID, Atime Mtime
//	truncate access statfs                 Path and Offset, Mode
//	read write                             File Path Data Offset (-1: the position); N
//	readdir                                File Path Offset (entries asked for, 0 or less: all); N
//	close fsync fstat fchmod fchown futimens ftruncate flink   File Path ...
type Op struct {
	Name    string
	FS      *FS   // the view, and so the user
	File    *File // the handle
	Dir     *File // the open directory in which the last name of Path is looked up, as RemoveAll does; nil: Path is walked
	Path    string
	NewPath string
	Flag    int
	Mode    fs.FileMode
	Dev     uint64
	UID     int
	GID     int
	Atime   time.Time
	Mtime   time.Time
	Data    []byte // valid during the hook only
	Offset  int64

	N   int   // bytes read or written, entries listed
	Err error // the result, an errno; nil for success

	// Blocked is set after an open that the kernel would have let wait, for
	// ever if nobody comes: of a FIFO without its other end. Here it fails with
	// ENXIO.
	Blocked bool

	// Panicked is set after an operation that did not come to its end: its
	// goroutine panicked, in a later hook, in the disk's clock or by a defect
	// of this package, or ended. After is then called for the hooks whose
	// Before has returned.
	Panicked bool

	short    int // write no more than this, and then fail with shortErr
	shortErr error
	cut      bool // short without an error
	late     error
}

// Shorten, called from Before, has a write write n bytes of its data, 1 at
// least, and report no error, as a disk may. What is left follows as a further
// operation: package os goes on with it.
func (op *Op) Shorten(n int) {
	if op.Name == "write" && n > 0 && n < len(op.Data) {
		op.short, op.cut = n, true
	}
}

// Hook is called around every operation, on the goroutine that does it and with
// no lock held, so it may use the disk. Operations that a hook does through a
// view with FS.Quiet are not seen by hooks. Either function may be nil.
type Hook struct {
	// Before may refuse the operation: a non-nil error, normally a
	// syscall.Errno, becomes its result and nothing happens.
	Before func(op *Op) error
	// After sees the result. An Err that it sets is what the caller gets,
	// though the operation was carried out: as of a close.
	After func(op *Op)
}

// observers is what watches a disk. It is never changed, only replaced.
type observers struct {
	hooks  []*Hook
	faults []*fault
}

// Hook adds a hook; the returned function takes it off. Hooks run in the order
// they were added, after the faults have been looked at.
func (d *Disk) Hook(h Hook) (remove func()) {
	p := &h
	d.observe(func(o *observers) { o.hooks = append(o.hooks, p) })
	return func() {
		d.observe(func(o *observers) {
			o.hooks = slices.DeleteFunc(o.hooks, func(q *Hook) bool { return p == q })
		})
	}
}

func (d *Disk) observe(change func(*observers)) {
	d.watch.Lock()
	defer d.watch.Unlock()
	next := &observers{}
	if o := d.seen.Load(); o != nil {
		next.hooks, next.faults = slices.Clone(o.hooks), slices.Clone(o.faults)
	}
	change(next)
	if len(next.hooks)+len(next.faults) == 0 {
		next = nil
	}
	d.seen.Store(next)
}

// observed gives who watches the operations of a view, nil for nobody.
func (v *FS) observed() *observers {
	if v.quiet {
		return nil
	}
	return v.disk.seen.Load()
}

// run does one operation between its hooks. One that is interrupted (EINTR)
// begins again, as in package os, but for close.
func (o *observers) run(op *Op, do func() error) error {
	for {
		op.Err = o.carryOut(op, do)
		o.after(op, len(o.hooks))
		if op.Err != syscall.EINTR || op.Name == "close" {
			return op.Err
		}
		op.N, op.late, op.short, op.shortErr, op.cut = 0, nil, 0, nil, false
	}
}

// carryOut runs the operation, if nobody refuses it. If it panics those hooks
// that saw it begin see that it is over, before the panic goes on.
func (o *observers) carryOut(op *Op, do func() error) error {
	begun := 0
	op.Panicked = true
	defer func() {
		if op.Panicked {
			o.after(op, begun)
		}
	}()
	err := o.before(op, &begun)
	if err == nil {
		err = do()
		if op.late != nil {
			err = op.late
		}
	}
	op.Panicked = false
	return err
}

// after tells the first n hooks.
func (o *observers) after(op *Op, n int) {
	for _, h := range o.hooks[:n] {
		if h.After != nil {
			h.After(op)
		}
	}
}

// before asks the faults and the hooks, and counts the hooks that it has asked.
func (o *observers) before(op *Op, begun *int) error {
	for _, f := range o.faults {
		if err := f.strike(op); err != nil {
			return err
		}
	}
	for i, h := range o.hooks {
		if h.Before != nil {
			if err := h.Before(op); err != nil {
				return err
			}
		}
		*begun = i + 1
	}
	return nil
}

// observeIO runs a read or a write between its hooks: at an offset, or with -1
// at the handle's position.
func (f *File) observeIO(o *observers, name string, p []byte, off int64, do func(p []byte, off int64) (int, error)) (int, error) {
	for done := 0; ; {
		op := &Op{Name: name, FS: f.v, File: f, Path: f.name, Data: p[done:], Offset: off}
		err := o.run(op, func() error {
			q := op.Data
			if (op.shortErr != nil || op.cut) && op.short < len(q) {
				q = q[:op.short]
			}
			var err error
			op.N, err = do(q, off)
			if err == nil && len(q) < len(op.Data) {
				err = op.shortErr
			}
			return err
		})
		done += op.N
		if err != nil || !op.cut || op.N == 0 || done == len(p) {
			return done, f.fail(name, err)
		}
		if off >= 0 {
			off += int64(op.N)
		}
	}
}

// Fault makes operations fail. The zero value of each field is the widest: the
// first operation of all fails with EIO.
type Fault struct {
	Op   string         // name of the operation as in Op.Name, or a path.Match pattern
	Path string         // path.Match pattern of Op.Path or Op.NewPath
	If   func(*Op) bool // a further condition

	Nth   int // the first matching operation that fails, from 1
	Count int // how many fail, from there on: 0 is one, -1 all

	Err   error // usually a syscall.Errno
	Short int   // of a write: so many bytes are written before it fails
	Late  bool  // the operation is carried out and then reports Err, as close does of a delayed write
}

type fault struct {
	Fault
	seen atomic.Int64
}

// Fail adds a fault; the returned function takes it off. It panics if a pattern
// is malformed.
func (d *Disk) Fail(f Fault) (remove func()) {
	for _, p := range []string{f.Op, f.Path} {
		if _, err := path.Match(p, ""); err != nil {
			panic("fsfake: Fault pattern " + p + ": " + err.Error())
		}
	}
	if f.Err == nil {
		f.Err = syscall.EIO
	}
	p := &fault{Fault: f}
	d.observe(func(o *observers) { o.faults = append(o.faults, p) })
	return func() {
		d.observe(func(o *observers) {
			o.faults = slices.DeleteFunc(o.faults, func(q *fault) bool { return p == q })
		})
	}
}

// strike counts the operation if it matches, and gives the error if it is its
// turn to fail before it begins. Other failures are left in op.
func (f *fault) strike(op *Op) error {
	if !f.matches(op) {
		return nil
	}
	n := f.seen.Add(1)
	first := int64(max(f.Nth, 1))
	switch {
	case n < first, f.Count >= 0 && n >= first+int64(max(f.Count, 1)):
		return nil
	case f.Late:
		op.late = f.Err
		return nil
	case f.Short > 0 && op.Name == "write":
		op.short, op.shortErr = f.Short, f.Err
		return nil
	}
	return f.Err
}

func (f *fault) matches(op *Op) bool {
	if f.Op != "" && f.Op != op.Name {
		if ok, _ := path.Match(f.Op, op.Name); !ok {
			return false
		}
	}
	if f.Path != "" {
		ok, _ := path.Match(f.Path, op.Path)
		if !ok && op.NewPath != "" {
			ok, _ = path.Match(f.Path, op.NewPath)
		}
		if !ok {
			return false
		}
	}
	return f.If == nil || f.If(op)
}
