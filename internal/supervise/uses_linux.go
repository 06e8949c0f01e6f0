package supervise

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// messageAddr is the name in a struct msghdr, empty for none.
func messageAddr(tid int, addr uint64) (string, error) {
	var head [2]uint64 // the address, and its length in four bytes
	if err := readWords(tid, addr, head[:], 16); err != nil {
		return "", err
	}
	if head[0] == 0 {
		return "", nil
	}
	return unixAddr(tid, head[0], uint64(uint32(head[1])))
}

// maxMessages is how many a sendmmsg takes (UIO_MAXIOV).
const maxMessages = 1024

// messages reads the names of a sendmmsg: an array of struct mmsghdr, of 64 bytes
// each.
func (t *Tree) messages(ev *Event) {
	for i := range min(uint64(uint32(ev.Args[2])), maxMessages) {
		p := Path{Dir: unix.AT_FDCWD, Follow: true}
		p.Raw, p.Err = messageAddr(ev.TID, ev.Args[1]+64*i)
		if t.opaque(ev, p.Err); p.Raw != "" || p.Err != nil {
			ev.Paths = append(ev.Paths, p)
		}
	}
}

// WaitsForLock reports whether a call of kind Lock waits until it has a lock:
// not one that gives it up.
func (ev *Event) WaitsForLock() bool {
	if ev.Name != "fcntl" {
		return ev.Kind == Lock && ev.Flags&(unix.LOCK_NB|unix.LOCK_UN) == 0
	}
	if ev.Flags != unix.F_SETLKW && ev.Flags != unix.F_OFD_SETLKW {
		return false
	}
	var kind int16 // the first of a struct flock
	err := readMem(ev.TID, ev.Args[2], unsafe.Slice((*byte)(unsafe.Pointer(&kind)), 2))
	return err == nil && kind != unix.F_UNLCK
}

// AnswerPeer answers a getsockopt(SO_PEERCRED) itself. False, and nothing done,
// when that is in doubt.
func (t *Tree) AnswerPeer(ev *Event, pid int, uid, gid uint32) bool {
	var size uint32
	b := unsafe.Slice((*byte)(unsafe.Pointer(&size)), 4)
	if ev.Name != "getsockopt" || int32(ev.Args[1]) != unix.SOL_SOCKET || readMem(ev.TID, ev.Args[4], b) != nil {
		return false
	}
	cred := unix.Ucred{Pid: int32(pid), Uid: uid, Gid: gid}
	all := unsafe.Slice((*byte)(unsafe.Pointer(&cred)), unsafe.Sizeof(cred))
	if size = min(size, uint32(len(all))); writeMem(ev.TID, ev.Args[4], b) != nil {
		return false
	}
	return t.give(ev, ev.Args[3], all[:size])
}
