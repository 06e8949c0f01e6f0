package attack

import (
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/tmpproof/tmpproof/internal/supervise"
)

// injection is what Faults or Kills does to the victim at one boundary.
type injection struct {
	answer
	on bool // and every later call that can fails too
}

// none says that a schedule's element is a move.
func (in injection) none() bool { return in.act == goOn }

// of is the verb that makes the injection.
func (in injection) of() verb {
	switch in.act {
	case goOn:
		return prove
	case fail, short:
		return faults
	}
	return kills
}

// String is the injection as a schedule names it.
func (in injection) String() string {
	s := ""
	switch in.act {
	case fail:
		s = "fail-" + errnoName(in.errno)
	case short:
		s = "short"
	case kill:
		s = signalName(in.sig)
	case panics:
		s = "panic"
	case goexits:
		s = "goexit"
	}
	if in.on {
		s += "-on"
	}
	return s
}

// text is the injection in a report's second column.
func (a answer) text() string {
	switch a.act {
	case fail:
		return "fails with " + errnoName(a.errno)
	case short:
		return "writes the first half only"
	case kill:
		return "the process gets " + signalName(a.sig)
	case panics:
		return "a panic comes"
	case goexits:
		return "runtime.Goexit comes"
	}
	return ""
}

func parseInjection(s string) (injection, bool) {
	for _, in := range everyInjection() {
		if in.String() == s {
			return in, true
		}
	}
	return injection{}, false
}

func everyInjection() []injection {
	all := slices.Clone(deaths)
	for _, on := range []bool{false, true} {
		all = append(all, injection{answer: answer{act: short}, on: on})
		for _, e := range errnos {
			all = append(all, injection{answer: answer{act: fail, errno: e.errno}, on: on})
		}
	}
	return all
}

// deaths are what Kills does.
var deaths = []injection{
	{answer: answer{act: kill, sig: syscall.SIGKILL}},
	{answer: answer{act: kill, sig: syscall.SIGTERM}},
	{answer: answer{act: kill, sig: syscall.SIGINT}},
	{answer: answer{act: panics}},
	{answer: answer{act: goexits}},
}

func signalName(sig syscall.Signal) string {
	return map[syscall.Signal]string{syscall.SIGKILL: "SIGKILL", syscall.SIGTERM: "SIGTERM", syscall.SIGINT: "SIGINT"}[sig]
}

// errnos are the errors that calls are made to fail with, and their names.
var errnos = []struct {
	errno syscall.Errno
	name  string
}{
	{syscall.EACCES, "EACCES"}, {syscall.EAGAIN, "EAGAIN"}, {syscall.EADDRINUSE, "EADDRINUSE"}, {syscall.EBUSY, "EBUSY"}, {syscall.ECONNREFUSED, "ECONNREFUSED"}, {syscall.EDQUOT, "EDQUOT"},
	{syscall.EEXIST, "EEXIST"}, {syscall.EFBIG, "EFBIG"}, {syscall.EINTR, "EINTR"}, {syscall.EIO, "EIO"},
	{syscall.EMFILE, "EMFILE"}, {syscall.EMLINK, "EMLINK"}, {syscall.ENFILE, "ENFILE"}, {syscall.ENOLCK, "ENOLCK"}, {syscall.ENOENT, "ENOENT"},
	{syscall.ENOMEM, "ENOMEM"}, {syscall.ENOSPC, "ENOSPC"}, {syscall.ENOTSUP, "ENOTSUP"}, {syscall.EPERM, "EPERM"},
	{syscall.EROFS, "EROFS"}, {errTextBusy, "ETXTBSY"}, {syscall.EXDEV, "EXDEV"},
}

func errnoName(errno syscall.Errno) string {
	for _, e := range errnos {
		if e.errno == errno {
			return e.name
		}
	}
	return fmt.Sprintf("errno %d", int(errno))
}

// words turns "EIO ENOSPC" into errnos.
func words(s string) []syscall.Errno {
	var list []syscall.Errno
	for name := range strings.FieldsSeq(s) {
		for _, e := range errnos {
			if e.name == name {
				list = append(list, e.errno)
			}
		}
	}
	return list
}

// What the calls can return, from their manual pages (sections ERRORS), less
// what says that the caller has made a mistake (EBADF, EINVAL, EFAULT,
// ENAMETOOLONG, EISDIR ...) and what would be a lie about names that exist: a
// stat that finds nothing, a directory that is not empty. EIO is what any
// call returns when the disk has failed. The commonest comes first, for it is
// the one that a report shows.
var (
	errOpen     = words("EACCES EMFILE ENFILE EINTR EIO ENOMEM")
	errCreate   = words("ENOSPC EDQUOT EROFS EACCES EPERM EMFILE ENFILE EINTR EIO ENOMEM ENOENT")
	errWriting  = words("EACCES EPERM EROFS EMFILE ENFILE EINTR EIO ENOMEM ETXTBSY")
	errTmpfile  = words("ENOTSUP ENOSPC EDQUOT EROFS EACCES EMFILE ENFILE EINTR EIO ENOMEM ENOENT")
	errMake     = words("ENOSPC EDQUOT EROFS EACCES EPERM EEXIST EIO ENOMEM ENOENT")
	errBind     = words("EADDRINUSE ENOSPC EDQUOT EROFS EACCES EPERM EIO ENOMEM ENOENT")
	errMkdir    = words("ENOSPC EDQUOT EROFS EACCES EPERM EEXIST EMLINK EIO ENOMEM ENOENT")
	errLink     = words("ENOSPC EDQUOT EROFS EACCES EPERM EEXIST EMLINK EIO ENOMEM ENOENT")
	errRename   = words("ENOSPC EDQUOT EROFS EACCES EPERM EBUSY EIO ENOMEM")
	errUnlink   = words("EACCES EPERM EBUSY EROFS EIO ENOMEM")
	errAttr     = words("EPERM EACCES EROFS EIO ENOMEM")
	errXattr    = words("ENOTSUP ENOSPC EDQUOT EPERM EROFS EIO")
	errWrite    = words("ENOSPC EDQUOT EFBIG EIO EINTR EPERM")
	errTruncate = words("EFBIG EIO EINTR EPERM EROFS")
	errAllocate = words("ENOSPC EDQUOT ENOTSUP EFBIG EIO EINTR EPERM")
	errSyncFS   = words("EIO ENOSPC EDQUOT")
	errClone    = words("ENOTSUP EXDEV ENOSPC EDQUOT EPERM EIO")
	errLockNow  = words("EAGAIN ENOLCK")
	errLockWait = words("EINTR ENOLCK")
	errUnlock   = words("ENOLCK")
	errSeek     = words("EIO")
	errReplace  = words("EBUSY")
	errSync     = words("EIO ENOSPC EDQUOT EINTR EROFS")
	errClose    = words("EIO ENOSPC EDQUOT EINTR")
	errRead     = words("EIO EINTR")
	errList     = words("EIO")
	errCheck    = words("EACCES EIO ENOMEM")
	errFstat    = words("EIO ENOMEM")
	errChdir    = words("EACCES EIO ENOMEM")
	errExec     = words("EACCES ENOMEM ETXTBSY EIO ENFILE EPERM")
	errConnect  = words("ECONNREFUSED EACCES EINTR EPERM")
	errWatch    = words("ENOSPC EACCES ENOMEM")
	errMount    = words("EPERM EACCES EBUSY ENOMEM")
)

// listed are the errors that the manual page of the call at a boundary lists.
func listed(b *boundary) []syscall.Errno {
	switch b.kind {
	case supervise.Open:
		switch {
		case b.tmpfile:
			return errTmpfile
		case b.excl:
			return append(errCreate[:len(errCreate):len(errCreate)], syscall.EEXIST)
		case b.create && !b.finds():
			return errCreate
		case b.write:
			return errWriting
		}
		return errOpen
	case supervise.Mkdir:
		return errMkdir
	case supervise.Mknod, supervise.Symlink:
		if b.call == "bind" {
			return errBind
		}
		return errMake
	case supervise.Link:
		return append(errLink[:len(errLink):len(errLink)], b.crossing()...)
	case supervise.Rename:
		return append(errRename[:len(errRename):len(errRename)], b.crossing()...)
	case supervise.Unlink, supervise.Rmdir:
		return errUnlink
	case supervise.Attr:
		if strings.Contains(b.call, "xattr") {
			return errXattr
		}
		return errAttr
	case supervise.Write:
		switch b.call {
		case "fsync", "fdatasync":
			return errSync
		case "truncate", "ftruncate":
			return errTruncate
		case "fallocate":
			return errAllocate
		case "syncfs", "sync_file_range", "msync":
			return errSyncFS
		case "ioctl":
			return errClone
		}
		return errWrite
	case supervise.Control, supervise.Lock:
		return b.controls()
	case supervise.Close:
		if b.call == "close" {
			return errClose
		}
	case supervise.Read:
		switch b.call {
		case "getdents", "getdents64":
			return errList
		case "readlink", "readlinkat":
			return errCheck
		}
		return errRead
	case supervise.Check:
		if b.object != "" {
			return errFstat
		}
		return errCheck
	case supervise.Chdir:
		return errChdir
	case supervise.Exec:
		return errExec
	case supervise.Mount:
		return errMount
	case supervise.Special:
		switch b.call {
		case "connect":
			return errConnect
		case "inotify_add_watch", "fanotify_mark":
			return errWatch
		}
	}
	return nil
}

// crossing is EXDEV for a call between two directories, which can lie on two
// file systems.
func (b *boundary) crossing() []syscall.Errno {
	if len(b.lookups) == 2 {
		if from, ok := b.lookups[0].final(); ok {
			if to, ok := b.lookups[1].final(); ok && from.dir == to.dir {
				return nil
			}
		}
	}
	return []syscall.Errno{syscall.EXDEV}
}

// follows is what becomes of a call after one that failed for good: it fails
// likewise if it can, else as on a disk that is gone.
func (in injection) follows(b *boundary) answer {
	can := canFail(b)
	if b.point || len(can) == 0 {
		return answer{}
	}
	errno := in.errno
	if in.act == short {
		errno = syscall.ENOSPC
	}
	if !slices.Contains(can, errno) {
		if errno = syscall.EIO; !slices.Contains(can, errno) {
			errno = can[0]
		}
	}
	return answer{act: fail, errno: errno}
}

// faultsAt are the faults of a boundary: each alone, and each with all later
// calls failing too. An interrupted call is tried again by the Go runtime for
// as long as it is interrupted, so that EINTR comes once only. Where goroutines
// make calls of their own it is chance which of them are later.
func (p *plan) faultsAt(b *boundary) []injection {
	var list []injection
	if b.length > 1 {
		list = append(list, injection{answer: answer{act: short}})
	}
	for _, e := range canFail(b) {
		list = append(list, injection{answer: answer{act: fail, errno: e}})
	}
	if p.concurrent {
		return list
	}
	for _, in := range list {
		if in.errno != syscall.EINTR {
			in.on = true
			list = append(list, in)
		}
	}
	return list
}

// deathsAt are the ways for the victim to be ended at a boundary.
func (p *plan) deathsAt(b *boundary) []injection {
	switch {
	case !b.point && (!b.main && !b.side || p.opt.fake):
		// Of a program that it started, to which a signal would come in its own
		// time; or of what is no process.
		return deaths[:1]
	case !b.point:
		return deaths[:3]
	case b.main: // elsewhere a panic ends the process, whatever the code does
		return deaths[3:]
	}
	return nil
}
