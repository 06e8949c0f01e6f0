package supervise

import "golang.org/x/sys/unix"

// follow says whether the last component of a path is followed when it is a
// symbolic link.
type follow uint8

const (
	always    follow = iota
	name             // the call works on the entry: its name is made, removed or moved
	itself           // the call works on a link itself, unless a slash follows it
	unlessBit        // like always, but like itself when the flag argument has the bit
	ifBit            // the other way round
	asOpen           // like itself with O_NOFOLLOW, like name with O_CREAT|O_EXCL
)

// pathArg is one path argument of a call. dir is the index of its directory
// descriptor.
type pathArg struct {
	dir, arg int8
	follow   follow
	bit      uint64
	empty    uint64 // flag with which "" stands for the descriptor itself
	null     bool   // a null pointer stands for the descriptor itself
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
	// createBits, where not 0, are those bits of the flags argument with one
	// of which the call belongs to Creates.
	createBits uint32
}

const (
	atNofollow = unix.AT_SYMLINK_NOFOLLOW
	atFollow   = unix.AT_SYMLINK_FOLLOW
	// Of include/uapi/linux/mount.h; x/sys/unix has them for amd64 only.
	fspickNofollow = 0x2
	fspickEmpty    = 0x8
	moveFromFollow = 0x1
	moveFromEmpty  = 0x4
	moveToFollow   = 0x10
	moveToEmpty    = 0x40

	// An open with one of these bits may make an object.
	openCreates = unix.O_CREAT | unix.O_TMPFILE&^unix.O_DIRECTORY
)

func plain(arg int8, f follow) pathArg         { return pathArg{dir: none, arg: arg, follow: f} }
func at(dir, arg int8, f follow) pathArg       { return pathArg{dir: dir, arg: arg, follow: f} }
func (p pathArg) when(bit uint64) pathArg      { p.bit = bit; return p }
func (p pathArg) emptyWith(bit uint64) pathArg { p.empty = bit; return p }
func (p pathArg) orNull() pathArg              { p.null = true; return p }

// atFlags is a path with the usual flags AT_SYMLINK_NOFOLLOW and
// AT_EMPTY_PATH.
func atFlags(dir, arg int8) pathArg {
	return at(dir, arg, unlessBit).when(atNofollow).emptyWith(unix.AT_EMPTY_PATH)
}

func names(nr uint32, s string, k Kind, p ...pathArg) syscallSpec {
	return syscallSpec{nr: nr, name: s, kind: k, set: Names, paths: p, fd: none, flags: none, mode: none}
}

// anyFlags: "" stands for the descriptor whatever the flags are.
const anyFlags = ^uint64(0)

// creates is a call that makes a name, or a process.
func creates(nr uint32, s string, k Kind, p ...pathArg) syscallSpec {
	c := names(nr, s, k, p...)
	c.set |= Creates
	return c
}
func data(nr uint32, s string, k Kind, fd int8) syscallSpec {
	return syscallSpec{nr: nr, name: s, kind: k, set: Data, fd: fd, flags: none, mode: none}
}
func reads(nr uint32, s string) syscallSpec {
	c := data(nr, s, Read, 0)
	c.set = Reads
	return c
}
func uses(nr uint32, s string, k Kind, p ...pathArg) syscallSpec {
	c := names(nr, s, k, p...)
	c.set = Uses
	if len(p) == 0 {
		c.fd = 0
	}
	return c
}
func (c syscallSpec) also(s Set) syscallSpec              { c.set |= s; return c }
func (c syscallSpec) withFlags(i int8) syscallSpec        { c.flags = i; return c }
func (c syscallSpec) withMode(i int8) syscallSpec         { c.mode = i; return c }
func (c syscallSpec) withFD(i int8) syscallSpec           { c.fd = i; return c }
func (c syscallSpec) createsWith(bits uint32) syscallSpec { c.createBits = bits; return c }

// commonCalls are the calls that every architecture has; archCalls, in a file
// of its own, adds those that only old architectures kept.
var commonCalls = []syscallSpec{
	creates(unix.SYS_OPENAT, "openat", Open, at(0, 1, asOpen)).withFlags(2).withMode(3).createsWith(openCreates),
	creates(unix.SYS_OPENAT2, "openat2", Open, at(0, 1, asOpen)), // flags and mode are in memory: see decode
	names(unix.SYS_STATX, "statx", Check, atFlags(0, 1).orNull()).withFlags(2),
	names(unix.SYS_FACCESSAT, "faccessat", Check, at(0, 1, always)),
	names(unix.SYS_FACCESSAT2, "faccessat2", Check, atFlags(0, 1)).withFlags(3),
	names(unix.SYS_READLINKAT, "readlinkat", Read, at(0, 1, itself).emptyWith(anyFlags)),
	creates(unix.SYS_MKDIRAT, "mkdirat", Mkdir, at(0, 1, name)).withMode(2),
	creates(unix.SYS_MKNODAT, "mknodat", Mknod, at(0, 1, name)).withMode(2),
	names(unix.SYS_UNLINKAT, "unlinkat", Unlink, at(0, 1, name)).withFlags(2),
	creates(unix.SYS_RENAMEAT2, "renameat2", Rename, at(0, 1, name), at(2, 3, name)).withFlags(4),
	creates(unix.SYS_LINKAT, "linkat", Link, at(0, 1, ifBit).when(atFollow).emptyWith(unix.AT_EMPTY_PATH), at(2, 3, name)).withFlags(4),
	creates(unix.SYS_SYMLINKAT, "symlinkat", Symlink, at(1, 2, name)),
	names(unix.SYS_FCHMODAT, "fchmodat", Attr, at(0, 1, always)).withMode(2),
	names(unix.SYS_FCHMODAT2, "fchmodat2", Attr, atFlags(0, 1)).withMode(2).withFlags(3),
	names(unix.SYS_FCHOWNAT, "fchownat", Attr, atFlags(0, 1)).withFlags(4),
	names(unix.SYS_UTIMENSAT, "utimensat", Attr, atFlags(0, 1).orNull()).withFlags(3),
	names(unix.SYS_TRUNCATE, "truncate", Write, plain(0, always)),
	names(unix.SYS_CHDIR, "chdir", Chdir, plain(0, always)),
	creates(unix.SYS_CHROOT, "chroot", Chdir, plain(0, always)), // it makes no name, but says what names mean: see Event.Rebases
	creates(unix.SYS_EXECVE, "execve", Exec, plain(0, always)),
	creates(unix.SYS_EXECVEAT, "execveat", Exec, atFlags(0, 1)).withFlags(4),
	names(unix.SYS_STATFS, "statfs", Check, plain(0, always)),
	names(unix.SYS_SETXATTR, "setxattr", Attr, plain(0, always)),
	names(unix.SYS_LSETXATTR, "lsetxattr", Attr, plain(0, itself)),
	names(unix.SYS_GETXATTR, "getxattr", Check, plain(0, always)),
	names(unix.SYS_LGETXATTR, "lgetxattr", Check, plain(0, itself)),
	names(unix.SYS_LISTXATTR, "listxattr", Check, plain(0, always)),
	names(unix.SYS_LLISTXATTR, "llistxattr", Check, plain(0, itself)),
	names(unix.SYS_REMOVEXATTR, "removexattr", Attr, plain(0, always)),
	names(unix.SYS_LREMOVEXATTR, "lremovexattr", Attr, plain(0, itself)),
	names(unix.SYS_SETXATTRAT, "setxattrat", Attr, atFlags(0, 1)).withFlags(2),
	names(unix.SYS_GETXATTRAT, "getxattrat", Check, atFlags(0, 1)).withFlags(2),
	names(unix.SYS_LISTXATTRAT, "listxattrat", Check, atFlags(0, 1)).withFlags(2),
	names(unix.SYS_REMOVEXATTRAT, "removexattrat", Attr, atFlags(0, 1)).withFlags(2),
	names(unix.SYS_FILE_GETATTR, "file_getattr", Check, atFlags(0, 1)).withFlags(4),
	names(unix.SYS_FILE_SETATTR, "file_setattr", Attr, atFlags(0, 1)).withFlags(4),
	creates(unix.SYS_MOUNT, "mount", Mount, plain(0, always).orNull(), plain(1, always)),
	creates(unix.SYS_UMOUNT2, "umount2", Mount, at(none, 0, unlessBit).when(unix.UMOUNT_NOFOLLOW)).withFlags(1),
	creates(unix.SYS_PIVOT_ROOT, "pivot_root", Mount, plain(0, always), plain(1, always)),
	creates(unix.SYS_OPEN_TREE, "open_tree", Mount, atFlags(0, 1)).withFlags(2),
	creates(unix.SYS_OPEN_TREE_ATTR, "open_tree_attr", Mount, atFlags(0, 1)).withFlags(2),
	creates(unix.SYS_MOVE_MOUNT, "move_mount", Mount, at(0, 1, ifBit).when(moveFromFollow).emptyWith(moveFromEmpty), at(2, 3, ifBit).when(moveToFollow).emptyWith(moveToEmpty)).withFlags(4),
	names(unix.SYS_FSPICK, "fspick", Mount, at(0, 1, unlessBit).when(fspickNofollow).emptyWith(fspickEmpty)).withFlags(2),
	names(unix.SYS_MOUNT_SETATTR, "mount_setattr", Mount, atFlags(0, 1)).withFlags(2),
	names(unix.SYS_NAME_TO_HANDLE_AT, "name_to_handle_at", Special, at(0, 1, ifBit).when(atFollow).emptyWith(unix.AT_EMPTY_PATH)).withFlags(4),
	names(unix.SYS_INOTIFY_ADD_WATCH, "inotify_add_watch", Special, at(none, 1, unlessBit).when(unix.IN_DONT_FOLLOW)).withFlags(2),
	names(unix.SYS_FANOTIFY_MARK, "fanotify_mark", Special, at(3, 4, unlessBit).when(unix.FAN_MARK_DONT_FOLLOW).orNull()).withFlags(1),
	creates(unix.SYS_BIND, "bind", Mknod, plain(1, name)), // a struct sockaddr: see decode
	names(unix.SYS_ACCT, "acct", Special, plain(0, always).orNull()),
	names(unix.SYS_SWAPON, "swapon", Special, plain(0, always)),
	names(unix.SYS_SWAPOFF, "swapoff", Special, plain(0, always)),
	names(unix.SYS_QUOTACTL, "quotactl", Special, plain(1, always).orNull()),
	names(unix.SYS_FSCONFIG, "fsconfig", Mount, at(4, 3, always).emptyWith(anyFlags)), // for two of its commands: see decode
	names(unix.SYS_OPEN_BY_HANDLE_AT, "open_by_handle_at", Special).withFD(0).withFlags(2),
	names(unix.SYS_CONNECT, "connect", Special, plain(1, always)), // likewise

	names(unix.SYS_FSTAT, "fstat", Check).withFD(0),
	names(unix.SYS_FCHMOD, "fchmod", Attr).withFD(0).withMode(1),
	names(unix.SYS_FCHOWN, "fchown", Attr).withFD(0),
	names(unix.SYS_FCHDIR, "fchdir", Chdir).withFD(0),
	names(unix.SYS_FSYNC, "fsync", Write).withFD(0), // also the child's way to speak to the parent: see Child
	creates(unix.SYS_CLONE, "clone", Process).withFlags(0),
	creates(unix.SYS_CLONE3, "clone3", Process),
	names(unix.SYS_KILL, "kill", Signal),
	names(unix.SYS_TKILL, "tkill", Signal),
	names(unix.SYS_TGKILL, "tgkill", Signal), // to the supervisor only: see chosen
	names(unix.SYS_PIDFD_SEND_SIGNAL, "pidfd_send_signal", Signal),
	creates(unix.SYS_RT_SIGACTION, "rt_sigaction", Handler), // never told of: see handles
	creates(unix.SYS_UNSHARE, "unshare", Process).withFlags(0),
	creates(unix.SYS_SETNS, "setns", Process).withFD(0).withFlags(1),
	creates(unix.SYS_SETSID, "setsid", Process),
	creates(unix.SYS_SETPGID, "setpgid", Process),
	creates(unix.SYS_IO_URING_SETUP, "io_uring_setup", Refused),

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
	data(unix.SYS_SYNCFS, "syncfs", Write, 0),
	data(unix.SYS_SYNC_FILE_RANGE, "sync_file_range", Write, 0),
	data(unix.SYS_MSYNC, "msync", Write, none).withFlags(2),
	data(unix.SYS_IOCTL, "ioctl", Write, 0).withFlags(1), // those that write: see chosen
	data(unix.SYS_LSEEK, "lseek", Control, 0).withFlags(2),
	data(unix.SYS_DUP3, "dup3", Control, 1).withFlags(2),
	data(unix.SYS_FSTATFS, "fstatfs", Check, 0),
	data(unix.SYS_FSETXATTR, "fsetxattr", Attr, 0),
	data(unix.SYS_FREMOVEXATTR, "fremovexattr", Attr, 0),
	data(unix.SYS_CLOSE, "close", Close, 0),
	data(unix.SYS_CLOSE_RANGE, "close_range", Close, 0),
	data(unix.SYS_GETDENTS64, "getdents64", Read, 0),

	uses(unix.SYS_FLOCK, "flock", Lock).withFlags(1).also(Data),
	uses(unix.SYS_FCNTL, "fcntl", Lock).withFlags(1).also(Data), // those that lock: see chosen
	uses(unix.SYS_SENDTO, "sendto", Special, plain(4, always)),  // a struct sockaddr: see path
	uses(unix.SYS_SENDMSG, "sendmsg", Special, plain(1, always)),
	uses(unix.SYS_SENDMMSG, "sendmmsg", Special), // see inMemory
	uses(unix.SYS_GETSOCKOPT, "getsockopt", Special).withFlags(2),
	uses(unix.SYS_IO_SUBMIT, "io_submit", Submit).withFD(none),
	{nr: unix.SYS_MMAP, name: "mmap", kind: Map, set: Uses, fd: 4, flags: 3, mode: none},

	reads(unix.SYS_READ, "read"),
	reads(unix.SYS_READV, "readv"),
	reads(unix.SYS_PREAD64, "pread64"),
	reads(unix.SYS_PREADV, "preadv"),
	reads(unix.SYS_PREADV2, "preadv2"),
}

// calls of this architecture by number.
func calls() []syscallSpec {
	return append(commonCalls[:len(commonCalls):len(commonCalls)], archCalls...)
}

// Known is a call of the table.
type Known struct {
	Kind  Kind
	Set   Set
	Paths bool // it takes a path
}

// Calls is the table of this architecture, by name.
func Calls() map[string]Known {
	table := map[string]Known{}
	for _, c := range calls() {
		table[c.name] = Known{c.kind, c.set, len(c.paths) > 0}
	}
	return table
}
