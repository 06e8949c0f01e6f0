package supervise

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_X86_64

// x32Bit marks the system calls of the x32 ABI, which the filter refuses.
const x32Bit = 0x40000000

var archCalls = []syscallSpec{
	name(unix.SYS_OPEN, "open", Open, paths(plain(0, asOpen))).withFlags(1).withMode(2),
	name(unix.SYS_CREAT, "creat", Open, paths(plain(0, always))).withMode(1),
	name(unix.SYS_STAT, "stat", Check, paths(plain(0, always))),
	name(unix.SYS_LSTAT, "lstat", Check, paths(plain(0, never))),
	name(unix.SYS_NEWFSTATAT, "newfstatat", Check, paths(at(0, 1, unlessBit, atNofollow))).withFlags(3),
	name(unix.SYS_ACCESS, "access", Check, paths(plain(0, always))),
	name(unix.SYS_READLINK, "readlink", Read, paths(plain(0, never))),
	name(unix.SYS_MKDIR, "mkdir", Mkdir, paths(plain(0, never))).withMode(1),
	name(unix.SYS_MKNOD, "mknod", Mknod, paths(plain(0, never))).withMode(1),
	name(unix.SYS_RMDIR, "rmdir", Rmdir, paths(plain(0, never))),
	name(unix.SYS_UNLINK, "unlink", Unlink, paths(plain(0, never))),
	name(unix.SYS_RENAME, "rename", Rename, paths(plain(0, never), plain(1, never))),
	name(unix.SYS_RENAMEAT, "renameat", Rename, paths(at(0, 1, never, 0), at(2, 3, never, 0))),
	name(unix.SYS_LINK, "link", Link, paths(plain(0, never), plain(1, never))),
	name(unix.SYS_SYMLINK, "symlink", Symlink, paths(plain(1, never))),
	name(unix.SYS_CHMOD, "chmod", Attr, paths(plain(0, always))).withMode(1),
	name(unix.SYS_CHOWN, "chown", Attr, paths(plain(0, always))),
	name(unix.SYS_LCHOWN, "lchown", Attr, paths(plain(0, never))),
	name(unix.SYS_UTIME, "utime", Attr, paths(plain(0, always))),
	name(unix.SYS_UTIMES, "utimes", Attr, paths(plain(0, always))),
	name(unix.SYS_FUTIMESAT, "futimesat", Attr, paths(at(0, 1, always, 0))),
	name(unix.SYS_FORK, "fork", Process, nil),
	name(unix.SYS_VFORK, "vfork", Process, nil),
	data(unix.SYS_GETDENTS, "getdents", Read, 0),
}
