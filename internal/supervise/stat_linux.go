package supervise

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// AnswerStat answers a call of the stat family itself, with what the kernel
// says of path but for the owner. path must be the object that the call would
// reach, without symbolic links. False, and nothing done, when the call is of
// another family or anything is in doubt: then the kernel can answer.
func (t *Tree) AnswerStat(ev *Event, path string, uid, gid uint32) bool {
	switch ev.Name {
	case "stat", "lstat", "fstat":
		return t.answerStat(ev, ev.Args[1], path, uid, gid)
	case "newfstatat":
		return t.answerStat(ev, ev.Args[2], path, uid, gid)
	case "statx":
		var st unix.Statx_t
		mask := int(uint32(ev.Args[3]))
		if uint32(mask)&unix.STATX__RESERVED != 0 || unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, mask, &st) != nil {
			return false
		}
		st.Uid, st.Gid = uid, gid
		return t.give(ev, ev.Args[4], unsafe.Slice((*byte)(unsafe.Pointer(&st)), unsafe.Sizeof(st)))
	}
	return false
}

func (t *Tree) answerStat(ev *Event, buf uint64, path string, uid, gid uint32) bool {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil {
		return false
	}
	st.Uid, st.Gid = uid, gid
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
