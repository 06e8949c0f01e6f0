package supervise

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tmpproof/tmpproof/internal/lookup"
	"github.com/tmpproof/tmpproof/internal/still"
	"golang.org/x/sys/unix"
)

// Where programs read chance from a file, and the file that they get instead in
// a held tree: one of memory, with bytes of the tape. Who asks for its
// attributes by descriptor is told those of the one that it stands for.

// stoodFor are the files that something else stands for, as this process sees
// them.
var stoodFor = sync.OnceValue(func() []standsFor {
	var list []standsFor
	for _, f := range []standsFor{
		{path: "/dev/urandom", device: unix.Mkdev(1, 9), content: endless},
		{path: "/dev/random", device: unix.Mkdev(1, 8), content: endless},
		{path: "/proc/sys/kernel/random/uuid", content: uuid},
	} {
		if f.is = statOf(f.path); f.is.ino != 0 && f.is.device == f.device {
			list = append(list, f)
		}
	}
	return list
})

type standsFor struct {
	path    string
	device  uint64 // of a character device, 0 for another file
	is      identity
	content func(*still.Tape) []byte
}

// identity is what tells a file from others.
type identity struct{ dev, ino, device uint64 }

func statOf(path string) identity {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return identity{}
	}
	id := identity{dev: uint64(st.Dev), ino: st.Ino}
	if st.Mode&unix.S_IFMT == unix.S_IFCHR {
		id.device = uint64(st.Rdev)
	}
	return id
}

// same says that a file is the one that is meant: a device by any of its nodes.
func (f *standsFor) same(id identity) bool {
	return f.device != 0 && id.device == f.device || id == f.is
}

// mostDevice is how much of a random device comes from the tape each time it is
// opened. A program that reads more comes to an end that the device has not: see
// Tree.Drained.
const mostDevice = 1 << 20

func endless(tape *still.Tape) []byte { return tape.Bytes(mostDevice) }

func uuid(tape *still.Tape) []byte {
	b := tape.Bytes(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // version 4 (RFC 9562)
	return fmt.Appendf(nil, "%x-%x-%x-%x-%x\n", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// standIn lets an open of such a file return a descriptor of another. False: the
// kernel opens.
func (t *Tree) standIn(ev *Event) bool {
	const others = unix.O_ACCMODE | unix.O_PATH | unix.O_DIRECTORY | unix.O_CREAT
	if t.held == nil || t.held.know.Devices || ev.Kind != Open || ev.done || ev.Flags&others != unix.O_RDONLY || ev.Resolve != 0 || len(ev.Paths) != 1 || !ev.Paths[0].Follow || ev.Paths[0].Err != nil {
		return false
	}
	path, leave := t.opened(ev)
	defer leave()
	id := statOf(path)
	f := t.stoodFor(id)
	if f == nil {
		return false
	}
	real, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false // the kernel refuses it, for its own reasons
	}
	_ = unix.Close(real)
	fd, id, err := filled(f.content(still.NewTape(t.held.know.Tape, t.tape(ev.proc).Uint64())))
	if err != nil {
		return false
	}
	theirs, ok := t.handOver(ev, fd, uint32(ev.Flags&unix.O_CLOEXEC))
	if !ok || f.device == 0 || len(t.devices) >= mostKept {
		_ = unix.Close(fd)
	} else {
		t.devices = append(t.devices, fd)
	}
	if ok {
		t.standIns[id] = f
		t.Answer(ev, theirs)
	}
	return ok
}

// mostKept bounds the descriptors by which Drained looks.
const mostKept = 256

// Drained says that a program of the present run has read all that a random
// device had for it, which the kernel's never run out of. The run is then no
// ground for anything.
func (t *Tree) Drained() bool {
	return slices.ContainsFunc(t.devices, func(fd int) bool {
		at, err := unix.Seek(fd, 0, unix.SEEK_CUR) // it shares the offset
		return err == nil && at >= mostDevice
	})
}

func (t *Tree) forgetDevices() {
	for _, fd := range t.devices {
		_ = unix.Close(fd)
	}
	t.devices = nil
}

// stoodFor is the file that something stands for, or is to stand for.
func (t *Tree) stoodFor(id identity) *standsFor {
	if f := t.standIns[id]; f != nil && id.ino != 0 {
		return f // opened once more, by its descriptor
	}
	for i, f := range stoodFor() {
		if id.ino != 0 && f.same(id) {
			return &stoodFor()[i]
		}
	}
	return nil
}

// opened is a path of this process's to what a call is about to open.
func (t *Tree) opened(ev *Event) (path string, leave func()) {
	p, dir := ev.Paths[0], "/proc/"+strconv.Itoa(ev.TID)
	if p.Raw == "/dev/stdin" || strings.Contains(p.Raw, "/fd/") {
		// Of the thread's own descriptors, which a look from here would not
		// find.
		w := lookup.Walk{PID: ev.PID, TID: ev.TID}
		r := w.Resolve(lookup.Path{Raw: p.Raw, Dir: p.Dir, Follow: true})
		return "/proc/self/fd/" + strconv.Itoa(r.End.FD()), r.Close
	}
	switch {
	case strings.HasPrefix(p.Raw, "/"):
		dir += "/root"
	case p.Dir == unix.AT_FDCWD:
		dir += "/cwd"
	default:
		dir += "/fd/" + strconv.Itoa(p.Dir)
	}
	return dir + "/" + p.Raw, func() {}
}

// filled is a file of memory, open for reading.
func filled(content []byte) (fd int, id identity, err error) {
	rw, err := unix.MemfdCreate("chance", unix.MFD_CLOEXEC)
	if err != nil {
		return -1, id, err
	}
	defer unix.Close(rw)
	if _, err := unix.Write(rw, content); err != nil {
		return -1, id, err
	}
	path := "/proc/self/fd/" + strconv.Itoa(rw)
	fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	return fd, statOf(path), err
}

// answersStandIn answers a look at a descriptor of such a file.
func (t *Tree) answersStandIn(ev *Event) bool {
	if len(t.standIns) == 0 || ev.Type != Call || ev.Kind != Check {
		return false
	}
	fd := ev.FD
	if len(ev.Paths) == 1 && ev.Paths[0].Null {
		fd = ev.Paths[0].Dir
	}
	if fd < 0 {
		return false
	}
	f := t.standIns[statOf(fmt.Sprintf("/proc/%d/fd/%d", ev.TID, fd))]
	return f != nil && t.answerAs(ev, f.path, 0, SameOwner, SameOwner)
}
