//go:build amd64 || arm64

package supervise

import (
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// callRow is a system call with the registers that a program gives it, and
// what its event must say. The supervisor lets each fail: none is run.
type callRow struct {
	name string // "call" or "call, with a peculiarity"
	nr   uintptr
	args []any // int; string: a pointer to it; []uint64 or []byte: likewise
	kind Kind
	set  Set
	want []Path
	fd   int // -1 unless said otherwise by on()
	flag uint64
	mode uint32
}

const (
	cwd  = unix.AT_FDCWD
	nofo = unix.AT_SYMLINK_NOFOLLOW
	empt = unix.AT_EMPTY_PATH
	dirN = 77 // a directory descriptor
)

func row(name string, nr uintptr, k Kind, args ...any) callRow {
	return callRow{name: name, nr: nr, kind: k, args: args, fd: -1, set: Names}
}
func (r callRow) gives(p ...Path) callRow      { r.want = p; return r }
func (r callRow) flags(f uint64) callRow       { r.flag = f; return r }
func (r callRow) modes(m uint32) callRow       { r.mode = m; return r }
func (r callRow) on(fd int) callRow            { r.fd = fd; return r }
func (r callRow) data() callRow                { r.set = Data; return r }
func (r callRow) reads() callRow               { r.set = Reads; return r }
func follows(s string, dir ...int) Path        { return Path{Raw: s, Dir: first(dir), Follow: true} }
func lands(s string, dir ...int) Path          { return Path{Raw: s, Dir: first(dir)} }
func object(fd int, follow ...bool) Path       { return Path{Dir: fd, Null: true, Follow: len(follow) > 0} }
func sockaddr(path string, family byte) []byte { return append([]byte{family, 0}, path...) }

func first(dir []int) int {
	if len(dir) == 0 {
		return cwd
	}
	return dir[0]
}

func (r callRow) in(s Set) callRow { r.set = s; return r }

// socketName stays where it is.
var socketName = sockaddr("/s\x00", unix.AF_UNIX)

// message is a struct mmsghdr with a socket's name.
func message() []uint64 {
	return []uint64{uint64(uintptr(unsafe.Pointer(&socketName[0]))), 5, 0, 0, 0, 0, 0, 0}
}

// commonRows are the calls of every architecture.
var commonRows = []callRow{
	row("flock", unix.SYS_FLOCK, Lock, 9, unix.LOCK_EX).on(9).flags(unix.LOCK_EX).in(Uses | Data),
	row("fcntl", unix.SYS_FCNTL, Lock, 9, unix.F_SETLKW, 0).on(9).flags(unix.F_SETLKW).in(Uses | Data),
	row("io_submit", unix.SYS_IO_SUBMIT, Submit, 0, 0, 0).in(Uses),
	row("fcntl, of the open file", unix.SYS_FCNTL, Lock, 9, unix.F_OFD_SETLKW, 0).on(9).flags(unix.F_OFD_SETLKW).in(Uses | Data),
	row("fcntl, that does not wait", unix.SYS_FCNTL, Lock, 9, unix.F_SETLK, 0).on(9).flags(unix.F_SETLK).in(Uses | Data),
	row("sendto", unix.SYS_SENDTO, Special, 9, "x", 1, 0, sockaddr("/s\x00", unix.AF_UNIX), 5).gives(follows("/s")).in(Uses),
	row("sendmsg", unix.SYS_SENDMSG, Special, 9, message(), 0).gives(follows("/s")).in(Uses),
	row("sendmsg, without a name", unix.SYS_SENDMSG, Special, 9, make([]uint64, 7), 0).in(Uses),
	row("sendmmsg", unix.SYS_SENDMMSG, Special, 9, append(append(message(), make([]uint64, 8)...), message()...), 3, 0).gives(follows("/s"), follows("/s")).on(9).in(Uses),
	row("getsockopt", unix.SYS_GETSOCKOPT, Special, 9, unix.SOL_SOCKET, unix.SO_PEERCRED, 0, 0).on(9).flags(unix.SO_PEERCRED).in(Uses),
	row("mmap", unix.SYS_MMAP, Map, 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE, dirN, 0).on(dirN).flags(unix.MAP_PRIVATE).in(Uses),
	row("openat", unix.SYS_OPENAT, Open, dirN, "f", unix.O_RDONLY, 0).gives(follows("f", dirN)),
	row("openat, creating", unix.SYS_OPENAT, Open, cwd, "/f", unix.O_CREAT|unix.O_WRONLY, 0o640).gives(follows("/f")).flags(unix.O_CREAT | unix.O_WRONLY).modes(0o640),
	row("openat, exclusive", unix.SYS_OPENAT, Open, cwd, "f", unix.O_CREAT|unix.O_EXCL, 0o600).gives(lands("f")).flags(unix.O_CREAT | unix.O_EXCL).modes(0o600),
	row("openat, no follow", unix.SYS_OPENAT, Open, cwd, "f", unix.O_NOFOLLOW, 0).gives(lands("f")).flags(unix.O_NOFOLLOW),
	row("openat, slash", unix.SYS_OPENAT, Open, cwd, "f/", unix.O_NOFOLLOW, 0).gives(follows("f/")).flags(unix.O_NOFOLLOW),
	row("openat, creating with a slash", unix.SYS_OPENAT, Open, cwd, "f/", unix.O_CREAT, 0).gives(lands("f/")).flags(unix.O_CREAT),
	row("openat, unnamed", unix.SYS_OPENAT, Open, cwd, "d", unix.O_TMPFILE|unix.O_RDWR, 0o600).gives(follows("d")).flags(unix.O_TMPFILE | unix.O_RDWR).modes(0o600),
	row("openat, O_DSYNC is not AT_EMPTY_PATH", unix.SYS_OPENAT, Open, dirN, "", unix.O_DSYNC, 0).gives(follows("", dirN)).flags(unix.O_DSYNC),
	row("openat2", unix.SYS_OPENAT2, Open, dirN, "f", []uint64{unix.O_CREAT, 0o600, unix.RESOLVE_BENEATH}, 24).gives(follows("f", dirN)).flags(unix.O_CREAT).modes(0o600),
	row("openat2, no symlinks", unix.SYS_OPENAT2, Open, cwd, "f", []uint64{0, 0, unix.RESOLVE_NO_SYMLINKS}, 24).gives(lands("f")),
	row("statx", unix.SYS_STATX, Check, cwd, "f", 0, 0, 0).gives(follows("f")),
	row("statx, no follow", unix.SYS_STATX, Check, cwd, "f", nofo, 0, 0).gives(lands("f")).flags(nofo),
	row("statx, by descriptor", unix.SYS_STATX, Check, dirN, "", empt, 0, 0).gives(object(dirN, true)).flags(empt),
	row("statx, by descriptor, null", unix.SYS_STATX, Check, dirN, 0, empt, 0, 0).gives(object(dirN, true)).flags(empt),
	row("statx, empty without the flag", unix.SYS_STATX, Check, dirN, "", 0, 0, 0).gives(follows("", dirN)),
	row("newfstatat", unix.SYS_NEWFSTATAT, Check, cwd, "f", 0, 0).gives(follows("f")),
	row("newfstatat, no follow", unix.SYS_NEWFSTATAT, Check, cwd, "f", 0, nofo).gives(lands("f")).flags(nofo),
	row("newfstatat, no follow, slash", unix.SYS_NEWFSTATAT, Check, cwd, "f/", 0, nofo).gives(follows("f/")).flags(nofo),
	row("newfstatat, fstat of glibc", unix.SYS_NEWFSTATAT, Check, 5, "", 0, empt).gives(object(5, true)).flags(empt),
	row("faccessat", unix.SYS_FACCESSAT, Check, dirN, "f", 0).gives(follows("f", dirN)),
	row("faccessat2", unix.SYS_FACCESSAT2, Check, dirN, "f", 0, nofo).gives(lands("f", dirN)).flags(nofo),
	row("readlinkat", unix.SYS_READLINKAT, Read, dirN, "f", 0, 0).gives(lands("f", dirN)),
	row("readlinkat, by descriptor", unix.SYS_READLINKAT, Read, dirN, "", 0, 0).gives(object(dirN)),
	row("mkdirat", unix.SYS_MKDIRAT, Mkdir, dirN, "d", 0o700).gives(lands("d", dirN)).modes(0o700),
	row("mkdirat, slash", unix.SYS_MKDIRAT, Mkdir, dirN, "d/", 0o700).gives(lands("d/", dirN)).modes(0o700),
	row("mknodat", unix.SYS_MKNODAT, Mknod, dirN, "p", unix.S_IFIFO|0o600, 0).gives(lands("p", dirN)).modes(unix.S_IFIFO | 0o600),
	row("unlinkat", unix.SYS_UNLINKAT, Unlink, dirN, "f", 0).gives(lands("f", dirN)),
	row("unlinkat, directory", unix.SYS_UNLINKAT, Unlink, dirN, "d", unix.AT_REMOVEDIR).gives(lands("d", dirN)).flags(unix.AT_REMOVEDIR),
	row("renameat", unix.SYS_RENAMEAT, Rename, dirN, "a", cwd, "b").gives(lands("a", dirN), lands("b")),
	row("renameat2", unix.SYS_RENAMEAT2, Rename, dirN, "a", dirN+1, "b", unix.RENAME_EXCHANGE).gives(lands("a", dirN), lands("b", dirN+1)).flags(unix.RENAME_EXCHANGE),
	row("linkat", unix.SYS_LINKAT, Link, dirN, "a", cwd, "b", 0).gives(lands("a", dirN), lands("b")),
	row("linkat, following", unix.SYS_LINKAT, Link, dirN, "a", cwd, "b", unix.AT_SYMLINK_FOLLOW).gives(follows("a", dirN), lands("b")).flags(unix.AT_SYMLINK_FOLLOW),
	row("linkat, by descriptor", unix.SYS_LINKAT, Link, dirN, "", cwd, "b", empt).gives(object(dirN), lands("b")).flags(empt),
	row("symlinkat", unix.SYS_SYMLINKAT, Symlink, "target", dirN, "b").gives(lands("b", dirN)),
	row("fchmodat", unix.SYS_FCHMODAT, Attr, dirN, "f", 0o600).gives(follows("f", dirN)).modes(0o600),
	row("fchmodat2", unix.SYS_FCHMODAT2, Attr, dirN, "f", 0o600, nofo).gives(lands("f", dirN)).modes(0o600).flags(nofo),
	row("fchmodat2, by descriptor", unix.SYS_FCHMODAT2, Attr, dirN, "", 0o600, empt).gives(object(dirN, true)).modes(0o600).flags(empt),
	row("fchownat", unix.SYS_FCHOWNAT, Attr, dirN, "f", 1, 1, nofo).gives(lands("f", dirN)).flags(nofo),
	row("utimensat", unix.SYS_UTIMENSAT, Attr, dirN, "f", 0, nofo).gives(lands("f", dirN)).flags(nofo),
	row("utimensat, by descriptor", unix.SYS_UTIMENSAT, Attr, dirN, 0, 0, 0).gives(object(dirN, true)),
	row("truncate", unix.SYS_TRUNCATE, Write, "f", 0).gives(follows("f")),
	row("chdir", unix.SYS_CHDIR, Chdir, "d").gives(follows("d")),
	row("chroot", unix.SYS_CHROOT, Chdir, "d").gives(follows("d")),
	row("execve", unix.SYS_EXECVE, Exec, "/x", 0, 0).gives(follows("/x")),
	row("execveat", unix.SYS_EXECVEAT, Exec, dirN, "x", 0, 0, nofo).gives(lands("x", dirN)).flags(nofo),
	row("execveat, by descriptor", unix.SYS_EXECVEAT, Exec, dirN, "", 0, 0, empt).gives(object(dirN, true)).flags(empt),
	row("statfs", unix.SYS_STATFS, Check, "f", 0).gives(follows("f")),
	row("setxattr", unix.SYS_SETXATTR, Attr, "f", "user.a", "v", 1, 0).gives(follows("f")),
	row("lsetxattr", unix.SYS_LSETXATTR, Attr, "f", "user.a", "v", 1, 0).gives(lands("f")),
	row("getxattr", unix.SYS_GETXATTR, Check, "f", "user.a", 0, 0).gives(follows("f")),
	row("lgetxattr", unix.SYS_LGETXATTR, Check, "f", "user.a", 0, 0).gives(lands("f")),
	row("listxattr", unix.SYS_LISTXATTR, Check, "f", 0, 0).gives(follows("f")),
	row("llistxattr", unix.SYS_LLISTXATTR, Check, "f", 0, 0).gives(lands("f")),
	row("removexattr", unix.SYS_REMOVEXATTR, Attr, "f", "user.a").gives(follows("f")),
	row("lremovexattr", unix.SYS_LREMOVEXATTR, Attr, "f", "user.a").gives(lands("f")),
	row("setxattrat", unix.SYS_SETXATTRAT, Attr, dirN, "f", nofo, "user.a", 0, 0).gives(lands("f", dirN)).flags(nofo),
	row("getxattrat", unix.SYS_GETXATTRAT, Check, dirN, "f", nofo, "user.a", 0, 0).gives(lands("f", dirN)).flags(nofo),
	row("listxattrat", unix.SYS_LISTXATTRAT, Check, dirN, "f", 0, 0, 0).gives(follows("f", dirN)),
	row("removexattrat", unix.SYS_REMOVEXATTRAT, Attr, dirN, "f", 0, "user.a").gives(follows("f", dirN)),
	row("file_getattr", unix.SYS_FILE_GETATTR, Check, dirN, "f", 0, 0, nofo).gives(lands("f", dirN)).flags(nofo),
	row("file_setattr", unix.SYS_FILE_SETATTR, Attr, dirN, "f", 0, 0, 0).gives(follows("f", dirN)),
	row("mount", unix.SYS_MOUNT, Mount, "s", "d", "none", 0, 0).gives(follows("s"), follows("d")),
	row("mount, without source", unix.SYS_MOUNT, Mount, 0, "d", "none", 0, 0).gives(object(cwd, true), follows("d")),
	row("umount2", unix.SYS_UMOUNT2, Mount, "d", unix.UMOUNT_NOFOLLOW).gives(lands("d")).flags(unix.UMOUNT_NOFOLLOW),
	row("pivot_root", unix.SYS_PIVOT_ROOT, Mount, "n", "o").gives(follows("n"), follows("o")),
	row("open_tree", unix.SYS_OPEN_TREE, Mount, dirN, "d", nofo).gives(lands("d", dirN)).flags(nofo),
	row("open_tree_attr", unix.SYS_OPEN_TREE_ATTR, Mount, dirN, "d", 0, 0, 0).gives(follows("d", dirN)),
	row("move_mount", unix.SYS_MOVE_MOUNT, Mount, dirN, "", cwd, "d", moveFromEmpty).gives(object(dirN), lands("d")).flags(moveFromEmpty),
	row("fspick", unix.SYS_FSPICK, Mount, dirN, "d", fspickNofollow).gives(lands("d", dirN)).flags(fspickNofollow),
	row("fsconfig, a path", unix.SYS_FSCONFIG, Mount, 9, 3, "key", "d", dirN).gives(follows("d", dirN)),
	row("fsconfig, a flag", unix.SYS_FSCONFIG, Mount, 9, 0, "ro", 0, 0),
	row("mount_setattr", unix.SYS_MOUNT_SETATTR, Mount, dirN, "d", nofo, 0, 0).gives(lands("d", dirN)).flags(nofo),
	row("name_to_handle_at", unix.SYS_NAME_TO_HANDLE_AT, Special, dirN, "f", 0, 0, 0).gives(lands("f", dirN)),
	row("open_by_handle_at", unix.SYS_OPEN_BY_HANDLE_AT, Special, dirN, 0, unix.O_RDWR).on(dirN).flags(unix.O_RDWR),
	row("inotify_add_watch", unix.SYS_INOTIFY_ADD_WATCH, Special, 9, "f", unix.IN_DONT_FOLLOW).gives(lands("f")).flags(unix.IN_DONT_FOLLOW),
	row("fanotify_mark", unix.SYS_FANOTIFY_MARK, Special, 9, unix.FAN_MARK_ADD, 0, dirN, "f").gives(follows("f", dirN)).flags(unix.FAN_MARK_ADD),
	row("acct", unix.SYS_ACCT, Special, "f").gives(follows("f")),
	row("swapon", unix.SYS_SWAPON, Special, "f", 0).gives(follows("f")),
	row("swapoff", unix.SYS_SWAPOFF, Special, "f").gives(follows("f")),
	row("quotactl", unix.SYS_QUOTACTL, Special, 0, "f", 0, 0).gives(follows("f")),
	row("bind", unix.SYS_BIND, Mknod, 9, sockaddr("/s\x00junk", unix.AF_UNIX), 9).gives(lands("/s")),
	row("bind, without NUL", unix.SYS_BIND, Mknod, 9, sockaddr("s", unix.AF_UNIX), 3).gives(lands("s")),
	row("bind, abstract", unix.SYS_BIND, Mknod, 9, sockaddr("\x00s", unix.AF_UNIX), 4),
	row("bind, cut short", unix.SYS_BIND, Mknod, 9, sockaddr("s", unix.AF_UNIX), 2),
	row("bind, unreadable", unix.SYS_BIND, Mknod, 9, 1, 9).gives(Path{Dir: cwd, Err: unix.EFAULT}),
	row("bind, internet", unix.SYS_BIND, Mknod, 9, sockaddr("12345678901234", unix.AF_INET), 16),
	row("connect", unix.SYS_CONNECT, Special, 9, sockaddr("/s\x00", unix.AF_UNIX), 5).gives(follows("/s")),

	row("fstat", unix.SYS_FSTAT, Check, 9, 0).on(9),
	row("fchmod", unix.SYS_FCHMOD, Attr, 9, 0o600).on(9).modes(0o600),
	row("fchown", unix.SYS_FCHOWN, Attr, 9, 1, 1).on(9),
	row("fchdir", unix.SYS_FCHDIR, Chdir, 9).on(9),
	row("fsync", unix.SYS_FSYNC, Write, 9).on(9),
	row("clone", unix.SYS_CLONE, Process, uint64(unix.SIGCHLD), 0, 0, 0, 0).flags(uint64(unix.SIGCHLD)),
	row("clone3", unix.SYS_CLONE3, Process, []uint64{unix.CLONE_NEWPID, 0, 0, 0, 0, 0, 0, 0}, 64).flags(unix.CLONE_NEWPID),
	row("kill", unix.SYS_KILL, Signal, 1<<22+1, 0),
	row("tkill", unix.SYS_TKILL, Signal, 1<<22+1, 0),
	row("tgkill, the supervisor", unix.SYS_TGKILL, Signal, ppid{}, 1, 0),
	row("pidfd_send_signal", unix.SYS_PIDFD_SEND_SIGNAL, Signal, 99, 0, 0, 0),
	row("setsid", unix.SYS_SETSID, Process),
	row("io_uring_setup", unix.SYS_IO_URING_SETUP, Refused, 1, 0),
	row("setpgid", unix.SYS_SETPGID, Process, 0, 0),
	row("unshare", unix.SYS_UNSHARE, Process, unix.CLONE_NEWNS).flags(unix.CLONE_NEWNS),
	row("setns", unix.SYS_SETNS, Process, 9, unix.CLONE_NEWNS).on(9).flags(unix.CLONE_NEWNS),

	row("write", unix.SYS_WRITE, Write, 99, "x", 1).on(99).data(),
	row("writev", unix.SYS_WRITEV, Write, 99, 0, 0).on(99).data(),
	row("pwrite64", unix.SYS_PWRITE64, Write, 99, "x", 1, 0).on(99).data(),
	row("pwritev", unix.SYS_PWRITEV, Write, 99, 0, 0, 0).on(99).data(),
	row("pwritev2", unix.SYS_PWRITEV2, Write, 99, 0, 0, 0).on(99).data(),
	row("sendfile", unix.SYS_SENDFILE, Write, 99, 98, 0, 1).on(99).data(),
	row("copy_file_range", unix.SYS_COPY_FILE_RANGE, Write, 98, 0, 99, 0, 1, 0).on(99).data(),
	row("splice", unix.SYS_SPLICE, Write, 98, 0, 99, 0, 1, 0).on(99).data(),
	row("ftruncate", unix.SYS_FTRUNCATE, Write, 99, 1).on(99).data(),
	row("fallocate", unix.SYS_FALLOCATE, Write, 99, 0, 0, 1).on(99).data(),
	row("fdatasync", unix.SYS_FDATASYNC, Write, 99).on(99).data(),
	row("syncfs", unix.SYS_SYNCFS, Write, 99).on(99).data(),
	row("sync_file_range", unix.SYS_SYNC_FILE_RANGE, Write, 99, 0, 1, 0).on(99).data(),
	row("msync", unix.SYS_MSYNC, Write, 0, 1, unix.MS_SYNC).flags(unix.MS_SYNC).data(),
	row("ioctl, FICLONE", unix.SYS_IOCTL, Write, 99, ficlone, 98).on(99).flags(ficlone).data(),
	row("ioctl, FICLONERANGE", unix.SYS_IOCTL, Write, 99, ficloneRange, 98).on(99).flags(ficloneRange).data(),
	row("lseek", unix.SYS_LSEEK, Control, 99, 0, unix.SEEK_END).on(99).flags(unix.SEEK_END).data(),
	row("dup3", unix.SYS_DUP3, Control, 98, 99, 0).on(99).data(),
	row("fstatfs", unix.SYS_FSTATFS, Check, 99, 0).on(99).data(),
	row("fsetxattr", unix.SYS_FSETXATTR, Attr, 99, "user.a", "v", 1, 0).on(99).data(),
	row("fremovexattr", unix.SYS_FREMOVEXATTR, Attr, 99, "user.a").on(99).data(),
	row("close", unix.SYS_CLOSE, Close, 99).on(99).data(),
	row("close_range", unix.SYS_CLOSE_RANGE, Close, 99, 99, 0).on(99).data(),
	row("getdents64", unix.SYS_GETDENTS64, Read, 99, 0, 0).on(99).data(),

	row("read", unix.SYS_READ, Read, 99, 0, 0).on(99).reads(),
	row("readv", unix.SYS_READV, Read, 99, 0, 0).on(99).reads(),
	row("pread64", unix.SYS_PREAD64, Read, 99, 0, 0, 0).on(99).reads(),
	row("preadv", unix.SYS_PREADV, Read, 99, 0, 0, 0).on(99).reads(),
	row("preadv2", unix.SYS_PREADV2, Read, 99, 0, 0, 0).on(99).reads(),
}

// names that are longer than a page, end at a page's end, or cannot be read.
var nameRows = []callRow{
	row("mkdirat, at the end of a mapping", unix.SYS_MKDIRAT, Mkdir, cwd, atEnd("to-the-last-byte"), 0).gives(lands("to-the-last-byte")),
	row("mkdirat, over a page's end", unix.SYS_MKDIRAT, Mkdir, cwd, overEnd(long(600)), 0).gives(lands(long(600))),
	row("mkdirat, of PATH_MAX", unix.SYS_MKDIRAT, Mkdir, cwd, long(unix.PathMax-1), 0).gives(lands(long(unix.PathMax - 1))),
	row("mkdirat, longer than PATH_MAX", unix.SYS_MKDIRAT, Mkdir, cwd, long(2*unix.PathMax), 0).gives(lands(long(unix.PathMax))),
	row("mkdirat, not UTF-8", unix.SYS_MKDIRAT, Mkdir, cwd, "\xff\n\x01", 0).gives(lands("\xff\n\x01")),
	row("mkdirat, unmapped", unix.SYS_MKDIRAT, Mkdir, cwd, 8, 0).gives(Path{Dir: cwd, Err: unix.EFAULT}),
	row("mkdirat, null", unix.SYS_MKDIRAT, Mkdir, cwd, 0, 0).gives(Path{Dir: cwd, Err: unix.EFAULT}),
	row("mkdirat, runs into the unmapped", unix.SYS_MKDIRAT, Mkdir, cwd, cut("no-end"), 0).gives(Path{Dir: cwd, Err: unix.EFAULT}),
	row("openat2, unmapped", unix.SYS_OPENAT2, Open, cwd, "f", 8, 24).gives(follows("f")),
}

type (
	atEnd   string // ends where the mapping ends
	overEnd string // lies across the end of a page
	ppid    struct{}
	cut     string // has no NUL before the mapping's end
)

func long(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789/"[i%11]
	}
	return string(b)
}

func rows() []callRow {
	all := append(commonRows[:len(commonRows):len(commonRows)], archRows...)
	return append(all, nameRows...)
}

func init() {
	victims["calls"] = func(string) {
		page := unix.Getpagesize()
		mem, err := unix.Mmap(-1, 0, 3*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil || unix.Mprotect(mem[2*page:], unix.PROT_NONE) != nil {
			return
		}
		put := func(s string, at int) uintptr {
			copy(mem[at:], s)
			return uintptr(unsafe.Pointer(&mem[at]))
		}
		for i, r := range rows() {
			var a [6]uintptr
			var keep []any
			for j, arg := range r.args {
				switch v := arg.(type) {
				case int:
					a[j] = uintptr(v)
				case ppid:
					a[j] = uintptr(os.Getppid())
				case uint64:
					a[j] = uintptr(v)
				case string:
					b := cstring(v)
					keep, a[j] = append(keep, b), uintptr(unsafe.Pointer(&b[0]))
				case []byte:
					a[j] = uintptr(unsafe.Pointer(&v[0]))
				case []uint64:
					a[j] = uintptr(unsafe.Pointer(&v[0]))
				case atEnd:
					a[j] = put(string(v)+"\x00", 2*page-len(v)-1)
				case overEnd:
					a[j] = put(string(v)+"\x00", page-len(v)/2)
				case cut:
					a[j] = put(string(v), 2*page-len(v))
				}
			}
			if _, err := child.Call(opMark, []byte(strconv.Itoa(i))); err != nil {
				return
			}
			unix.Syscall6(r.nr, a[0], a[1], a[2], a[3], a[4], a[5])
			runtime.KeepAlive(keep)
			runtime.KeepAlive(r)
		}
		_, _ = child.Call(opMark, []byte("-1"))
	}
}

// TestCalls: every call of the table is seen, with everything that it was
// given.
func TestCalls(t *testing.T) {
	all := rows()
	seen := map[string]bool{}
	at, got := -1, 0
	tree := supervise(t, victim(t, "calls", ""), Names|Data|Reads|Uses)
	watch(t, tree, func(ev *Event) bool {
		if ev.Type == Message {
			if ev.Op == opMark {
				if at >= 0 {
					assert.Equal(t, 1, got, "%s: number of events", all[at].name)
				}
				at, _ = strconv.Atoi(string(ev.Data))
				got = 0
			}
			return false
		}
		if at < 0 || ev.data.nr != int32(all[at].nr) {
			return false
		}
		got++
		r := all[at]
		t.Run(r.name, func(t *testing.T) {
			assert.Equal(t, r.kind, ev.Kind)
			assert.Regexp(t, "^"+ev.Name+"(,|$)", r.name)
			if assert.Len(t, ev.Paths, len(r.want)) {
				for i, p := range ev.Paths {
					assert.ErrorIs(t, p.Err, r.want[i].Err)
					p.Err = r.want[i].Err
					assert.Equal(t, r.want[i], p)
				}
			}
			assert.Equal(t, r.fd, ev.FD)
			assert.Equal(t, r.flag, ev.Flags)
			assert.Equal(t, r.mode, ev.Mode)
			assert.Empty(t, ev.Opaque)
			assert.Equal(t, tree.PID(), ev.PID)
			seen[ev.Name] = true
		})
		tree.Fail(ev, unix.EXFULL)
		return true
	})
	for _, c := range calls() {
		assert.True(t, seen[c.name] || c.kind == Handler, "%s is in the table and has no row here", c.name)
	}
}

// TestRebases: whoever changes its root, its mounts or its mount namespace is
// told from whoever does not.
func TestRebases(t *testing.T) {
	for _, tt := range []struct {
		ev   Event
		want bool
	}{
		{Event{Name: "chroot", Kind: Chdir}, true},
		{Event{Name: "chdir", Kind: Chdir}, false},
		{Event{Name: "pivot_root", Kind: Mount}, true},
		{Event{Name: "mount", Kind: Mount}, true},
		{Event{Name: "setns", Kind: Process, Flags: 0}, true}, // 0: of any kind
		{Event{Name: "unshare", Kind: Process, Flags: unix.CLONE_NEWNS | unix.CLONE_FS}, true},
		{Event{Name: "unshare", Kind: Process, Flags: unix.CLONE_FS}, false},
		{Event{Name: "clone", Kind: Process, Flags: unix.CLONE_NEWNS}, true},
		{Event{Name: "clone3", Kind: Process, Flags: unix.CLONE_NEWPID}, false},
		{Event{Name: "fork", Kind: Process}, false},
		{Event{Name: "openat", Kind: Open, Flags: unix.CLONE_NEWNS}, false},
	} {
		assert.Equal(t, tt.want, tt.ev.Rebases(), "%s %#x", tt.ev.Name, tt.ev.Flags)
	}
}

// TestSets: each set has the calls that its documentation says, and the
// filter stays within what its jumps can reach.
func TestSets(t *testing.T) {
	set := map[string]Set{}
	for _, r := range rows() {
		name, _, _ := strings.Cut(r.name, ",")
		set[name] = r.set
	}
	for _, c := range calls() {
		if c.kind == Handler {
			continue // in every set, and told of in none
		}
		require.Equal(t, set[c.name], c.set&^Creates, c.name)
		if c.kind == Process || c.kind == Exec {
			assert.NotZero(t, c.set&Creates, c.name)
		}
	}
	for _, s := range []Set{Names, Creates, Names | Data, Creates | Data, Names | Creates | Data, Names | Data | Reads | Uses} {
		whole, _ := chosen(s)
		assert.Less(t, len(whole), math.MaxUint8)
		assert.Less(t, len(program(s)), 4096)
	}
}
