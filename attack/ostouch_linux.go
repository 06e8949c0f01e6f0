package attack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// What was done to an object is told by inotify (inotify(7)): a system call
// queues its events before it returns, whoever makes it, by whatever name or
// descriptor, and whatever the mount options say of access times. What it does
// not tell is a mapping (mmap) and libaio: see mapped and submits.
//
// A process has one instance, since a user has 128 of them in all (the sysctl
// fs.inotify.max_user_instances) and closing one takes milliseconds.
var inotify = &watches{fd: -1, of: map[int]watchedObject{}}

type watches struct {
	mu  sync.Mutex
	fd  int
	of  map[int]watchedObject // by watch descriptor
	buf [1 << 14]byte
}

type watchedObject struct {
	disk *osDisk
	id   id
}

// touchLog is what was done in one scene, guarded by inotify.mu.
type touchLog struct {
	wds  map[id]int
	done map[id]touch
	lost bool // the queue was full
	err  error
}

const touchEvents = unix.IN_ACCESS | unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_DONT_FOLLOW

// watch begins to note what is done to an object.
func (d *osDisk) watch(name string, n node) error {
	w := inotify
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := d.touches.wds[n.id]; ok || !n.regular() && !n.isDir() {
		return nil
	}
	if w.fd < 0 {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
		if err != nil {
			return fmt.Errorf("%w: raise fs.inotify.max_user_instances", os.NewSyscallError("inotify_init1", err))
		}
		w.fd = fd
	}
	wd, err := unix.InotifyAddWatch(w.fd, "/proc/self/fd/"+strconv.Itoa(d.fd)+"/"+name, touchEvents)
	if err != nil {
		err = pathError("inotify_add_watch", name, err)
		if errors.Is(err, unix.ENOSPC) {
			err = fmt.Errorf("%w: raise fs.inotify.max_user_watches", err)
		}
		return err
	}
	if d.touches.wds == nil {
		d.touches.wds, d.touches.done = map[id]int{}, map[id]touch{}
	}
	w.of[wd] = watchedObject{d, n.id}
	d.touches.wds[n.id] = wd
	return nil
}

// watchAnew forgets what was done so far.
func (d *osDisk) watchAnew() {
	inotify.mu.Lock()
	defer inotify.mu.Unlock()
	inotify.drain()
	clear(d.touches.done)
	d.touches.lost, d.touches.err = false, nil
}

// touched is what was done to an object since it is watched.
func (d *osDisk) touched(o id) touch {
	inotify.mu.Lock()
	defer inotify.mu.Unlock()
	if !d.fresh {
		inotify.drain()
		d.fresh = d.nodes != nil // nobody runs until forget is called
	}
	return d.touches.done[o]
}

// setTouched puts right what is known to have been done.
func (d *osDisk) setTouched(o id, t touch) {
	inotify.mu.Lock()
	defer inotify.mu.Unlock()
	inotify.drain()
	if _, ok := d.touches.wds[o]; ok {
		d.touches.done[o] = t
	}
}

// mapped notes that a file is mapped to be read or run, as a loader does: what
// is then read of it nobody tells.
func (d *osDisk) mapped(ev *supervise.Event) {
	if prot := ev.Args[2]; prot&^unix.PROT_WRITE == 0 && prot != 0 {
		return // to be written
	}
	o := statAt(unix.AT_FDCWD, fmt.Sprintf("/proc/%d/fd/%d", ev.TID, ev.FD), 0).id
	d.setTouched(o, d.touched(o)|wasRead)
}

// unheard says why not all that was done is known, "" when it is.
func (d *osDisk) unheard() string {
	inotify.mu.Lock()
	defer inotify.mu.Unlock()
	switch {
	case d.touches.err != nil:
		return "what was done to files cannot be told: " + d.touches.err.Error()
	case d.touches.lost:
		return "more was done to files at a time than the kernel keeps count of: raise fs.inotify.max_queued_events"
	}
	return ""
}

// ours does something to an object that is not the victim's doing.
func (d *osDisk) ours(name string, act func() error) error {
	inotify.mu.Lock()
	none := len(d.touches.wds) == 0
	inotify.mu.Unlock()
	if none {
		return act()
	}
	n := d.stat(name)
	inotify.mu.Lock()
	_, watched := d.touches.wds[n.id]
	inotify.mu.Unlock()
	if !watched {
		return act()
	}
	before := d.touched(n.id)
	err := act()
	d.setTouched(n.id, before)
	return err
}

// unwatch ends the watches of a scene that is to go.
func (d *osDisk) unwatch() {
	inotify.mu.Lock()
	defer inotify.mu.Unlock()
	for _, wd := range d.touches.wds {
		if _, ok := inotify.of[wd]; ok {
			_, _ = unix.InotifyRmWatch(inotify.fd, uint32(wd))
			delete(inotify.of, wd)
		}
	}
	d.touches.wds = nil
}

// drain takes what the kernel has queued. mu is held.
func (w *watches) drain() {
	for w.fd >= 0 {
		n, err := unix.Read(w.fd, w.buf[:])
		switch err {
		case nil:
			w.take(w.buf[:n])
		case unix.EINTR:
		case unix.EAGAIN:
			return
		default:
			w.each(func(t *touchLog) { t.err = os.NewSyscallError("reading from inotify", err) })
			return
		}
	}
}

func (w *watches) each(f func(*touchLog)) {
	for _, o := range w.of {
		f(&o.disk.touches)
	}
}

func (w *watches) take(buf []byte) {
	for len(buf) >= unix.SizeofInotifyEvent {
		wd := int(int32(binary.NativeEndian.Uint32(buf)))
		mask := binary.NativeEndian.Uint32(buf[4:])
		size := int(binary.NativeEndian.Uint32(buf[12:]))
		buf = buf[min(unix.SizeofInotifyEvent+size, len(buf)):]
		o, ok := w.of[wd]
		switch {
		case mask&unix.IN_Q_OVERFLOW != 0:
			w.each(func(t *touchLog) { t.lost = true })
		case !ok || size > 0: // of an entry in a directory, which is none of its own
		case mask&unix.IN_IGNORED != 0: // the object is gone
			delete(w.of, wd)
			delete(o.disk.touches.wds, o.id)
		default:
			o.disk.touches.done[o.id] |= touchOf(mask)
		}
	}
}

func touchOf(mask uint32) (t touch) {
	if mask&unix.IN_ACCESS != 0 {
		t |= wasRead
	}
	if mask&unix.IN_MODIFY != 0 {
		t |= wasWritten
	}
	if mask&unix.IN_ATTRIB != 0 {
		t |= wasSet
	}
	return t
}
