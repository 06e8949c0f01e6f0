// Package tmptest gives tests safe temporary directories, hostile ones, and
// assertions about both.
//
// # The idea
//
// Code that uses temporary files is easy to get wrong in ways that no test
// shows: the file is readable by everybody, its name can be foretold, somebody
// else's file is opened instead, or it stays behind. Each of these is a rule of
// package [rules], with an id, what must hold, a fix, and the CWE and CERT entries
// it comes from. What breaks one is a [Violation].
//
// In place of t.TempDir a test calls [Dir]. The line is the same, and the
// directory is checked when it is handed out and again at the end of the test:
//
//	dir := tmptest.Dir(t)
//	err := store.Save(filepath.Join(dir, "data"), secret)
//
// A file that Save left open, or made readable for others, fails the test with
// the rule, the name, the fix, and the command that runs the test again.
//
// Code that makes its own temporary files is given a temporary root like /tmp,
// in which it must leave nothing:
//
//	tmptest.Shared(t) // TMPDIR names it
//	err := store.Export()
//
// [File] is an open file with a directory of its own, [Umask] sets the umask for
// one test, and [Audit] checks any directory without a test. Options ([Literal],
// [Allow], [Keep], ...) change one thing each; without them each function is
// strict.
//
// # Assertions
//
// They have testify's form, and twins in package tmptest/require that stop the
// test: [Private], [SecureDir], [InSecureDir], [LocalFS], [NotSymlink], [Mode],
// [SameFile], [Empty], [NoOpenFiles] and [CloseOnExec] look at what is there;
// [Unpredictable], [Unguessable], [NoFollow] and [RemovesAll] try a function.
// Package tmptest/parity has the promises of Python's tempfile as rows for Go
// functions.
//
// # Levels
//
// A broken rule of level [rules.Fail] fails the test. One of level [rules.Warn]
// is logged, and so is what could not be checked, with the words "not checked:"
// and the reason. Rules of level [rules.OptIn] are checked where a test asks for
// them.
//
// # What is not seen
//
// This package looks at what is there at two moments, before and after. What the
// code does in between (a check before a create, a mode that was narrowed later,
// a file that came and went) is for package attack, and leftovers anywhere else
// are for package leakcheck. RULES.md says for each rule when it is checked.
//
// Descriptors of files that were opened and closed again leave no trace. Sockets
// have no path. A process of another user cannot be looked at unless the test
// runs as root.
//
// # Platforms
//
// On Linux all that is said here is checked; E08 goes by the type of the file
// system, which for FUSE can be anything (a warning). R13 needs /proc; where it is
// missing the log says so. Elsewhere the umask cannot be read without a change
// (E10 with [Process]), and the settings of E16 do not exist.
//
// On macOS these are not checked:
//
//   - E07: access control lists of macOS are not read
//   - C16: the descriptors of the process are not listed on macOS
//   - R03: the descriptors of the process are not listed on macOS
//   - R13: other processes are not looked at on macOS
//
// On Windows these are not checked:
//
//   - E03: owners are not read on Windows
//   - E04: access control lists are not read on Windows
//   - E05: links and junctions in the path are resolved, not judged, on Windows
//   - E06: the access control list of the directory is not read on Windows
//   - E07: access control lists are not read on Windows
//   - C04: files have no mode bits on Windows
//   - C05: files have no mode bits on Windows
//   - C15: owners and link counts are not read on Windows
//   - C16: the handles of the process are not listed on Windows
//   - C18: owners and access control lists are not read on Windows
//   - U04: files have no mode bits on Windows
//   - R03: the handles of the process are not listed on Windows
//   - R13: other processes are not looked at on Windows
package tmptest
