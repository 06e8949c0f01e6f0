package attack

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// ear is an end at which the attacker gets what is sent to him. Nobody waits at
// it: it is emptied when the victim stands still, and in the end.
type ear struct {
	id     id
	fd     int
	stream bool // a listening socket
	conns  []*conn
	bytes  int64
}

// conn is a connection that the attacker has accepted. He answers with his
// content, and says no more, so that nobody waits for him.
type conn struct {
	fd       int
	answered bool
	closed   bool
}

// listen begins to read a FIFO. The attacker holds both ends, so that nobody
// waits at it for another.
func (d *osDisk) listen(name string) error {
	fd, err := d.open(name, unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, 1<<20)
	d.ears = append(d.ears, &ear{id: d.stat(name).id, fd: fd})
	return nil
}

// lock takes the locks of a file or directory, and keeps them until the next
// run: that of flock(2), and those of fcntl(2), where a file is open for writing.
func (d *osDisk) lock(name string) error {
	flags := unix.O_RDWR
	if d.stat(name).isDir() {
		flags = unix.O_RDONLY
	}
	fd, err := d.open(name, flags, 0)
	if err != nil {
		return err
	}
	d.locks = append(d.locks, fd)
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return pathError("flock", name, err)
	}
	if flags == unix.O_RDWR {
		all := unix.Flock_t{Type: unix.F_WRLCK}
		err = unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &all)
	}
	return pathError("fcntl", name, err)
}

// heard is how many bytes came to the attacker through an object of his, and
// whether an answer of his was read.
func (d *osDisk) heard(o id) (n int64, answered bool) {
	for _, e := range d.ears {
		if e.id != o {
			continue
		}
		e.empty()
		n += e.bytes
		for _, c := range e.conns {
			answered = answered || c.read()
		}
	}
	return n, answered
}

// hear takes what has come, so that nobody waits for room.
func (d *osDisk) hear() {
	for _, e := range d.ears {
		e.empty()
	}
}

func (e *ear) empty() {
	if !e.stream {
		e.bytes += drained(e.fd)
		return
	}
	for {
		fd, _, err := unix.Accept4(e.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			break
		}
		c := &conn{fd: fd}
		n, err := unix.SendmsgN(fd, []byte(attackerData), nil, nil, unix.MSG_NOSIGNAL)
		c.answered = err == nil && n > 0
		_ = unix.Shutdown(fd, unix.SHUT_WR)
		e.conns = append(e.conns, c)
	}
	for _, c := range e.conns {
		e.bytes += drained(c.fd)
	}
}

// drained takes all that can be read without waiting, and counts it.
func drained(fd int) (sum int64) {
	buf := make([]byte, 1<<16)
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case err == unix.EINTR:
		case err != nil || n <= 0:
			return sum
		default:
			sum += int64(n)
		}
	}
}

// read reports whether the other side has read the answer: it is not in its
// queue any more, and was not thrown away with it.
func (c *conn) read() bool {
	if !c.answered {
		return false
	}
	if left, err := unix.IoctlGetInt(c.fd, unix.SIOCOUTQ); err != nil || left > 0 {
		return false
	}
	if !c.closed {
		e, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		c.closed = err != nil || e != 0
	}
	return !c.closed
}

// quiet ends what the attacker's things do.
func (d *osDisk) quiet() {
	for _, e := range d.ears {
		for _, c := range e.conns {
			_ = unix.Close(c.fd)
		}
		_ = unix.Close(e.fd)
	}
	for _, fd := range d.locks {
		_ = unix.Close(fd)
	}
	d.ears, d.locks = nil, nil
	clear(d.peers)
}

// sends are the calls that reach a socket by its name.
var sends = map[string]bool{"connect": true, "sendto": true, "sendmsg": true, "sendmmsg": true}

// meetSocket has the attacker listen at a socket of his that a call is about to
// reach, with a socket of the kind that the caller has.
func (w *osWorld) meetSocket(b *boundary, ev *supervise.Event) error {
	if !sends[ev.Name] {
		return nil
	}
	for _, l := range b.lookups {
		a, ok := l.final()
		if !ok || a.node.kindName() != "socket" || w.attacker.own[a.node.id] == nil {
			continue
		}
		kind, err := socketKind(ev.TID, int(int32(ev.Args[0])))
		if err != nil {
			continue // no unix socket: the call fails by itself
		}
		if err := w.d.serve(w.attacker, a, kind); err != nil {
			return fmt.Errorf("listening at the attacker's socket %s: %w", pretty(a.path()), err)
		}
		if w.d.peers == nil {
			w.d.peers = map[uint64]bool{}
		}
		w.d.peers[socketInode(ev.TID, int(int32(ev.Args[0])))] = true
	}
	return nil
}

// serve puts a socket that is listened at in the place of one that is not.
func (d *osDisk) serve(a *attacker, acc access, kind int) error {
	for _, e := range d.ears {
		if e.id == acc.node.id {
			return nil
		}
	}
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	e := &ear{fd: fd, stream: kind != unix.SOCK_DGRAM}
	d.ears = append(d.ears, e)
	src := a.place("listener")
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(d.fd) + "/" + src})
	if err == nil && e.stream {
		err = unix.Listen(fd, 16)
	}
	d.made(src)
	if err = errors.Join(err, d.chmod(src, 0o777), d.age(src)); err != nil {
		return err
	}
	was := a.own[acc.node.id]
	if err := unix.Renameat(d.fd, src, d.fd, acc.path()); err != nil {
		return pathError("rename", acc.path(), err)
	}
	d.forget()
	if n := d.stat(acc.dir); a.owns(n) {
		if err := d.age(acc.dir); err != nil {
			return err
		}
	}
	n := d.stat(acc.path())
	e.id = n.id
	delete(a.own, acc.node.id)
	a.own[n.id] = &plant{name: was.name, node: n}
	return nil
}

// socketKind is the type of a unix socket of a stopped thread, as the kernel
// lists them.
func socketKind(tid, fd int) (int, error) {
	inode := strconv.FormatUint(socketInode(tid, fd), 10)
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/unix", tid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(list)) {
		if f := strings.Fields(line); len(f) >= 7 && f[6] == inode { // Num RefCount Protocol Flags Type St Inode Path
			kind, err := strconv.ParseInt(f[4], 16, 32)
			return int(kind), err
		}
	}
	return 0, errors.New("no such socket")
}

// answerPeer answers who is at the other end of a connection: the attacker, where it
// is one of his sockets.
func (w *osWorld) answerPeer(ev *supervise.Event) bool {
	return w.d.peers[socketInode(ev.TID, ev.FD)] && w.tree.AnswerPeer(ev, os.Getpid(), attackerID(), attackerID())
}

// atLock is the outcome of waiting for a lock that the attacker holds.
func atLock(name string) string {
	return "it waits for the lock of the attacker's " + pretty(name) + ", which he holds"
}

// lock lets a call wait for a lock, unless the attacker holds it and the
// victim's own goroutine would wait: that is known then, as with a FIFO. Another
// goroutine or a program may have set itself a time, and has it until the victim
// is given up.
func (w *osWorld) lock(ev *supervise.Event) {
	p := w.attacker.own[descriptorNode(ev.TID, ev.FD).id]
	if p == nil || !ev.WaitsForLock() {
		w.tree.Continue(ev)
		return
	}
	w.hooks.locks()
	if !p.locked {
		w.tree.Continue(ev)
		return
	}
	b := &boundary{call: ev.Name, kind: ev.Kind, thread: ev.TID}
	if w.describe(b, ev); b.main && len(w.waiting)+len(w.locked) == 0 {
		w.blocked, w.blockedAs = p.name, atLock(p.name)
		w.tree.Fail(ev, unix.ENOLCK)
		return
	}
	w.locked[ev.TID] = p.name
	w.tree.Continue(ev)
}

// atLock gives the outcome of a run in which nothing has come for so long that
// it is given up, and somebody waits for a lock of the attacker's.
func (w *osWorld) atLock() *outcome {
	for _, tid := range slices.Sorted(maps.Keys(w.locked)) {
		if w.tree.Busy(tid) {
			o := w.lost(hung, atLock(w.locked[tid]))
			o.At = w.locked[tid]
			return o
		}
	}
	return nil
}
