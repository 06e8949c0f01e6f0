package supervise

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_X86_64

// x32Bit marks the system calls of the x32 ABI, which the filter refuses.
const x32Bit = 0x40000000

var archCalls = []syscallSpec{
	creates(unix.SYS_OPEN, "open", Open, plain(0, asOpen)).withFlags(1).withMode(2).createsWith(openCreates),
	creates(unix.SYS_CREAT, "creat", Open, plain(0, always)).withMode(1),
	names(unix.SYS_STAT, "stat", Check, plain(0, always)),
	names(unix.SYS_LSTAT, "lstat", Check, plain(0, itself)),
	names(unix.SYS_NEWFSTATAT, "newfstatat", Check, atFlags(0, 1).orNull()).withFlags(3),
	names(unix.SYS_ACCESS, "access", Check, plain(0, always)),
	names(unix.SYS_READLINK, "readlink", Read, plain(0, itself)),
	creates(unix.SYS_MKDIR, "mkdir", Mkdir, plain(0, name)).withMode(1),
	creates(unix.SYS_MKNOD, "mknod", Mknod, plain(0, name)).withMode(1),
	names(unix.SYS_RMDIR, "rmdir", Rmdir, plain(0, name)),
	names(unix.SYS_UNLINK, "unlink", Unlink, plain(0, name)),
	creates(unix.SYS_RENAME, "rename", Rename, plain(0, name), plain(1, name)),
	creates(unix.SYS_RENAMEAT, "renameat", Rename, at(0, 1, name), at(2, 3, name)),
	creates(unix.SYS_LINK, "link", Link, plain(0, itself), plain(1, name)),
	creates(unix.SYS_SYMLINK, "symlink", Symlink, plain(1, name)),
	names(unix.SYS_CHMOD, "chmod", Attr, plain(0, always)).withMode(1),
	names(unix.SYS_CHOWN, "chown", Attr, plain(0, always)),
	names(unix.SYS_LCHOWN, "lchown", Attr, plain(0, itself)),
	names(unix.SYS_UTIME, "utime", Attr, plain(0, always)),
	names(unix.SYS_UTIMES, "utimes", Attr, plain(0, always)),
	names(unix.SYS_FUTIMESAT, "futimesat", Attr, at(0, 1, always).orNull()),
	names(unix.SYS_USELIB, "uselib", Special, plain(0, always)),
	creates(unix.SYS_FORK, "fork", Process),
	creates(unix.SYS_VFORK, "vfork", Process),
	data(unix.SYS_GETDENTS, "getdents", Read, 0),
	data(unix.SYS_DUP2, "dup2", Control, 1),
}

// getpgrp is getpgid of oneself.
const getpgrp = unix.SYS_GETPGRP

var archHeldCalls = []heldCall{
	{nr: unix.SYS_ARCH_PRCTL},
	{nr: unix.SYS_TIME, answer: answerTime},
	{nr: unix.SYS_GETPGRP, answer: answerGroup(unix.Getpgid)},
}
