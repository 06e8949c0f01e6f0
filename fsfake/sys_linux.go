package fsfake

import "syscall"

func sysOf(a *attr) any {
	s := &syscall.Stat_t{
		Ino: a.ino, Mode: a.mode, Uid: a.uid, Gid: a.gid,
		Size: a.size, Blocks: int64(a.pages) * (pageSize / 512),
		Atim: timespec(a.stamp(atime)), Mtim: timespec(a.stamp(mtime)), Ctim: timespec(a.stamp(ctime)),
	}
	set(&s.Dev, int64(a.dev))
	set(&s.Rdev, int64(a.rdev))
	set(&s.Nlink, int64(a.nlink))
	set(&s.Blksize, pageSize)
	return s
}

func timespec(t stamp) (ts syscall.Timespec) {
	set(&ts.Sec, t.sec)
	set(&ts.Nsec, int64(t.nsec))
	return ts
}

// set sets a field whose type differs between architectures.
func set[T ~int32 | ~uint32 | ~int64 | ~uint64](to *T, n int64) { *to = T(n) }
