package attack

import (
	"fmt"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// byDescriptor looks at a call that is no point for moves, since it names
// nothing: what it does to the attacker's things is told in no other way. False
// for other calls.
func (w *osWorld) byDescriptor(ev *supervise.Event) bool {
	switch {
	case ev.Kind == supervise.Map:
		w.d.mapped(ev)
	case ev.Kind == supervise.Submit:
		w.submits(ev)
	case ev.Name == "getsockopt":
		return !w.answerPeer(ev)
	case !w.near || !nearCalls[ev.Name]:
		return false
	case ev.Kind == supervise.Write:
		w.writes(ev)
	}
	return true
}

// nearCalls are those of the set Data: they stop in a world that looks at
// writes, and in no other.
var nearCalls = map[string]bool{
	"write": true, "writev": true, "pwrite64": true, "pwritev": true, "pwritev2": true,
	"sendfile": true, "copy_file_range": true, "splice": true, "ftruncate": true, "fallocate": true, "fdatasync": true,
	"fsetxattr": true, "fremovexattr": true, "close": true, "close_range": true, "getdents64": true, "getdents": true,
}

// descriptorNode is what a descriptor of a stopped thread refers to.
func descriptorNode(tid, fd int) node {
	return statAt(unix.AT_FDCWD, fmt.Sprintf("/proc/%d/fd/%d", tid, fd), 0)
}

// writes tells what a call is about to write to a file of the attacker's. What
// he has put there himself, and zeros, tell him nothing.
func (w *osWorld) writes(ev *supervise.Event) {
	p := w.attacker.own[descriptorNode(ev.TID, ev.FD).id]
	if p == nil {
		return
	}
	switch ev.Name {
	case "fdatasync":
	case "ftruncate", "fallocate":
		w.hooks.cut(p.node.id)
	case "sendfile", "copy_file_range", "splice":
		w.hooks.wrote(p.node.id, -1)
	default:
		data, err := supervise.Written(ev)
		w.puts(p, data, err)
	}
}

// puts tells of data that is about to be written to a file of the attacker's.
func (w *osWorld) puts(p *plant, data []byte, err error) {
	switch {
	case err != nil:
		w.hooks.wrote(p.node.id, -1)
	case told(string(data), p.data):
		w.hooks.wrote(p.node.id, int64(len(data)))
	default:
		w.hooks.cut(p.node.id)
	}
}

// submits tells what libaio is about to read and to write, of which inotify
// does not tell.
func (w *osWorld) submits(ev *supervise.Event) {
	for _, s := range supervise.Submitted(ev) {
		o := descriptorNode(ev.TID, s.FD).id
		mode, ok := openFlags(ev.TID, s.FD)
		switch mode &= unix.O_ACCMODE; {
		case !ok:
		case !s.Write && mode != unix.O_WRONLY:
			w.d.setTouched(o, w.d.touched(o)|wasRead)
		case s.Write && mode != unix.O_RDONLY:
			w.d.setTouched(o, w.d.touched(o)|wasWritten)
			if p := w.attacker.own[o]; p != nil {
				w.puts(p, s.Data, s.Err)
			}
		}
	}
}

// socketInode is the number of the socket that a descriptor of a stopped thread
// refers to, 0 for none.
func socketInode(tid, fd int) uint64 {
	var inode uint64
	_, _ = fmt.Sscanf(readlink(fmt.Sprintf("/proc/%d/fd/%d", tid, fd)), "socket:[%d]", &inode)
	return inode
}
