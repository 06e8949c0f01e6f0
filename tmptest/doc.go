// Package tmptest gives tests safe temporary directories, hostile ones, and
// assertions about both, and has the rule book in which all of tmpproof speaks.
//
// # The idea
//
// Code that uses temporary files is easy to get wrong in ways that no test
// shows: the file is readable by everybody, its name can be foretold, somebody
// else's file is opened instead, or it stays behind. Each of these is a [Rule]
// with an id, what must hold, a fix, and the CWE and CERT entries it comes from.
// What breaks one is a [Violation].
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
// A broken rule of level [Fail] fails the test. One of level [Warn] is logged,
// and so is what could not be checked, with the words "not checked:" and the
// reason. Rules of level [OptIn] are checked where a test asks for them.
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
//
// # The rules
//
// What must hold. Those of level Warn are marked (w), those of level OptIn (o).
//
// Environment:
//
//   - E01: the temporary root is the absolute path of an existing directory in which files can be made
//   - E02: the temporary root is neither the working directory nor inside the module
//   - E03: the directory and every ancestor belong to the effective user or to root
//   - E04: no ancestor can be written by group or others, unless it is sticky as /tmp is
//   - E05: the path holds no symbolic link but trusted ones: at most five, each owned by you or root in a secure directory
//   - E06: the temporary directory is a real directory, has mode 0700 exactly, and belongs to the effective user
//   - E07: no access control list gives others what the mode bits of the directory deny (w)
//   - E08: the temporary directory is on a local file system
//   - E09: the file system honours O_EXCL and permission bits
//   - E10: the umask takes away all group and other bits, and is not widened by a test (w)
//   - E11: the code does not rely on the umask: under umask 0 its files are still for the owner only (o)
//   - E12: TMPDIR, TMP, TEMP and GOTMPDIR all name the private temporary root
//   - E13: a test that changes TMPDIR, TMP, TEMP or GOTMPDIR restores them
//   - E14: the path is at most 60 bytes long, so that a unix socket fits below it (w)
//   - E15: real and effective user are the same, and root does not work below a directory that all may write (w)
//   - E16: the settings fs.protected_symlinks, _hardlinks, _regular and _fifos are known, and safety does not rest on them (w)
//   - E17: the temporary file system has free space and free inodes (w)
//
// Creation:
//
//   - C01: a file is created with O_EXCL wherever others may write the directory
//   - C02: an existing temporary file is opened without following a symbolic link (w)
//   - C03: a file is created without group and other permissions where others can reach it, not narrowed by a later chmod
//   - C04: a temporary file has mode 0600 and a temporary directory 0700, with no set-id bit
//   - C05: nothing below the temporary root that group or others can reach gives them any access
//   - C06: a temporary name is not made of process id, user, host, time, counter or test name alone
//   - C07: two runs of the same code choose different names
//   - C08: a name is one of at least 2^32 where O_EXCL guards it, of at least 2^64 elsewhere (w)
//   - C09: the next name cannot be computed from the names before it (w)
//   - C10: no check whether a name is free comes before a create of that name that is not exclusive
//   - C11: nothing is created directly in /tmp, /var/tmp, /usr/tmp, /dev/shm or another directory that the whole system shares
//   - C12: a temporary directory is made, never adopted because it was there already
//   - C13: tries for a free name are bounded and end with an error
//   - C14: only an existing name is tried again with another name; any other error is returned (w)
//   - C15: what was created is a regular file or directory of the effective user, and a file has one name at most
//   - C16: the descriptor of a temporary file is closed when another program is executed
//   - C17: a file that nobody else opens by its name has no name (o)
//   - C18: the directory in which a temporary file is created is secure from the root down
//
// Use:
//
//   - U01: the name still stands for the object that was opened, up to the close and the removal
//   - U02: mode, owner and status of an open file are changed and read through its descriptor (w)
//   - U03: a file in a shared directory is not closed and opened again by name (w)
//   - U04: permissions are never widened during the life of a temporary file or directory
//   - U05: no path leads out of the temporary directory, neither by .. nor by a symbolic link
//   - U06: the temporary directory is the same object at the end as at the start
//   - U07: opening a planted FIFO or device does not block
//   - U08: secrets are in no leftover, no file that others can read, and no file outside the temporary directory (o)
//   - U09: child processes inherit the private TMPDIR, and their files are counted
//
// Removal:
//
//   - R01: nothing stays behind after the test
//   - R02: the temporary root is empty after the last test, also when tests failed
//   - R03: no descriptor stays open on anything below the temporary root, removed or not
//   - R04: no mapping of a removed temporary file stays (w)
//   - R05: temporary files are removed when an operation on them fails
//   - R06: temporary files are removed on a panic, on runtime.Goexit and on a cancelled context
//   - R07: temporary files are removed or reclaimed after os.Exit, a timeout, SIGINT or SIGKILL (w)
//   - R08: a sweeper removes only marked, unlocked, own directories of mode 0700, and follows no link
//   - R09: the removal of a tree follows no symbolic link out of it
//   - R10: what is removed is what was created
//   - R11: an error of the removal is reported
//   - R12: trees without write permission are removed too (w)
//   - R13: no living child process has its working directory, program or an open file below the temporary root
//   - R14: nothing writes to the directory any more when it is removed (w)
//   - R15: files are closed and removed by the code, not by the garbage collector (w)
//   - R16: every leftover is reported with its test, its line, its size, mode and age
//   - R17: the leak check finds a leak that it plants itself
//
// Exploits, the damage that package attack saw:
//
//   - X01: something outside was changed, made or removed through a name that the attacker planted or moved
//   - X02: something outside was read or listed through the attacker's link by code that reported success
//   - X03: data that the attacker wrote was taken for the code's own
//   - X04: what the code wrote could be read by others
//   - X05: what the code reported as done is not there, not whole, or not its own
//   - X06: a directory that the attacker made or owns was adopted as the code's own
//   - X07: the code did not come back: it waits, tries without end, panics or ends the process
//   - X08: something stays behind after an error, a panic or a kill
//   - X09: what the code wrote could be changed by others
//   - X10: data was written into what the attacker made
//
// Attacks, what package attack does:
//
//   - A01: a symbolic link to an existing file waits at the predicted name
//   - A02: a dangling symbolic link waits at the predicted name, so that the create makes its target
//   - A03: a hard link to somebody's file waits at the predicted name
//   - A04: a FIFO, socket or device waits at the predicted name
//   - A05: a file of mode 0666, held open by the attacker, waits at the predicted name
//   - A06: a directory of the attacker, or one of mode 0777, waits at the predicted name
//   - A07: a parent directory is swapped for a symbolic link between check and use
//   - A08: the file is swapped between its creation and a chmod, chown or open by name
//   - A09: the file is swapped between its last use and its removal
//   - A10: the file is removed and made again, with the same inode number
//   - A11: every name that the code can choose is taken
//   - A12: TMPDIR is missing, relative, a file, a link, open to all, somebody else's, read-only or full
//   - A13: the umask is 0, 0177 or 0777
//   - A14: the directory is renamed away and back
//   - A15: a deep maze of symbolic links makes a lookup slow, so that a race is won
//   - A16: files of an earlier run that crashed are still there
package tmptest
