// Package supervise runs a process tree on Linux with every file system call
// stopped at its boundary: the moment before the kernel carries it out.
//
// # How it works
//
// A program that is to be watched is started by [Start] and calls [Attach].
// Attach installs a seccomp filter (seccomp_unotify(2)) on all threads of the
// process and hands the filter's listener to the parent through a socket. From
// then on each call of the chosen [Set] sleeps in the kernel until the parent
// answers, in this process and in whatever it starts: goroutines, C threads,
// shells, programs in any language. The parent reads the calls one by one with
// [Tree.Next], with their paths, flags and modes taken from the caller's
// memory, and for each decides:
//
//	Tree.Continue    the kernel carries it out
//	Tree.Fail        it returns an errno and has not run
//	Tree.FailClose   a close returns an errno, and has closed
//	Tree.Shorten     a write writes less than it was given
//	Tree.Answer      it returns a value and has not run
//	Tree.AnswerStat  it returns what the kernel says but for the owner
//	Tree.Kill        it and all others die where they stand
//
// Continue is not a completion: the next event of the same thread is. While a
// call is stopped, its caller holds what it held; the tree's other threads run
// on until they come to a boundary of their own.
//
// No privilege is needed: without CAP_SYS_ADMIN the child sets no_new_privs,
// so that set-uid programs then run without their privilege; as root they keep
// it. No descriptor stays in the child: its messages ([Child.Call]) are system
// calls that the parent answers, so that a program which closes everything
// cannot cut the link. io_uring_setup fails with ENOSYS, since its opens would
// pass the filter by, and is told of ([Refused]); calls of the x32 ABI fail likewise.
//
// # Whose call it was
//
// [Tree.Stack] gives the Go frames behind a call without the child's help:
// the parent reads the stopped thread's stack pointer and stack and walks them
// with its own copy of the line table, child and parent being one binary. On
// amd64 each frame's size comes from the table, on arm64 every frame has a
// frame pointer. It works in stripped, position-independent, race, cover and
// externally linked binaries. Calls of another program lead to the execve that
// started it: the shell's redirection has the line of cmd.Run. C code within
// the binary has the line of the Go code that called it, from what the runtime
// notes of the goroutine (Go 1.23 to 1.27); on a thread that C has started
// itself it has none.
//
// # Knowledge and chance
//
// A tree of [StartHeld] has its time, process numbers and chance from its
// supervisor, which gives each run ([Tree.Hold]) what it is to know. The clock
// of every program is held before its first look (internal/still); the calls
// for time, chance and numbers stop, and are answered without being shown. Made-up
// numbers are above all real ones. getpid, getppid, gettid of a main thread,
// getpgid, getsid and getpgrp return them; kill, tkill, tgkill and pidfd_open of
// one are carried out here for the process that it means, as long as that
// lives, and for nobody otherwise. fork, wait and signal handlers have the real
// numbers, as have threads. A made-up number in another call, or in a path of
// /proc, fails or is nobody's, and [Tree.Misled] says so.
//
// An open of /dev/urandom, /dev/random or the kernel's uuid, by any name, returns
// a descriptor of a file in memory with bytes of the tape, which fstat takes for
// the real one. [Tree.Drained] says that a program came to its end.
//
// Times of files that come to be in a run are later than the time that stands
// still: [Tree.AnswerStat] tells those of the second before it.
//
// # Trust
//
// A run in which calls were missed would look clean. So each child begins with
// a self-test, before anything else: known calls under a storm of signals, each
// of which must arrive exactly once, be readable, lead to its Go function, and
// get its answer. Where one of these fails Start returns an
// [UnsupportedError] with the reason: a second listener (EBUSY: LXD's system
// call interception, Sysbox, some WSL networking, a supervisor that
// supervises), a kernel or sandbox without listeners (EINVAL: gVisor), one that
// refuses seccomp (EPERM, ENOSYS) or process_vm_readv (Yama's ptrace_scope 2
// for the unprivileged and 3 for everyone), a line table of a later Go.
//
// An event that could not be looked into says so ([Event.Opaque]): a program
// that may be run but not read (mode 0111) or set-uid, unless the supervisor
// is root; a program of another architecture, each call of which stops.
//
// # What ends, and when
//
// The child leads a process group. Whoever leaves it has been met at that
// boundary and is known by pidfd; the child is reaped only after the rest of
// its group is known likewise, so that no signal goes to a number which
// another process may bear by then. [Tree.Kill] returns when all have ended, 20
// seconds at most. When 512 processes live at once, no more are started: the
// fork fails with EAGAIN and its event is opaque. Every wait has a deadline.
//
// If the supervisor itself is killed, the child dies with it (PR_SET_PDEATHSIG).
// Programs that the child had started live on, and each of their calls that
// was to stop fails with ENOSYS; most programs end at that.
//
// A process of the tree that installs a signal's handler without SA_RESTART, as
// shells do for SIGCHLD, is traced too (ptrace(2)) until it runs another
// program: a signal that comes while a call waits to be met would make the call
// fail with EINTR, which the kernel alone does not do. Such a call begins anew
// behind the handler. Calls that wait by themselves (an open of a FIFO, a read
// from a pipe, a lock) fail as they always did. A debugger cannot be attached to
// such a process, and where the tracer cannot be either, EINTR stays.
//
// # Limits
//
// Before Linux 5.19 a signal can take a stopped call back, which then comes
// again. Such a repetition is marked ([Event.Repeat]) but for a few that cannot
// be told from a second call of the same kind ([Tree.Exact] is false there).
// Programs get few signals unless Go's scheduler sends them: the child should
// run with GODEBUG=asyncpreemptoff=1.
//
// What runs within one system call cannot be interrupted here; stores to a
// mapped file are no boundaries. access(2) and the kernel's own permission checks are never lied
// about. The order of calls of different threads is the scheduler's.
//
// # Where it has been run
//
// All tests of this package, on Linux 6.18 (amd64) as root and as uid 65534, also
// with the race detector. On Debian's kernels, under full-system emulation,
// those that need neither the go command nor a C compiler: on 5.10 (amd64 as
// both users, arm64 as root), on 6.1 (amd64 as root) and, the part that the
// gate takes, on 6.12 (arm64 as root); those of calls, kills, ends and signals
// on 7 (arm64 as uid 65534). internal/vmexec runs them anywhere, and
// its KERNELS.md has what was run of the packages that stand on this one.
//
//	before Linux 5.19       signals take calls back (see Limits); each kernel runs this
//	                        mode in tests too, by a filter that refuses the flag
//	before Linux 6.11       a zombie that nobody reaps keeps the listener open
//	before Linux 5.9        nothing tells that the tree has ended: not supported
//	yama.ptrace_scope 0, 1  no difference
//	yama.ptrace_scope 2     refuses but as root
//	yama.ptrace_scope 3     refuses
//
// A listener that says that nobody is supervised any more (POLLHUP) is believed
// only when the child has ended: if it lives on for 5 seconds Next returns an error.
// Other architectures have no table of calls, other systems no such mechanism:
// there the package has [UnsupportedError] only.
package supervise

// UnsupportedError says that the mechanism does not work here, and why.
type UnsupportedError struct{ Reason string }

// Error gives the reason.
func (e *UnsupportedError) Error() string { return e.Reason }
