package supervise

import "golang.org/x/sys/unix"

// follow says whether the last component of a path is followed when it is a
// symbolic link.
type follow uint8

const (
	always    follow = iota
	never            // the call works on the name or on the link itself
	unlessBit        // not when the flag argument has the bit
	ifBit            // only when the flag argument has the bit
	asOpen           // not with O_NOFOLLOW, nor with O_CREAT|O_EXCL
)

// pathArg is one path argument of a call. dir is the index of its directory
// descriptor, -1 for none.
type pathArg struct {
	dir, arg int8
	follow   follow
	bit      uint64
}

// none marks an argument that a call does not have.
const none = -1

// syscallSpec describes one system call.
type syscallSpec struct {
	nr    uint32
	name  string
	kind  Kind
	set   Set
	paths []pathArg
	fd    int8 // index of the descriptor acted on
	flags int8 // index of the flags argument
	mode  int8 // index of the mode argument
}

const (
	atNofollow = unix.AT_SYMLINK_NOFOLLOW
	atFollow   = unix.AT_SYMLINK_FOLLOW
)

func paths(p ...pathArg) []pathArg                   { return p }
func at(dir, arg int8, f follow, bit uint64) pathArg { return pathArg{dir, arg, f, bit} }
func plain(arg int8, f follow) pathArg               { return pathArg{none, arg, f, 0} }
func name(nr uint32, s string, k Kind, p []pathArg) syscallSpec {
	return syscallSpec{nr, s, k, Names, p, none, none, none}
}
func data(nr uint32, s string, k Kind, fd int8) syscallSpec {
	return syscallSpec{nr, s, k, Data, nil, fd, none, none}
}
func (c syscallSpec) withFlags(i int8) syscallSpec { c.flags = i; return c }
func (c syscallSpec) withMode(i int8) syscallSpec  { c.mode = i; return c }
func (c syscallSpec) withFD(i int8) syscallSpec    { c.fd = i; return c }

// commonCalls are the calls that every architecture has; archCalls, in a file
// of its own, adds those that only old architectures kept.
var commonCalls = []syscallSpec{
	name(unix.SYS_OPENAT, "openat", Open, paths(at(0, 1, asOpen, 0))).withFlags(2).withMode(3),
	name(unix.SYS_OPENAT2, "openat2", Open, paths(at(0, 1, asOpen, 0))), // flags and mode are in memory: see decode
	name(unix.SYS_STATX, "statx", Check, paths(at(0, 1, unlessBit, atNofollow))).withFlags(2),
	name(unix.SYS_FACCESSAT, "faccessat", Check, paths(at(0, 1, always, 0))),
	name(unix.SYS_FACCESSAT2, "faccessat2", Check, paths(at(0, 1, unlessBit, atNofollow))).withFlags(3),
	name(unix.SYS_READLINKAT, "readlinkat", Read, paths(at(0, 1, never, 0))),
	name(unix.SYS_MKDIRAT, "mkdirat", Mkdir, paths(at(0, 1, never, 0))).withMode(2),
	name(unix.SYS_MKNODAT, "mknodat", Mknod, paths(at(0, 1, never, 0))).withMode(2),
	name(unix.SYS_UNLINKAT, "unlinkat", Unlink, paths(at(0, 1, never, 0))).withFlags(2),
	name(unix.SYS_RENAMEAT2, "renameat2", Rename, paths(at(0, 1, never, 0), at(2, 3, never, 0))).withFlags(4),
	name(unix.SYS_LINKAT, "linkat", Link, paths(at(0, 1, ifBit, atFollow), at(2, 3, never, 0))).withFlags(4),
	name(unix.SYS_SYMLINKAT, "symlinkat", Symlink, paths(at(1, 2, never, 0))),
	name(unix.SYS_FCHMODAT, "fchmodat", Attr, paths(at(0, 1, always, 0))).withMode(2),
	name(unix.SYS_FCHMODAT2, "fchmodat2", Attr, paths(at(0, 1, unlessBit, atNofollow))).withMode(2).withFlags(3),
	name(unix.SYS_FCHOWNAT, "fchownat", Attr, paths(at(0, 1, unlessBit, atNofollow))).withFlags(4),
	name(unix.SYS_UTIMENSAT, "utimensat", Attr, paths(at(0, 1, unlessBit, atNofollow))).withFlags(3),
	name(unix.SYS_TRUNCATE, "truncate", Write, paths(plain(0, always))),
	name(unix.SYS_CHDIR, "chdir", Chdir, paths(plain(0, always))),
	name(unix.SYS_CHROOT, "chroot", Chdir, paths(plain(0, always))),
	name(unix.SYS_EXECVE, "execve", Exec, paths(plain(0, always))),
	name(unix.SYS_EXECVEAT, "execveat", Exec, paths(at(0, 1, unlessBit, atNofollow))).withFlags(4),
	name(unix.SYS_STATFS, "statfs", Check, paths(plain(0, always))),
	name(unix.SYS_SETXATTR, "setxattr", Attr, paths(plain(0, always))),
	name(unix.SYS_LSETXATTR, "lsetxattr", Attr, paths(plain(0, never))),
	name(unix.SYS_GETXATTR, "getxattr", Check, paths(plain(0, always))),
	name(unix.SYS_LGETXATTR, "lgetxattr", Check, paths(plain(0, never))),
	name(unix.SYS_LISTXATTR, "listxattr", Check, paths(plain(0, always))),
	name(unix.SYS_LLISTXATTR, "llistxattr", Check, paths(plain(0, never))),
	name(unix.SYS_REMOVEXATTR, "removexattr", Attr, paths(plain(0, always))),
	name(unix.SYS_LREMOVEXATTR, "lremovexattr", Attr, paths(plain(0, never))),
	name(unix.SYS_SETXATTRAT, "setxattrat", Attr, paths(at(0, 1, unlessBit, atNofollow))).withFlags(2),
	name(unix.SYS_GETXATTRAT, "getxattrat", Check, paths(at(0, 1, unlessBit, atNofollow))).withFlags(2),
	name(unix.SYS_LISTXATTRAT, "listxattrat", Check, paths(at(0, 1, unlessBit, atNofollow))).withFlags(2),
	name(unix.SYS_REMOVEXATTRAT, "removexattrat", Attr, paths(at(0, 1, unlessBit, atNofollow))).withFlags(2),
	name(unix.SYS_FILE_GETATTR, "file_getattr", Check, paths(at(0, 1, unlessBit, atNofollow))).withFlags(4),
	name(unix.SYS_FILE_SETATTR, "file_setattr", Attr, paths(at(0, 1, unlessBit, atNofollow))).withFlags(4),
	name(unix.SYS_MOUNT, "mount", Mount, paths(plain(0, always), plain(1, always))),
	name(unix.SYS_UMOUNT2, "umount2", Mount, paths(at(none, 0, unlessBit, unix.UMOUNT_NOFOLLOW))).withFlags(1),
	name(unix.SYS_PIVOT_ROOT, "pivot_root", Mount, paths(plain(0, always), plain(1, always))),
	name(unix.SYS_OPEN_TREE, "open_tree", Mount, paths(at(0, 1, unlessBit, atNofollow))).withFlags(2),
	name(unix.SYS_OPEN_TREE_ATTR, "open_tree_attr", Mount, paths(at(0, 1, unlessBit, atNofollow))).withFlags(2),
	name(unix.SYS_MOVE_MOUNT, "move_mount", Mount, paths(at(0, 1, never, 0), at(2, 3, always, 0))),
	name(unix.SYS_FSPICK, "fspick", Mount, paths(at(0, 1, unlessBit, 0x2))).withFlags(2), // FSPICK_SYMLINK_NOFOLLOW
	name(unix.SYS_MOUNT_SETATTR, "mount_setattr", Mount, paths(at(0, 1, unlessBit, atNofollow))).withFlags(2),
	name(unix.SYS_NAME_TO_HANDLE_AT, "name_to_handle_at", Special, paths(at(0, 1, ifBit, atFollow))).withFlags(4),
	name(unix.SYS_INOTIFY_ADD_WATCH, "inotify_add_watch", Special, paths(at(none, 1, unlessBit, unix.IN_DONT_FOLLOW))).withFlags(2),
	name(unix.SYS_FANOTIFY_MARK, "fanotify_mark", Special, paths(at(3, 4, unlessBit, unix.FAN_MARK_DONT_FOLLOW))).withFlags(1),
	name(unix.SYS_BIND, "bind", Mknod, paths(plain(1, never))),          // a struct sockaddr: see decode
	name(unix.SYS_CONNECT, "connect", Special, paths(plain(1, always))), // likewise

	name(unix.SYS_FSTAT, "fstat", Check, nil).withFD(0),
	name(unix.SYS_FCHMOD, "fchmod", Attr, nil).withFD(0).withMode(1),
	name(unix.SYS_FCHOWN, "fchown", Attr, nil).withFD(0),
	name(unix.SYS_FCHDIR, "fchdir", Chdir, nil).withFD(0),
	name(unix.SYS_FSYNC, "fsync", Write, nil).withFD(0), // also the child's way to speak to the parent: see Child
	name(unix.SYS_CLONE, "clone", Process, nil),
	name(unix.SYS_CLONE3, "clone3", Process, nil),
	name(unix.SYS_KILL, "kill", Signal, nil),
	name(unix.SYS_TKILL, "tkill", Signal, nil),
	name(unix.SYS_TGKILL, "tgkill", Signal, nil), // to the supervisor only: see program
	name(unix.SYS_PIDFD_SEND_SIGNAL, "pidfd_send_signal", Signal, nil),
	name(unix.SYS_SETSID, "setsid", Process, nil),
	name(unix.SYS_SETPGID, "setpgid", Process, nil),

	data(unix.SYS_WRITE, "write", Write, 0),
	data(unix.SYS_WRITEV, "writev", Write, 0),
	data(unix.SYS_PWRITE64, "pwrite64", Write, 0),
	data(unix.SYS_PWRITEV, "pwritev", Write, 0),
	data(unix.SYS_PWRITEV2, "pwritev2", Write, 0),
	data(unix.SYS_SENDFILE, "sendfile", Write, 0),
	data(unix.SYS_COPY_FILE_RANGE, "copy_file_range", Write, 2),
	data(unix.SYS_SPLICE, "splice", Write, 2),
	data(unix.SYS_FTRUNCATE, "ftruncate", Write, 0),
	data(unix.SYS_FALLOCATE, "fallocate", Write, 0),
	data(unix.SYS_FDATASYNC, "fdatasync", Write, 0),
	data(unix.SYS_FSETXATTR, "fsetxattr", Attr, 0),
	data(unix.SYS_FREMOVEXATTR, "fremovexattr", Attr, 0),
	data(unix.SYS_CLOSE, "close", Close, 0),
	data(unix.SYS_CLOSE_RANGE, "close_range", Close, 0),
	data(unix.SYS_GETDENTS64, "getdents64", Read, 0),
}

// calls of this architecture by number.
func calls() []syscallSpec {
	return append(commonCalls[:len(commonCalls):len(commonCalls)], archCalls...)
}
