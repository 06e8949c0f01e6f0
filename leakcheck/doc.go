// Package leakcheck fails a test run that leaves anything behind: temporary
// files, open descriptors, mapped files, running processes. It names the test
// and the line that made them.
//
//	func TestMain(m *testing.M) { leakcheck.Main(m) }
//
// or in one test:
//
//	func TestStore(t *testing.T) {
//		leakcheck.Check(t)
//		...
//	}
//
// What a program does not remove stays: it fills the disk, and what it holds
// can be read later (CWE-459, CERT FIO03-J and FIO21-C). Tests are where it
// shows first, if someone looks.
//
// # How it is found
//
// While the tests run, TMPDIR names a private directory. Nobody else writes
// there, so that what is left in it afterwards is theirs: no list of /tmp is
// compared, however full that is, and two runs at the same time do not see each
// other.
//
// # Who did it
//
// The time at which a file was made leaves few tests that can have made it, or
// many when tests are parallel. These run again, each alone in a child process,
// under a supervisor that stops each call that makes a name, until each leak
// has been seen to be made again. So the report has the test, or its subtest,
// and the line with its callers, also for a file that a child process made, and
// for one that was made after its test's end. Where a name is another one in
// each run, what the test leaves is matched by the call and the line that made
// it: the test runs a second time, to see what of the name changes. A benchmark
// runs once.
//
// A leak that no test makes when it runs alone is reported as such, with the
// tests that ran at that time: nobody is blamed on suspicion.
//
// The supervisor needs Linux (amd64 or arm64, 5.9 or later). Where it is missing,
// the tests run again with runtime/trace, which has the stacks of system calls
// but not their arguments: the test is named all the same, and the line where no
// other line of the test can have made such a thing, or else those that can.
// Files in the package's directory are not explained then.
//
// Without /proc descriptors, mappings and processes are not looked for either, as
// on other systems: a note says so.
//
// A test that cannot run twice is not explained. The report has the tests that
// ran at the time, and the string in the sources that the name was made of.
//
// # What is removed
//
// The private directory is removed at the end of the run, and by the next run
// when the process was killed, panicked, or called os.Exit: on Unix,
// directories of this user, with mode 0700, that have the marker of this
// package, and whose lock no process holds. Files in other places, and
// processes, are reported and left alone: a program that a test started in a
// session of its own outlives a run that is killed, and the next run does not
// name it (what attack's victims started it ends, with their scene).
//
// SIGINT and SIGTERM remove it at once, on Linux (amd64 and arm64) and where no
// other code of the test binary calls signal.Notify: a process that has such
// code may be meant to survive the signal, and os/signal does not tell. That is
// looked for in the program's code while the tests begin, which takes some
// milliseconds; a signal that comes earlier leaves it to the next run.
//
// # Beside goleak
//
// goleak finds the goroutines that tests leave. goleak.VerifyTestMain ends the
// process, so that Run goes inside of it, as what it runs:
//
//	type checked struct{ m *testing.M }
//
//	func (c checked) Run() int { return leakcheck.Run(c.m) }
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(checked{m}) }
//
// # From outside
//
// The command tmpleak (cmd/tmpleak) checks any test binary without a line of
// change, in every directory: go test -exec tmpleak ./...
package leakcheck
