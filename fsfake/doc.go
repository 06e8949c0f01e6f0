// Package fsfake is a file system in memory that answers as the Linux kernel
// does on a tmpfs: the same results, the same errno, the same permissions,
// owners, link counts and times. It stands behind afero.Fs, and runs on every
// system that Go does.
//
//	disk := fsfake.New()
//	fsys := disk.As(fsfake.User{UID: 1000, GID: 1000, Umask: 0o022})
//	err := fsys.Mkdir("/etc/x", 0o755) // permission is checked, and a missing parent is ENOENT
//
// # Disks and users
//
// A [Disk] is a tree of inodes. [Disk.As] gives a view of it, an [FS], for one
// user; several views of one disk are several users on one machine, and what
// keeps them apart is what the kernel has: mode bits, owners and groups,
// supplementary groups, set-group-ID and sticky directories, and the four
// fs.protected_* settings, which are options. User 0 has root's capabilities.
// A new disk has a root directory that only root may write, and /tmp.
//
// # What it does
//
// An FS has all methods of afero.Fs and afero.Symlinker, each doing what the
// function of that name in package os does, and the calls that afero lacks:
// Link, Unlink, Rmdir, Mknod, Mkfifo, Lchown, Truncate, Access, Statfs,
// UtimesNano, Renameat2, CreateTemp, MkdirTemp, O_TMPFILE with File.Link, Sub
// (as chroot), Root (as os.OpenRoot) and IOFS (for io/fs). Errors are
// *fs.PathError and *os.LinkError with a syscall.Errno inside. On Windows the
// errnos that package os maps (EEXIST, EACCES, EPERM, ENOTEMPTY) are the
// system's own, so that errors.Is with fs.ErrExist and its like holds there too.
//
// Paths are walked as the kernel walks them, not cleaned: "no/../f" is ENOENT,
// "f/" is ENOTDIR, 41 symbolic links are ELOOP, a name of 256 bytes is
// ENAMETOOLONG. A relative name begins at the root of the view.
//
// FIFOs, sockets and devices exist, with type, owner and number, and nothing
// behind them, unless [FS.DrainFIFO] has somebody read a FIFO: see [FS.OpenFile]
// for what opening one does. No operation ever waits.
//
// The results of Stat are *[FileInfo]: Sys gives a *syscall.Stat_t on Linux and
// macOS, and [StatOf] the same and the time of birth everywhere.
//
// # Attacks, faults and time travel
//
// A [Hook] stands before and after every operation of the size of a system call,
// also inside MkdirAll or RemoveAll; there another user can make a move through a
// view of his own ([FS.Quiet]). A [Fault] makes the n-th operation of a kind fail,
// or write less than it should. [Disk.Log] writes what happens, as text that
// [Disk.Replay] can run. [Disk.Snapshot] costs nothing, [Disk.Restore] as much as
// has changed since, and [Snapshot.Diff] says what has.
//
// # Concurrency
//
// Everything may be used by many goroutines. An operation is atomic and takes
// effect at one moment; operations in different directories do not wait for each
// other, but for the few that change what other paths mean: removing or renaming
// a directory or a symbolic link, chmod and chown of a directory, a hard link, a
// rename from one directory to another.
//
// # Limits
//
// The truth is tmpfs of Linux 6.18, against which random operations are compared.
// There are no access control lists, extended attributes, file locks, memory
// maps, capabilities of single users or user namespaces; two FIFO ends never
// meet, but for one that is drained; RENAME_WHITEOUT is EINVAL; a file that somebody executes is not busy.
// An operation on a handle is done as the user who opened it. A removed directory
// gives its inode back at once, where the kernel keeps it for as long as a file
// that was in it is open.
//
// A panic, in a hook, in the [Clock] or by a defect of this package, leaves no
// lock held; what the operation had changed by then it has changed.
package fsfake
