// Package attack breaks code that handles temporary files unsafely, and proves
// within stated bounds that other code cannot be broken.
//
// A test hands the code under test to Prove, as a function that works in a
// scene:
//
//	func TestSave(t *testing.T) {
//		attack.Prove(t, func(s *attack.Scene) error {
//			return store.Save(s.Path("report.txt"), data)
//		}, attack.Target("report.txt"))
//	}
//
// Prove runs it in a child process and stops it before each system call that
// names something in the scene. There the attacker, another local user, makes
// a move: plants a symbolic link, swaps a directory, replaces a file. The call
// then goes on, and what comes of it is seen. This is repeated until every
// boundary and every move has been tried. Nothing is left to luck: the same
// code gets the same verdict and the same text each time, on one CPU and on a
// loaded machine.
//
// # Words
//
// The victim is the code under test. A boundary is the moment before one of
// its system calls that takes a path below the scene, by whatever spelling: the
// path is looked up in the caller's own root, working directory, descriptors and
// mounts. The interpreters of a script that is run, and the loader of a program,
// are paths of that call. A move is one atomic act
// of the attacker, and a schedule is moves placed at boundaries; its depth is
// their number. A finding is a broken rule of package tmptest/rules with its
// evidence: an exploit was carried out and the damage seen, a weakness is a
// rule that the trace of calls breaks though no schedule did damage.
//
// # The scene
//
// Scene.Dir is a directory as /tmp is, open to all with the sticky bit, and is
// the victim's TMPDIR. Scene.Home is private to the victim. Beside them lie
// canaries, files and directories that are none of the victim's business, with
// odd modes and times of long ago so that any touch shows. They belong to the
// victim's own user, and stand for everybody's. The scene is made anew for each
// run, below the test's own TMPDIR, and removed in the end; what a killed run has
// left there goes with the next one. When the test's own process is killed
// (SIGKILL), the victim's dies with it; a program that the victim had started
// goes on, where every call with a name fails (ENOSYS), until the next run
// removes its scene and ends it. A victim starts each run with umask 0, in the
// test's directory, with the environment that it had.
//
// # The attacker
//
// What it may do follows from mode bits and from who made what, never from
// what the test's own uid could do:
//
//   - In a directory that others may write and search it creates any name that
//     is free and that it knows. Under the sticky bit it removes, renames and
//     replaces only what it made itself; without the bit (Unsticky) anything.
//   - In a file whose mode lets others read or write it does so, and it keeps
//     the descriptor: a file that others could open for a moment is exposed.
//   - What it makes is alive: it reads a FIFO that the code writes to, listens
//     and answers at a socket, and holds the locks (flock, fcntl) of a file for
//     which the code waits. To SO_PEERCRED it is another user; what SO_PASSCRED
//     and SO_PEERPIDFD say is not changed.
//   - In the victim's private directories it does nothing. SameGroup adds the
//     group's bits.
//   - It knows a name that does not exist yet if the name is the same in each
//     run, or made of the process id, the time, a counter, the user, the host
//     or the test's name; or if it has seen it before. It does not guess what
//     os.CreateTemp will choose. But it knows what consists of a name that it has
//     seen and of what is always the same: seen.d, .seen, lock.seen, or the stem
//     with another extension. Other ways to make one name of another (parts of
//     it, a hash) are not looked for.
//   - A directory that it puts in the way holds what the code looks for below
//     it, however deep, each kind of thing in its turn: it is built aside, and put
//     in place by one act. So does the directory of another user's to which its
//     link leads. Which names those are, and that the code uses an entry in more
//     ways than one, any run shows: what an attacked run looks for is tried as if
//     it had been known before, until no run shows anything new.
//   - Of a directory that the code opens to list, and in which others may make
//     names or that is the attacker's, he chooses entries: a schedule of its own
//     (file-entries, judged by nothing) asks which the code takes, of many endings, of
//     numbers, and of names like the code's own; each kind of thing is then tried
//     at such a name. What takes other names only, or what lies in entries of
//     entries alone, is not found so.
//   - Scene.Dir itself and what is above it are out of its reach.
//
// Both sides run under one uid. The victim is told another owner for what the
// attacker made (uid 65534) by stat, lstat, fstat and statx, so that code
// which checks the owner is believed. The canaries are the victim's own: a check
// of the owner does not find a link to one of them. fs.protected_symlinks and
// its sisters are taken as off.
//
// # What a clean verdict says
//
// When Report.Complete is true and there is no finding, then in each schedule
// up to the depth, over each boundary:
//
//  1. no canary was changed, made or removed (X01): in its content, mode, owner,
//     times, number of links, extended attributes, access control lists,
//     capabilities or inode flags, also by a call that sets one of these to what
//     it is already
//  2. none was read or listed by a victim that reported success (X02): by any
//     call, through any descriptor, whatever the access times say
//  3. nothing that the victim wrote could be read or changed by others, not even
//     for the moment until it was wiped or put back (X04, X09, X10, C03), and
//     no directory of the attacker's was taken for its own (X06)
//  4. nothing that the attacker wrote was read by a victim that reported
//     success (X03)
//  5. what stays in Dir is what Target names, whole, and the victim's own
//     (X05, X08, R01, R05)
//  6. Ensure held, and the victim came back (X05, X07), with no process left
//     running (R13)
//  7. the trace has no exclusive-create, predictable-name or
//     check-then-create weakness (C01, C06, C08, C10)
//
// An error is a fine answer to an attack. What an undisturbed run does is
// judged by the same list.
//
// # What others know, and chance
//
// On Linux the runs of Prove, Faults and Kills have all the same time and the
// same process numbers, and their scene is in the same place; only chance
// differs. A name that two undisturbed runs have alike can be foretold,
// whatever it is made of, and is attacked; one that differs is chance (Report.
// Assumptions says which). A name that comes back with other chance, or has
// fewer than 32 bits of it, can be guessed (C08). Few bits behind a hash look
// like many.
//
// To the victim and its programs the clock is that of the first run. It stands
// still while they work, and goes on by whole seconds where they wait: in a
// sleep, in a loop that looks at it, in a script that runs date. Timers,
// deadlines, monotonic time and the times of files are the kernel's, so that a
// new file can look younger than now by what the test has taken. Process
// numbers are made up, above all real ones: kill, os.FindProcess and the like
// mean the process by them, and where such a number cannot be translated (a
// path in /proc) the real ones are used instead, and the report says so.
// Map order, math/rand, crypto/rand, getrandom and /dev/urandom come from one
// tape in the attacked runs, as far as Go's threads allow; a victim that reads
// more than 1 MiB of /dev/urandom gets the kernel's, and the report says so.
//
// The option Live gives the victim the real clock, numbers and chance. There,
// and with Fake and Race, a name that differs is taken for known by what it
// looks like: times, process numbers, user and host in the usual notations.
//
// The names of afero.TempFile and TempDir, which can be computed from the time
// of the first, are taken for chance.
//
// Targets that differ from run to run all the same are compared by size,
// emptiness, and whether they are JSON or text.
//
// # What it does not say
//
// Races inside one system call, stores to mapped memory, more moves than the
// depth, moves that have nothing to do with each other and change none of the
// victim's calls (Unrelated tries those too), and what happens in Home and at
// paths outside the scene are out of the bound. To look at an entry is not to
// read it: what stat, readlink and getxattr tell can be the attacker's, and what
// the code then does is judged. io_uring is refused with ENOSYS, so that a
// victim takes its other way, and named. Calls on descriptors are no points for moves: what lets others write a
// file is found by its mode. A program that runs with another user's rights or
// whose memory cannot be read is named as opaque, and the run is inconclusive.
//
// A run that could not finish, because the budget was used up or the victim
// did not come back, fails and says what was not tried.
//
// Report.Assumptions has what a verdict rests on, as data, and under -v as
// text: the names that were taken for chance, the boundaries at which no move
// was possible and why, calls to places outside of the scene that the whole
// system shares (C11), and processes whose calls are not seen, since the test
// had started them before or the system did. A report without schedules says
// first that nothing was tried: it is no proof.
//
// # Races
//
// Race is the other way to attack: threads of the attacker's act while nobody
// stops the victim, as they would in the field. What they win is damage like
// any other. What they do not win is no proof: a RaceReport bounds the
// probability of a win. Code that gives the attacker nothing to act on passes.
// It reaches what lies inside one system call, and needs no supervisor. With Fake the attacker draws lots
// instead, before each operation of the victim, on any system: that goes beyond
// the depth of Prove.
//
// # When calls fail
//
// Faults lets each system call of the victim that concerns the scene fail,
// calls on descriptors included: once with each error that its manual page
// names and a disk can give (ENOSPC, EDQUOT, EROFS, EACCES, EPERM, EIO, EINTR,
// EMFILE, ENFILE, ENOMEM, EEXIST ...), each write also by writing its first
// half only, sendfile, splice and copy_file_range among them; and again with every later call failing too, the clean-up's
// among them. A call that fails has not run. A close has closed all the same,
// as on Linux. Where the code goes on another way after an error and reports
// success, that way's calls fail in turn. The victim
//
//   - returns an error, or keeps its promise: each Target as an undisturbed
//     run leaves it, mode included, and Ensure holds (X05). An error of fsync,
//     or of the close after a write without fsync, says that data is lost: to
//     report success then is to break the promise.
//   - leaves nothing in Dir but targets (R05), no descriptor open (R03) and no
//     process running (R13). What it tried to remove, and could not, may stay
//     if it returns an error (R11); a look at what is then removed, as rm -r
//     and python's rmtree begin with, is part of that try. A target that the
//     undisturbed code removes again, a lock file, may stay likewise.
//   - leaves each target as it was before or whole, also when it returns an
//     error (X05). A directory that Target names is one thing, with all that
//     is in it; Target("app/*") makes each of its entries one.
//   - comes back, and does not panic or end the process (X07); gives up
//     looking for a free name (C13), and does not look for another after an
//     error for which that is no cure (C14).
//
// The calls that are made to fail, and with what, are in testdata/calls.md: locks,
// syncfs, msync, FICLONE, lseek to the end of a file and dup2 over a descriptor
// among them.
//
// A program that the victim starts is held to the same. Where the victim's
// goroutines make calls of their own, each call fails alone only, for which of
// the others are later is chance. The error of a call that starts a program
// or a thread, of mmap, and of reads from pipes and sockets is not tried.
//
// # When it is killed
//
// Kills ends the victim before each of the calls at which Faults lets one
// fail. What is after the last call is the undisturbed run. SIGKILL ends its
// process and all that it has started, in a fresh process each time. SIGTERM
// and SIGINT go to the victim's process while the call is held, and only when
// its handler has come to a standstill does the call go on; where nothing
// handles them they are SIGKILL again. At each operation of Scene.FS and its
// files, but for removals and closes, and at each Scene.Point, a panic and a
// runtime.Goexit come instead: Go code cannot be made to panic from outside,
// so that code which calls package os has only the points that it marks.
// Then
//
//   - each target is as it was before, or whole (X05)
//   - what else is in Dir is private (C05)
//   - what else is in Dir after a panic, a Goexit, or a signal that the code
//     handles was to be removed (R06)
//   - what else is in Dir after SIGKILL is a weakness (R07), which no file
//     with a name can avoid: use O_TMPFILE, or remove the name before the
//     first write. It is a warning, which is logged: see Strict
//   - the code comes back after a signal that it handles (X07)
//
// Replay and TMPPROOF_REPLAY work as with Prove. Options about the attacker's
// moves are refused.
//
// # What starts again
//
// Old or new and whole is what no log that grows and no database keeps: theirs
// is to be made whole again by the code's own start. Restart names that start.
// It takes the place of the comparison (X05) in Faults and Kills, for all targets
// or for those that its patterns name:
//
//	attack.Kills(t, appendTwo, attack.Target("log"), attack.Restart(func(s *attack.Scene) error {
//		l, err := wal.Open(s.Path("log")) // which cuts off what is torn
//		if err != nil {
//			return err
//		}
//		return l.Close()
//	}))
//
// It runs after each run in which an error or a kill was injected, on what is
// left, in a fresh process: the victim's has ended, or has nothing open in the
// scene. That process has the machine's own time and number. An error of Restart,
// a panic, os.Exit and a hang are X05, told at the call that was struck, with
// what Restart said, once for all calls after which it says the same. What the
// start must find is for Restart to say: how many records there are at least,
// what was acknowledged before the end, which the victim notes in Home. Success
// after an error is held against Ensure, or, where there is none, against what an
// undisturbed run leaves. What SIGKILL left and Restart has removed is reclaimed,
// and no R07; after an error, a panic or a handled signal the code itself removes
// it.
//
// # How the test is run again
//
// A child process runs the same test binary with the same test, up to the
// call of Prove: package initialisation, TestMain and the test's body before
// the call run again in it, what follows does not. So the way to the call must
// be the same each time. One child serves many schedules, one after the other;
// where the victim keeps state from run to run, or leaves goroutines behind,
// each schedule gets a process of its own, at the price of some milliseconds.
// State shows when the undisturbed runs in one process differ in their calls or
// their result; when a run changes a limit or a standard descriptor of its
// process; and when an undisturbed run does not come out as before in a process
// that served schedules which ended in an error: these are run again then. The
// report's Assumptions say so. What a victim forgets again by itself, with time
// or with the next run, is looked for right behind an error, now and then.
//
// When many schedules wait there are several children, one for each processor
// (GOMAXPROCS) and eight at most, each with a scene of its own. The report does
// not depend on their number. There is only one for a victim with goroutines or
// programs of its own, and for one that is not alone in the world: before a
// second child takes part, an undisturbed run must have come out the same while
// another stood at its boundaries (eight of them, where there are more). What
// shares a port, a lock or a file outside the scene with its like shows so.
//
// t in the victim's closure works as usual, in the child.
//
// The go command's cache knows of the files and variables that the victim has
// looked at in the child, as if the test had done so itself, raw system calls
// included. The result of a victim that starts programs is not kept ("(cached)"):
// what they make of their environment cannot be known.
//
// # A disk in memory
//
// With Fake the world is a disk of package fsfake, in the process of the test,
// on any operating system, and a schedule costs microseconds. Moves, oracles and
// reports are the same, and so is the verdict on a victim that works through
// Scene.FS alone, which is the system's disk without Fake and a *fsfake.FS with
// it. Boundaries are the disk's operations, under the names of the system calls
// that package os makes for them on Linux. The victim has the uid of the test and
// root's capabilities, the attacker is another user, whom the disk refuses what
// he may not do, and the canaries belong to a third.
//
// What package os is given instead of Scene.FS does not come to the disk, and
// cannot be attacked: the scene has a path that exists on no real disk, so that
// such a call fails. os.TempDir leads to Scene.Dir on the fake disk, for afero's
// helpers that are given no directory, and so does /tmp unless os.TempDir lies
// below it. A victim without any call on the
// disk is inconclusive, never clean.
//
// Under Faults and Kills reads, writes, closes and listings are boundaries as
// well, a write that is cut goes on as package os has it go on, and for SIGKILL
// the victim's goroutines end at once: what they have deferred runs, and comes to
// the disk no more. SIGTERM and SIGINT are not tried, for there is no process to
// send them to. Under Kills Scene.FS is no *fsfake.FS, since each of its
// operations is a point for a panic: use the interfaces of package afero. A
// call that a defer statement makes directly bears the line at which the
// function returned.
//
// What is written to a FIFO there comes to the attacker, where he reads it; two ends
// of the victim's own never meet, and nobody waits for a lock or sends anything to
// a socket.
//
// One process has limits. What the victim keeps from run to run it keeps; when
// that shows in its calls or its result, the proof is inconclusive and says so. A failed test
// (t.Error, t.Fatal) cannot be taken back: let the victim return an error. A
// goroutine that hangs stays until the process ends, and one that does so
// without sleeping keeps a processor busy; one that makes calls ends at its next
// one. os.Exit, and a panic in a goroutine that the victim has started, end the
// test. Programs that it starts do not see the disk.
//
// # Reports and replay
//
// A failing test prints each finding with the rule, the victim's line, the
// interleaving in two columns, the damage and the fix, and a command that
// repeats just this schedule: TMPPROOF_REPLAY='...' go test -run ... Findings
// are grouped, one for each rule and line. TMPPROOF_STRICT=1 fails a test that
// cannot be proved where it runs, instead of skipping it; TMPPROOF_SLOW=n makes
// each Budget n times as long.
//
// Under go test -artifacts each call also leaves its report in t.ArtifactDir:
// prove.html, a page that needs nothing else, with the interleavings, the code
// and what was tried where; prove.json, the same as data (its form is in
// internal/report/schema.json); and prove.sarif for code-scanning pages. A
// second call in the same test writes prove-2.html, and so on. Under -v a line
// every second says how far it is.
//
// # Shards
//
// With TEST_TOTAL_SHARDS and TEST_SHARD_INDEX set, as Bazel's test sharding
// does, a process runs its part of the schedules, and all processes together
// run each schedule. Those that others go on from, the shorter ones, are run
// by all of them. A verdict says of which shard it is; its Complete is about
// that part, and a rule of Expect may be found by another one. Where
// TEST_SHARD_STATUS_FILE exists before the first call, the test runner splits
// the tests instead, as rules_go's does by now, and each runs in full where it
// runs.
//
// # Platforms
//
// Prove needs Linux 5.10 or later on amd64 or arm64, and works without
// privilege. Elsewhere, and where a sandbox refuses the mechanism, it skips
// the test with the reason, or fails it with TMPPROOF_STRICT=1. What was run on
// which kernel, with counts, is in internal/vmexec/KERNELS.md, which .ci/kernels
// writes; runs there are held against those on 6.18, and count only when all
// texts are the same to the byte, but for the name of the program that /bin/sh is.
//
// What differs, and what does not:
//
//	before Linux 5.19         a signal can show one call twice: each schedule
//	                          is run twice (Report.Repeated), until two runs agree
//	before 6.6, 6.10, ...     calls that the kernel lacks (fchmodat2, linkat of a
//	                          descriptor without privilege) fail, and the victim's
//	                          other way is what is attacked
//	yama.ptrace_scope 0, 1    nothing
//	yama.ptrace_scope 2       works as root; others skip, with this reason
//	yama.ptrace_scope 3       skips, with this reason
//	fs.protected_*            nothing: both sides and the canaries have one uid, which the
//	                          kernel lets do what these settings keep from strangers
//	seccomp listener above    (LXD's interception, Sysbox) skips, with this reason; tmpleak
//	                          runs the test once more, unwatched, for its verdict
//	no statx, no seccomp      skips, with this reason
//	no /proc, or another's    skips, with this reason
//	noatime                   nothing: inotify tells of reading, and no access time
//	arm64                     nothing: it has the *at calls only
//
// With Fake the attack works on every system that Go does; it is run on Linux
// and, under node, on js/wasm and wasip1.
package attack
