package supervise

import (
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Type tells the three kinds of events apart.
type Type uint8

// The types of events.
const (
	Call    Type = iota // a system call at its boundary
	Message             // the child's Child.Call
	Gone                // every process of the tree has ended
)

// Event is one stopped call.
type Event struct {
	Type Type
	Name string // of the system call
	Kind Kind
	PID  int // thread group; the child itself has Tree.PID
	TID  int

	Paths []Path
	FD    int // descriptor acted on, -1 for none
	Flags uint64
	Mode  uint32 // as asked for
	Args  [6]uint64

	Op   uint32 // of a message
	Data []byte

	// Opaque says why the call could not be looked into: another
	// architecture, or memory that cannot be read.
	Opaque string
	// Repeat marks a call that a signal took back and that came again.
	Repeat bool

	id   uint64
	ip   uint64
	data seccompData
	spec *syscallSpec
}

// Path is one path argument as the program gave it.
type Path struct {
	Raw    string
	Dir    int  // directory descriptor or unix.AT_FDCWD
	Follow bool // the call follows a symbolic link at the end
	Null   bool // no path: the call acts on descriptor Dir (AT_EMPTY_PATH)
	Err    error
}

// specTable has the calls of this architecture by number.
var specTable = sync.OnceValue(func() map[uint32]*syscallSpec {
	table := map[uint32]*syscallSpec{}
	for _, c := range calls() {
		table[c.nr] = &c
	}
	return table
})

// decode reads what a verdict needs of a notification. The memory it reads is
// the caller's, stopped; another thread may still write there, which is the
// program's own race and is settled by what the kernel then does.
func (t *Tree) decode(n *notif) *Event {
	ev := &Event{Type: Call, TID: int(n.pid), Args: n.data.args, FD: -1, id: n.id, ip: n.data.ip, data: n.data}
	ev.PID = t.procs.tgid(ev.TID)
	if n.data.arch != auditArch {
		ev.Name = fmt.Sprintf("call %d of architecture %#x", n.data.nr, n.data.arch)
		ev.Opaque = "a program of another architecture"
		return ev
	}
	spec := specTable()[uint32(n.data.nr)]
	if spec == nil {
		ev.Name = fmt.Sprintf("system call %d", n.data.nr)
		ev.Opaque = "a call that is not in the table"
		return ev
	}
	ev.spec, ev.Name, ev.Kind = spec, spec.name, spec.kind
	ev.Repeat = t.repeated(ev)
	if spec.nr == unix.SYS_FSYNC && int32(ev.Args[0]) == hyperFD {
		return t.message(ev)
	}
	if spec.fd != none {
		ev.FD = int(int32(ev.Args[spec.fd]))
	}
	if spec.flags != none {
		ev.Flags = ev.Args[spec.flags]
	}
	if spec.mode != none {
		ev.Mode = uint32(ev.Args[spec.mode])
	}
	t.openFlags(ev)
	for _, p := range spec.paths {
		ev.Paths = append(ev.Paths, t.path(ev, p))
	}
	for _, p := range ev.Paths {
		if p.Err != nil {
			ev.Opaque = "memory of process " + comm(ev.PID) + " cannot be read: " + p.Err.Error()
		}
	}
	return ev
}

// repeated tells a call that comes again after a signal took its notification
// back. In killable mode the answer's ENOENT is the only way; otherwise a
// signal may also hit between the answer and the task's waking up, and the
// same call of the same thread at the same instruction counts as the same.
func (t *Tree) repeated(ev *Event) bool {
	if d, ok := t.cancelled[ev.TID]; ok {
		delete(t.cancelled, ev.TID)
		return d == ev.data
	}
	return false
}

func (t *Tree) message(ev *Event) *Event {
	ev.Type, ev.Op = Message, uint32(ev.Args[1])
	if n := ev.Args[3]; n > 0 {
		ev.Data = make([]byte, min(n, maxMessage))
		if err := readMem(ev.TID, ev.Args[2], ev.Data); err != nil {
			ev.Data, ev.Opaque = nil, err.Error()
		}
	}
	return ev
}

const maxMessage = 1 << 20

// openFlags fills Flags and Mode where they are not plain arguments.
func (t *Tree) openFlags(ev *Event) {
	switch ev.Name {
	case "creat":
		ev.Flags = unix.O_CREAT | unix.O_WRONLY | unix.O_TRUNC
	case "openat2":
		var how [3]uint64
		b := unsafe.Slice((*byte)(unsafe.Pointer(&how)), 24)
		if err := readMem(ev.TID, ev.Args[2], b[:min(24, ev.Args[3])]); err != nil {
			ev.Opaque = err.Error()
			return
		}
		ev.Flags, ev.Mode = how[0], uint32(how[1])
	}
}

func (t *Tree) path(ev *Event, a pathArg) Path {
	p := Path{Dir: unix.AT_FDCWD}
	if a.dir != none {
		p.Dir = int(int32(ev.Args[a.dir]))
	}
	switch a.follow {
	case always:
		p.Follow = true
	case unlessBit:
		p.Follow = ev.Flags&a.bit == 0
	case ifBit:
		p.Follow = ev.Flags&a.bit != 0
	case asOpen:
		p.Follow = ev.Flags&unix.O_NOFOLLOW == 0 && ev.Flags&(unix.O_CREAT|unix.O_EXCL) != unix.O_CREAT|unix.O_EXCL
	}
	addr := ev.Args[a.arg]
	if ev.Name == "bind" || ev.Name == "connect" {
		p.Raw, p.Err = unixAddr(ev.TID, addr, ev.Args[2])
		p.Null = p.Raw == ""
		return p
	}
	if addr == 0 { // utimensat(fd, NULL) and the like; the kernel answers EFAULT otherwise
		p.Null = true
		return p
	}
	p.Raw, p.Err = readString(ev.TID, addr)
	if p.Raw == "" && p.Err == nil {
		p.Null = a.dir != none && p.Dir != unix.AT_FDCWD
	}
	// A trailing slash asks for a directory, and the link before it is
	// followed whatever the flags say (CVE-2026-39822).
	if strings.HasSuffix(p.Raw, "/") && ev.Kind != Mkdir {
		p.Follow = true
	}
	return p
}

// unixAddr is the path of a struct sockaddr_un, empty for other families and
// abstract names.
func unixAddr(tid int, addr, size uint64) (string, error) {
	b := make([]byte, min(size, unix.SizeofSockaddrUnix))
	if len(b) < 4 {
		return "", nil
	}
	if err := readMem(tid, addr, b); err != nil {
		return "", err
	}
	if *(*uint16)(unsafe.Pointer(&b[0])) != unix.AF_UNIX || b[2] == 0 {
		return "", nil
	}
	s, _, _ := strings.Cut(string(b[2:]), "\x00")
	return s, nil
}

// Forks reports that the call starts a process (not a thread).
func (ev *Event) Forks() bool {
	switch ev.Name {
	case "fork", "vfork", "clone", "clone3":
		return true
	}
	return false
}
