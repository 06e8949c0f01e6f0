package fsfake

import "syscall"

func sysOf(a *attr) any {
	return &syscall.Stat_t{
		Dev: int32(a.dev), Ino: a.ino, Mode: uint16(a.mode), Nlink: uint16(min(a.nlink, 1<<16-1)),
		Uid: a.uid, Gid: a.gid, Rdev: int32(a.rdev), Size: a.size,
		Blocks: int64(a.pages) * (pageSize / 512), Blksize: pageSize,
		Atimespec: timespec(a.stamp(atime)), Mtimespec: timespec(a.stamp(mtime)),
		Ctimespec: timespec(a.stamp(ctime)), Birthtimespec: timespec(a.stamp(btime)),
	}
}

func timespec(t stamp) syscall.Timespec {
	return syscall.Timespec{Sec: t.sec, Nsec: int64(t.nsec)}
}
