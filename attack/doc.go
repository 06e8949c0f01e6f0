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
// its system calls that takes a path below the scene. A move is one atomic act
// of the attacker, and a schedule is moves placed at boundaries; its depth is
// their number. A finding is a broken rule of package tmptest with its
// evidence: an exploit was carried out and the damage seen, a weakness is a
// rule that the trace of calls breaks though no schedule did damage.
//
// # The scene
//
// Scene.Dir is a directory as /tmp is, open to all with the sticky bit, and is
// the victim's TMPDIR. Scene.Home is private to the victim. Beside them lie
// canaries, files and directories of a third user, with odd modes and times of
// long ago so that any touch shows. The scene is made anew for each run, below
// the test's own TMPDIR, and removed in the end. A victim starts each run with
// umask 0, in the test's directory, with the environment that it had.
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
//   - In the victim's private directories it does nothing. SameGroup adds the
//     group's bits.
//   - It knows a name that does not exist yet if the name is the same in each
//     run, or made of the process id, the time, a counter, the user, the host
//     or the test's name; or if it has seen it before. It does not guess what
//     os.CreateTemp will choose.
//   - Scene.Dir itself and what is above it are out of its reach.
//
// Both sides run under one uid. The victim is told another owner for what the
// attacker made (uid 65534) by stat, lstat, fstat and statx, so that code
// which checks the owner is believed. fs.protected_symlinks and its sisters
// are taken as off.
//
// # What a clean verdict says
//
// When Report.Complete is true and there is no finding, then in each schedule
// up to the depth, over each boundary:
//
//  1. no canary was changed, made or removed (X01)
//  2. none was read or listed by a victim that reported success (X02)
//  3. nothing that the victim wrote could be read or changed by others (X04,
//     C03), and no directory of the attacker's was taken for its own (X06)
//  4. nothing that the attacker wrote was read by a victim that reported
//     success (X03)
//  5. what stays in Dir is what Target names, whole, and the victim's own
//     (X05, X08, R01, R05)
//  6. Ensure held, and the victim came back (X05, X07), with no process left
//     running (R13)
//  7. the trace has no exclusive-create, predictable-name or
//     check-then-create weakness (C01, C06, C10)
//
// An error is a fine answer to an attack. What an undisturbed run does is
// judged by the same list.
//
// # What it does not say
//
// Races inside one system call, stores to mapped memory, more moves than the
// depth, and what happens in Home and at paths outside the scene are out of
// the bound. io_uring is refused with ENOSYS, so that a victim takes its other
// way. Calls on descriptors are no points for moves: what lets others write a
// file is found by its mode. A program that runs with another user's rights or
// whose memory cannot be read is named as opaque, and the run is inconclusive.
//
// A run that could not finish, because the budget was used up or the victim
// did not come back, fails and says what was not tried.
//
// # How the test is run again
//
// A child process runs the same test binary with the same test, up to the
// call of Prove: package initialisation, TestMain and the test's body before
// the call run again in it, what follows does not. So the way to the call must
// be the same each time. One child serves many schedules, one after the other;
// where the victim keeps state from run to run, or leaves goroutines behind,
// each schedule gets a process of its own, at the price of some milliseconds.
// t in the victim's closure works as usual, in the child.
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
// such a call fails. /tmp and os.TempDir lead to Scene.Dir on the fake disk, for
// afero's helpers that are given no directory. A victim without any call on the
// disk is inconclusive, never clean.
//
// One process has limits. What the victim keeps from run to run it keeps; when
// that shows in its calls, the proof is inconclusive and says so. A failed test
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
// cannot be proved where it runs, instead of skipping it.
//
// # Platforms
//
// Prove needs Linux 5.10 or later on amd64 or arm64, and works without
// privilege; package internal/supervise says on which kernels it has been run.
// Elsewhere, and where a sandbox refuses the mechanism, it skips the test with
// the reason. With Fake it works on every system that Go does; it is run on
// Linux and, under node, on js/wasm and wasip1.
package attack
