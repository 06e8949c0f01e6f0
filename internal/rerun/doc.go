// Package rerun runs one test of the present test binary again, in a child
// process, up to one call in it: the way in which a verb such as attack.Prove
// gets its function under test into a process of its own though it is a
// closure, which cannot be sent.
//
// A verb calls Enter first, and acts by the role that it gets:
//
//	func Verb(t *testing.T, victim func()) {
//		call, err := rerun.Enter(t)
//		if err != nil {
//			t.Fatal(err)
//		}
//		switch call.Role() {
//		case rerun.Parent: // start children with Command or Once
//		case rerun.Child: // Serve the victim, then t.SkipNow()
//		case rerun.Other: // return what Earlier has, or t.SkipNow()
//		}
//	}
//
// # What runs again
//
// In the child the program starts anew: the init functions of all packages,
// TestMain (which may look at IsChild), the bodies of the test's parents up to
// the t.Run that leads to it, and beyond it once the test has ended, the
// test's body up to the call, and the Cleanup functions. Variables that the closure
// captured have the values that this second run gives them. Subtests that
// the test starts before the call run too; with t.Parallel they run after the
// call was served. What follows the call in the test does not run, nor do
// sibling tests, benchmarks, examples, or anything a second time for -count.
//
// So the way to the call must be the same each time: names of subtests from
// constants, the same calls in the same order, no t.Skip that only the first
// run escapes. Where it is not, the error says how the child ended instead.
//
// Several calls in one test are told apart by their order. Those before the
// one to be served return at once, with the result that the parent attached
// with Finish, so that assertions on it hold in the child too.
//
// # What the child is given
//
// The user's own flags and arguments; -test.short, -test.parallel,
// -test.fullpath and -test.gocoverdir, so that what it covers counts in the
// profile; the GOMAXPROCS of now; and as -test.timeout what is left of the
// test's time. The environment, with GODEBUG and GORACE extended, and without
// Bazel's variables for shards and filters. The directory that the parent was
// started in. Coverage counters are written when the process ends by itself,
// so a served test ends through t.SkipNow, and a child that is killed counts
// for nothing. Where the go command has this process keep a log of the files and
// variables that it looks at (-test.testlogfile), by which it knows whether a
// result can be kept, the child has one too, and the parent then looks at the
// same things: see Account. Whole's child does what its parent has done.
//
// The variable TMPPROOF_CHILD makes a process a child. It names the parent by
// its process id and is removed as soon as it was read, so that programs
// started by the function under test, the same test binary among them, are
// not taken for children.
//
// Where a supervisor watches this process already, a verb that needs one of its
// own asks it to run the test once more outside: see Call.Outside.
//
// # Limits
//
// A benchmark, a fuzzing run (seeds are fine), a synctest bubble and a
// Cleanup function cannot be run again alone, and a function that is being
// served cannot call a verb: Enter says so. Run under a wrapper (go test -exec)
// the child runs without the wrapper, with the parent's user and limits. On
// Windows a child that is killed leaves the processes it started; on Unix
// those that left its process group. When the parent itself is killed, Linux
// ends the child, but not what the child has started; elsewhere the child goes
// on until its own timeout.
package rerun
