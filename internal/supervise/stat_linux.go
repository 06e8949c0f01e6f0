package supervise

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SameOwner as a uid and gid leaves the owner as it is.
const SameOwner = ^uint32(0)

// AnswerStat answers a call of the stat family itself, with what the kernel
// says of path but for the owner, and for times of the present run where the
// clock is held: see InRun. path must be the object that the call would reach,
// without symbolic links. False, and nothing done, when the call is of another
// family or anything is in doubt: then the kernel can answer.
func (t *Tree) AnswerStat(ev *Event, path string, uid, gid uint32) bool {
	return t.answerAs(ev, path, unix.AT_SYMLINK_NOFOLLOW, uid, gid)
}

// AnswerFDStat is AnswerStat for a call on a descriptor.
func (t *Tree) AnswerFDStat(ev *Event, fd int, uid, gid uint32) bool {
	return t.answerAs(ev, fmt.Sprintf("/proc/%d/fd/%d", ev.TID, fd), 0, uid, gid)
}

func (t *Tree) answerAs(ev *Event, path string, follow int, uid, gid uint32) bool {
	switch ev.Name {
	case "stat", "lstat", "fstat":
		return t.answerStat(ev, ev.Args[1], path, follow, uid, gid)
	case "newfstatat":
		return t.answerStat(ev, ev.Args[2], path, follow, uid, gid)
	case "statx":
		var st unix.Statx_t
		mask := int(uint32(ev.Args[3]))
		if uint32(mask)&unix.STATX__RESERVED != 0 || unix.Statx(unix.AT_FDCWD, path, follow, mask, &st) != nil {
			return false
		}
		if uid != SameOwner {
			st.Uid, st.Gid = uid, gid
		}
		for _, at := range []*unix.StatxTimestamp{&st.Atime, &st.Mtime, &st.Ctime, &st.Btime} {
			ns := t.fileTime(at.Sec*1e9 + int64(at.Nsec))
			at.Sec, at.Nsec = ns/1e9, uint32(ns%1e9)
		}
		return t.give(ev, ev.Args[4], unsafe.Slice((*byte)(unsafe.Pointer(&st)), unsafe.Sizeof(st)))
	}
	return false
}

func (t *Tree) answerStat(ev *Event, buf uint64, path string, follow int, uid, gid uint32) bool {
	var st unix.Stat_t
	if unix.Fstatat(unix.AT_FDCWD, path, &st, follow) != nil {
		return false
	}
	if uid != SameOwner {
		st.Uid, st.Gid = uid, gid
	}
	for _, at := range []*unix.Timespec{&st.Atim, &st.Mtim, &st.Ctim} {
		*at = unix.NsecToTimespec(t.fileTime(at.Nano()))
	}
	return t.give(ev, buf, unsafe.Slice((*byte)(unsafe.Pointer(&st)), unsafe.Sizeof(st)))
}

// give writes a result into the caller's buffer and lets the call return 0.
// The notification is checked first: memory of a thread that is not stopped
// any more must not be written.
func (t *Tree) give(ev *Event, addr uint64, b []byte) bool {
	if ioctl(t.listener, ioctlIDValid, unsafe.Pointer(&ev.id)) != 0 || writeMem(ev.TID, addr, b) != nil {
		return false
	}
	t.Answer(ev, 0)
	return true
}
