package supervise

import "golang.org/x/sys/unix"

var archRows = []callRow{
	row("open", unix.SYS_OPEN, Open, "f", unix.O_RDWR, 0).gives(follows("f")).flags(unix.O_RDWR),
	row("open, exclusive", unix.SYS_OPEN, Open, "f", unix.O_CREAT|unix.O_EXCL, 0o600).gives(lands("f")).flags(unix.O_CREAT | unix.O_EXCL).modes(0o600),
	row("creat", unix.SYS_CREAT, Open, "f", 0o644).gives(follows("f")).flags(unix.O_CREAT | unix.O_WRONLY | unix.O_TRUNC).modes(0o644),
	row("stat", unix.SYS_STAT, Check, "f", 0).gives(follows("f")),
	row("lstat", unix.SYS_LSTAT, Check, "f", 0).gives(lands("f")),
	row("lstat, slash", unix.SYS_LSTAT, Check, "f/", 0).gives(follows("f/")),
	row("access", unix.SYS_ACCESS, Check, "f", 0).gives(follows("f")),
	row("readlink", unix.SYS_READLINK, Read, "f", 0, 0).gives(lands("f")),
	row("mkdir", unix.SYS_MKDIR, Mkdir, "d", 0o755).gives(lands("d")).modes(0o755),
	row("mknod", unix.SYS_MKNOD, Mknod, "p", unix.S_IFIFO|0o600, 0).gives(lands("p")).modes(unix.S_IFIFO | 0o600),
	row("rmdir", unix.SYS_RMDIR, Rmdir, "d").gives(lands("d")),
	row("unlink", unix.SYS_UNLINK, Unlink, "f").gives(lands("f")),
	row("unlink, slash", unix.SYS_UNLINK, Unlink, "f/").gives(lands("f/")),
	row("rename", unix.SYS_RENAME, Rename, "a", "b").gives(lands("a"), lands("b")),
	row("link", unix.SYS_LINK, Link, "a", "b").gives(lands("a"), lands("b")),
	row("symlink", unix.SYS_SYMLINK, Symlink, "target", "b").gives(lands("b")),
	row("chmod", unix.SYS_CHMOD, Attr, "f", 0o600).gives(follows("f")).modes(0o600),
	row("chown", unix.SYS_CHOWN, Attr, "f", 1, 1).gives(follows("f")),
	row("lchown", unix.SYS_LCHOWN, Attr, "f", 1, 1).gives(lands("f")),
	row("utime", unix.SYS_UTIME, Attr, "f", 0).gives(follows("f")),
	row("utimes", unix.SYS_UTIMES, Attr, "f", 0).gives(follows("f")),
	row("futimesat", unix.SYS_FUTIMESAT, Attr, dirN, "f", 0).gives(follows("f", dirN)),
	row("futimesat, by descriptor", unix.SYS_FUTIMESAT, Attr, dirN, 0, 0).gives(object(dirN, true)),
	row("uselib", unix.SYS_USELIB, Special, "f").gives(follows("f")),
	row("fork", unix.SYS_FORK, Process),
	row("vfork", unix.SYS_VFORK, Process),
	row("dup2", unix.SYS_DUP2, Control, 98, 99).on(99).data(),
	row("getdents", unix.SYS_GETDENTS, Read, 99, 0, 0).on(99).data(),
}
