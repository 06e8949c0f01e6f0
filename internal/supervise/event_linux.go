package supervise

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"github.com/tmpproof/tmpproof/internal/still"
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

	Paths   []Path
	FD      int    // descriptor acted on, -1 for none
	Flags   uint64 // open flags, AT_ flags, CLONE_ flags: whatever the call has
	Resolve uint64 // RESOLVE_ flags of openat2
	Mode    uint32 // as asked for
	Args    [6]uint64

	Op   uint32 // of a message
	Data []byte

	// Opaque says why the call could not be looked into: another
	// architecture, or memory that cannot be read. A call that is let go
	// then does what nobody saw.
	Opaque string
	// Repeat marks a call that a signal took back and that came again: it is
	// no new boundary, but it must be answered as the first was.
	Repeat bool

	id   uint64
	ip   uint64
	data seccompData
	proc *process
	done bool // answered
	made bool // it was about a made-up process number
}

// Path is one path argument as the program gave it.
type Path struct {
	Raw    string
	Dir    int  // directory descriptor or unix.AT_FDCWD
	Follow bool // the call follows a symbolic link at the end
	Null   bool // no path: the call acts on descriptor Dir (AT_EMPTY_PATH)
	// Err says that Raw could not be read. With EFAULT the kernel cannot read
	// it either, and the call fails; with any other the event is opaque.
	Err error
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
func (t *Tree) decode(n *notif, pr *process) *Event {
	ev := &Event{Type: Call, TID: int(n.pid), Args: n.data.args, FD: -1, id: n.id, ip: n.data.ip, data: n.data}
	ev.proc = pr
	ev.PID = ev.proc.pid
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
	ev.Name, ev.Kind = spec.name, spec.kind
	ev.Repeat = t.repeated(ev)
	if spec.nr == unix.SYS_FSYNC && int32(ev.Args[0]) == hyperFD && ev.PID == t.pid {
		return t.message(ev)
	}
	if spec.fd != none {
		ev.FD = int(int32(ev.Args[spec.fd]))
	}
	if spec.flags != none {
		ev.Flags = uint64(uint32(ev.Args[spec.flags]))
	}
	if spec.mode != none {
		ev.Mode = uint32(ev.Args[spec.mode])
	}
	t.inMemory(ev, spec)
	for _, a := range spec.paths {
		if p, ok := t.path(ev, spec, a); ok {
			t.opaque(ev, p.Err)
			ev.Paths = append(ev.Paths, p)
		}
	}
	t.translate(ev)
	switch ev.Kind {
	case Exec:
		t.starts(ev)
		if t.held != nil {
			t.runs(ev)
			t.waited(still.Program)
		}
	case Process:
		t.process(ev)
	}
	return ev
}

// opaque marks an event whose caller's memory could not be read for a reason
// that does not make the call fail too.
func (t *Tree) opaque(ev *Event, err error) {
	if err != nil && !errors.Is(err, unix.EFAULT) {
		ev.Opaque = "the memory of process " + comm(ev.PID) + " cannot be read: " + err.Error()
	}
}

// repeated tells a call that comes again after a signal took its notification
// back: the answer had found nobody. Before Linux 5.19 a signal may also hit
// between the answer and the task's waking up, and nothing tells the call that
// then comes again from a second one of the same kind: see Tree.Exact.
func (t *Tree) repeated(ev *Event) bool {
	d, ok := t.cancelled[ev.TID]
	if ok {
		delete(t.cancelled, ev.TID)
	}
	return ok && d == ev.data
}

func (t *Tree) message(ev *Event) *Event {
	ev.Type, ev.Op = Message, uint32(ev.Args[1])
	if n := ev.Args[3]; n > 0 {
		ev.Data = make([]byte, min(n, maxMessage))
		if err := readMem(ev.TID, ev.Args[2], ev.Data); err != nil {
			ev.Data, ev.Opaque = nil, "the child's message: "+err.Error()
		}
	}
	return ev
}

// inMemory fills Flags and Mode where they are not plain arguments.
func (t *Tree) inMemory(ev *Event, spec *syscallSpec) {
	switch spec.name {
	case "sendmmsg":
		t.messages(ev)
	case "creat":
		ev.Flags = unix.O_CREAT | unix.O_WRONLY | unix.O_TRUNC
	case "openat2":
		var how [3]uint64
		t.opaque(ev, readWords(ev.TID, ev.Args[2], how[:], ev.Args[3]))
		ev.Flags, ev.Mode, ev.Resolve = how[0], uint32(how[1]), how[2]
	case "clone3":
		var flags [1]uint64
		t.opaque(ev, readWords(ev.TID, ev.Args[0], flags[:], ev.Args[1]))
		ev.Flags = flags[0]
	}
}

// path reads one path argument; false when the call has none this time.
func (t *Tree) path(ev *Event, spec *syscallSpec, a pathArg) (Path, bool) {
	p := Path{Dir: unix.AT_FDCWD, Follow: a.follows(ev)}
	if a.dir != none {
		p.Dir = int(int32(ev.Args[a.dir]))
	}
	addr := ev.Args[a.arg]
	switch {
	case spec.name == "bind" || spec.name == "connect":
		p.Raw, p.Err = unixAddr(ev.TID, addr, ev.Args[2])
		return p, p.Raw != "" || p.Err != nil
	case spec.name == "sendto":
		p.Raw, p.Err = unixAddr(ev.TID, addr, ev.Args[5])
		return p, p.Raw != "" || p.Err != nil
	case spec.name == "sendmsg":
		p.Raw, p.Err = messageAddr(ev.TID, addr)
		return p, p.Raw != "" || p.Err != nil
	case spec.name == "fsconfig":
		const setPath, setPathEmpty = 3, 4 // FSCONFIG_
		if cmd := uint32(ev.Args[1]); cmd != setPath && cmd != setPathEmpty {
			return p, false
		}
	case addr == 0 && a.null:
		p.Null = true
		return p, true
	}
	p.Raw, p.Err = readString(ev.TID, addr)
	p.Null = p.Raw == "" && p.Err == nil && (a.empty == anyFlags || ev.Flags&a.empty != 0)
	if strings.HasSuffix(p.Raw, "/") && a.follow != name {
		// A slash asks for a directory, and the link before it is followed
		// whatever the flags say; an open that may create fails instead.
		p.Follow = spec.kind != Open || ev.Flags&unix.O_CREAT == 0
	}
	return p, true
}

// follows says whether a link at the end of the path is followed.
func (a pathArg) follows(ev *Event) bool {
	switch a.follow {
	case always:
		return true
	case unlessBit:
		return ev.Flags&a.bit == 0
	case ifBit:
		return ev.Flags&a.bit != 0
	case asOpen:
		const excl = unix.O_CREAT | unix.O_EXCL
		return ev.Flags&unix.O_NOFOLLOW == 0 && ev.Flags&excl != excl && ev.Resolve&unix.RESOLVE_NO_SYMLINKS == 0
	}
	return false
}

// process keeps track of processes that leave the group, and of their number.
func (t *Tree) process(ev *Event) {
	switch {
	case ev.Name == "setpgid" && ev.Args[0] != 0:
		t.procs.leaves(int(int32(ev.Args[0])))
	case ev.Forks() && t.procs.fork(ev.proc) >= t.procs.most:
		ev.Opaque = fmt.Sprintf("more than %d processes at once: no more are started", t.procs.most)
		t.Fail(ev, unix.EAGAIN)
	case ev.Forks():
		t.forksInC(ev)
	}
}

// maxProcesses bounds what a run of the tree may have at once: a fork bomb
// must not take the machine.
const maxProcesses = 512

// unixAddr is the path of a struct sockaddr_un, empty for other families and
// abstract names.
func unixAddr(tid int, addr, size uint64) (string, error) {
	b := make([]byte, min(size, unix.SizeofSockaddrUnix))
	if len(b) < 3 {
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
	case "fork", "vfork":
		return true
	case "clone", "clone3":
		return ev.Flags&unix.CLONE_THREAD == 0
	}
	return false
}

// Creates reports that the call may make a name or an object that was not
// there: what the set Creates stops at, but for processes.
func (ev *Event) Creates() bool {
	switch ev.Kind {
	case Open:
		return ev.Flags&openCreates != 0
	case Mkdir, Mknod, Link, Symlink, Rename:
		return true
	}
	return false
}

// Rebases reports that the call may change what names mean: the root of its
// thread, its mounts, or those of all.
func (ev *Event) Rebases() bool {
	switch ev.Name {
	case "chroot", "setns":
		return true
	case "unshare", "clone", "clone3":
		return ev.Flags&unix.CLONE_NEWNS != 0
	}
	return ev.Kind == Mount
}
