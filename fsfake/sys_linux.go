package fsfake

import "syscall"

func sysOf(a *attr) any {
	s := &syscall.Stat_t{
		Dev: uint64(a.dev), Ino: a.ino, Mode: a.mode, Uid: a.uid, Gid: a.gid,
		Rdev: a.rdev, Size: a.size, Blocks: a.pages * (pageSize / 512),
		Atim: timespec(a.stamp(atime)), Mtim: timespec(a.stamp(mtime)), Ctim: timespec(a.stamp(ctime)),
	}
	setWidths(s, a)
	return s
}

// setWidths sets the fields whose type differs between architectures.
func setWidths(s *syscall.Stat_t, a *attr) {
	setInt(&s.Nlink, a.nlink)
	setInt(&s.Blksize, pageSize)
}

func setInt[T ~int32 | ~uint32 | ~int64 | ~uint64](to *T, n uint32) { *to = T(n) }

func timespec(t stamp) syscall.Timespec {
	var ts syscall.Timespec
	ts.Sec, ts.Nsec = t.sec, int64(t.nsec)
	return ts
}
