package supervise

// Set chooses which system calls stop at their boundary. It is fixed when the
// filter is installed: the kernel offers no way to change it later. Every set
// has the calls that start a program or a process (execve, fork, clone without
// CLONE_THREAD, setsid, setpgid), since a tree could not be followed without,
// and io_uring_setup, whose opens would pass the filter by.
type Set uint8

const (
	// Names: every call that takes a path, and the stat family, fchmod,
	// fchown, fchdir and fsync by descriptor.
	Names Set = 1 << iota
	// Data: calls that act on a descriptor: the write family, ftruncate,
	// close, getdents and the like. It is chosen together with one of the
	// others.
	Data
	// Creates: only what makes a name: open with O_CREAT or O_TMPFILE, creat,
	// mkdir, mknod, link, symlink, rename, bind; and what changes the meaning of
	// names, see Event.Rebases. The kernel looks at the flags
	// of an open itself, so that plain opens, stats and removals run at full
	// speed. Two exceptions have their flags in memory, which the kernel's
	// filter cannot read: each openat2 stops, and each clone3, with which C
	// libraries start threads too (see Event.Forks).
	Creates
	// Reads: the read family. It is chosen together with one of the others.
	Reads
	// Held: the calls by which a program learns the time, process numbers, and
	// chance. They are answered, not shown: see StartHeld.
	Held
	// Uses: what leaves no other trace: mmap of a file, io_submit, sends to a socket's
	// name, the question who is at a socket's other end (SO_PEERCRED), and
	// waiting for a lock of a file (flock, fcntl). It is chosen together with
	// one of the others. A sendmsg and a sendmmsg stop whether they have a name
	// or not, which is in memory.
	Uses
)

// Kind says what a call does to the names or the object it is given.
type Kind uint8

// The kinds of calls.
const (
	Other   Kind = iota
	Open         // may create, see Flags
	Check        // reads attributes of the object, or asks for access
	Read         // reads content: readlink, getdents, getxattr
	Mkdir        // creates a directory
	Mknod        // creates a node, or a socket by bind
	Link         // second path is the new name
	Symlink      // last path is the new name
	Unlink       // removes a name
	Rmdir        // removes a directory
	Rename       // removes the first name, creates the second
	Attr         // changes mode, owner, times or extended attributes
	Write        // changes content
	Chdir        // moves the working directory or the root
	Exec         // runs a program
	Mount        // changes the mount table
	Close        // closes descriptors
	Process      // fork, setsid, unshare: no path
	Signal       // sends a signal: no path
	Control      // locks, seeks, or puts another file in a descriptor's place
	Handler      // installs a signal's handler: for this package only
	Map          // maps a file: no path
	Lock         // waits for a lock of a file: no path
	Special      // connect, inotify_add_watch, name_to_handle_at
	Submit       // reads and writes by libaio: see Submitted
	Refused      // io_uring_setup: Continue makes it fail with ENOSYS
)

// TwoPaths is true for calls that take an old and a new name.
func (k Kind) TwoPaths() bool { return k == Link || k == Rename }
