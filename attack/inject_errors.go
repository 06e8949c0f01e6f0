package attack

import (
	"slices"
	"syscall"
)

// descriptor is what a call on a descriptor acts on, as far as that bounds the
// errors that it can return. The zero value is for one that is not known.
type descriptor struct {
	kind     string // as node.kindName has it, or "socket"
	write    bool   // opened for writing
	nonblock bool   // O_NONBLOCK
}

// canFail lists the errors that the call at a boundary can return: those of its
// manual page, less what the kernel cannot return for this descriptor or file.
func canFail(b *boundary) []syscall.Errno {
	all := listed(b)
	if !slices.ContainsFunc(all, b.cannot) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), b.cannot)
}

// cannot reports whether the kernel never returns an error of the manual page
// here.
func (b *boundary) cannot(errno syscall.Errno) bool {
	switch b.call {
	case "connect": // unix(7): only a stream whose peer's backlog is full waits
		return errno == syscall.EINTR && b.fd.nonblock
	case "fchmod", "fchown": // no path is searched
		return errno == syscall.EACCES
	case "close":
		switch b.fd.kind {
		case "", "file":
			// What was written is on its way until then; nothing else is.
			return b.fd.kind == "file" && !b.fd.write && (errno == syscall.ENOSPC || errno == syscall.EDQUOT)
		}
		return true // a directory, pipe or socket has nothing to be written
	case "flock": // of which an unlock needs no memory
		return b.asks == asksUnlock
	case "fsync", "fdatasync", "sync_file_range", "fallocate":
		return b.fd.stream() // EINVAL, always
	case "read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev", "pwritev2":
		// pipe(7): there is no disk, and who does not wait is not interrupted.
		return b.fd.stream() && (errno != syscall.EINTR || b.fd.nonblock)
	}
	// execve(2): a file that nobody can run is run by nobody.
	return errno == errTextBusy && b.write && b.finds() && b.target0().perm&0o111 == 0
}

// request is what a call of kind Control asks for.
type request uint8

const (
	asksOther request = iota
	asksLockNow
	asksLockWait
	asksUnlock
	asksSeek // to the end, to data, to a hole: the file system is asked
)

// controls are the errors of flock(2), fcntl_locking(2), lseek(2) and dup(2).
func (b *boundary) controls() []syscall.Errno {
	switch b.asks {
	case asksLockNow:
		return errLockNow
	case asksLockWait:
		return errLockWait
	case asksUnlock:
		return errUnlock
	case asksSeek:
		return errSeek
	}
	if b.call == "dup2" || b.call == "dup3" {
		return errReplace
	}
	return nil // a seek to a number cannot fail
}

// stream reports whether the descriptor is of a pipe or of a socket.
func (d descriptor) stream() bool { return d.kind == "FIFO" || d.kind == "socket" }

// finds reports whether what the path leads to is there.
func (b *boundary) finds() bool { return b.target0().exists() }

// target0 is what the first path leads to.
func (b *boundary) target0() node {
	if len(b.lookups) == 0 {
		return node{}
	}
	a, _ := b.lookups[0].final()
	return a.node
}
