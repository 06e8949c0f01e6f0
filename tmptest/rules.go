package tmptest

// The rules of the rule book.
var (
	// Environment

	E01 = Rule{ID: "E01", Title: "temp root set, absolute, exists, is a directory (lstat)"}
	E02 = Rule{ID: "E02", Title: "root is not cwd, not inside the module, not a fallback"}
	E03 = Rule{ID: "E03", Title: "every ancestor (root→leaf) owned by euid or 0", CERT: []string{"FIO15-C", "FIO00-J"}}
	E04 = Rule{ID: "E04", Title: "no ancestor group/other-writable — `literal` (FIO15 code) or `sticky` tolerance (FIO15 prose; default)", CERT: []string{"FIO15-C"}}
	E05 = Rule{ID: "E05", Title: "no symlink in the chain, or (lenient) ≤5 links each root/euid-owned in secure dirs (macOS /var)", CWE: []int{61}, CERT: []string{"FIO15-C"}}
	E06 = Rule{ID: "E06", Title: "leaf: S_ISDIR, exactly 0700, uid==euid", CWE: []int{379}}
	E07 = Rule{ID: "E07", Title: "no POSIX/default ACL that re-opens the leaf", CWE: []int{732}}
	E08 = Rule{ID: "E08", Title: "local filesystem (reject NFS 0x6969, SMB/CIFS, 9p, AFS, Ceph, Lustre, GPFS; FUSE = unknown → w; MNT_LOCAL on BSD/macOS)", CERT: []string{"FIO21-C"}}
	E09 = Rule{ID: "E09", Title: "filesystem honours O_EXCL and modes: probe create twice → EEXIST; chmod 0600 reads back 0600", CERT: []string{"FIO15-C"}}
	E10 = Rule{ID: "E10", Title: "umask & 077 == 077 while strict (no new group/other bits)", CERT: []string{"FIO06-C"}}
	E11 = Rule{ID: "E11", Title: "code does not *depend* on umask: rerun with umask 0, modes still owner-only", CERT: []string{"FIO06-C"}}
	E12 = Rule{ID: "E12", Title: "TMPDIR, TMP, TEMP, GOTMPDIR all name the private root"}
	E13 = Rule{ID: "E13", Title: "none of them changed and not restored by a test"}
	E14 = Rule{ID: "E14", Title: "handed-out path short enough for a unix socket (≤ ~60 bytes on macOS/Linux)"}
	E15 = Rule{ID: "E15", Title: "root and effective uid equal; warn if uid 0 with any world-writable ancestor", CERT: []string{"FIO00-J"}}
	E16 = Rule{ID: "E16", Title: "fs.protected_{symlinks,hardlinks,regular,fifos} recorded in the failure text, never relied on"}
	E17 = Rule{ID: "E17", Title: "root's device has free space/inodes ≥ N", CWE: []int{459}}
	// Creation

	C01 = Rule{ID: "C01", Title: "O_CREAT never without O_EXCL in a directory that others may write (inside the victim's own 0700 directory it is fine)", CERT: []string{"FIO21-C", "FIO45-C", "FIO03-C"}}
	C02 = Rule{ID: "C02", Title: "existing names in temp opened with O_NOFOLLOW (or through os.Root)", CERT: []string{"POS01-C"}}
	C03 = Rule{ID: "C03", Title: "mode at creation (what was asked for, less a umask that the code set itself) has no group/other bits where others can reach it; not fixed by a later chmod", CERT: []string{"FIO06-C", "FIO01-J"}}
	C04 = Rule{ID: "C04", Title: "resulting file 0600 (no x, no suid/sgid), dir 0700", CWE: []int{378}}
	C05 = Rule{ID: "C05", Title: "no group/other bits on anything found under the root at any check", CWE: []int{732}}
	C06 = Rule{ID: "C06", Title: "name not predictable: does not contain pid, ppid, uid, user, host, time (s/ms/µs/ns), test name only, or a counter alone", CWE: []int{340}, CERT: []string{"FIO21-C"}}
	C07 = Rule{ID: "C07", Title: "name differs between two runs (re-exec): identical leftover or created names fail"}
	C08 = Rule{ID: "C08", Title: "entropy ≥ 2³² with O_EXCL (Go = 32 bits, glibc 35.7, Python 41.7), ≥ 2⁶⁴ otherwise"}
	C09 = Rule{ID: "C09", Title: "sequence not predictable: next name not derivable from previous (LCG test catches afero.TempFile)", CERT: []string{"FIO03-J"}}
	C10 = Rule{ID: "C10", Title: "no check-then-create: stat/lstat/access ENOENT followed by a create of that name that is not exclusive", CWE: []int{367}, CERT: []string{"POS35-C"}}
	C11 = Rule{ID: "C11", Title: "nothing created directly in /tmp, /var/tmp, /usr/tmp, /dev/shm, os-shared dirs", CERT: []string{"FIO21-C"}}
	C12 = Rule{ID: "C12", Title: "directory made by mkdir, never adopted (no MkdirAll/exist-ok on a predictable name)", CERT: []string{"FIO15-C"}}
	C13 = Rule{ID: "C13", Title: "creation retries are bounded and end with an error"}
	C14 = Rule{ID: "C14", Title: "only EEXIST is retried (other errors surface)"}
	C15 = Rule{ID: "C15", Title: "created object: regular file, uid==euid, nlink==1 (0 if unlinked/O_TMPFILE)", CERT: []string{"POS01-C", "FIO00-J"}}
	C16 = Rule{ID: "C16", Title: "fd is close-on-exec", CWE: []int{403}, CERT: []string{"FIO22-C"}}
	C17 = Rule{ID: "C17", Title: "a file nobody else opens by name should be hidden (O_TMPFILE or unlink at once)"}
	C18 = Rule{ID: "C18", Title: "parent of every created file is a secure directory (E03–E06)", CERT: []string{"FIO21-C"}}
	// Use

	U01 = Rule{ID: "U01", Title: "dev+ino at open == dev+ino of the name at close/remove", CERT: []string{"FIO45-C", "FIO01-C"}}
	U02 = Rule{ID: "U02", Title: "chmod/chown/stat of an open file go through the fd", CERT: []string{"FIO01-C"}}
	U03 = Rule{ID: "U03", Title: "not closed and reopened by name in a shared dir"}
	U04 = Rule{ID: "U04", Title: "mode never widened during life", CWE: []int{732}}
	U05 = Rule{ID: "U05", Title: "no path resolves outside the root (planted `..`, absolute and relative links)", CWE: []int{59}}
	U06 = Rule{ID: "U06", Title: "the directory is the same object at the end as at the start", CERT: []string{"FIO15-C"}}
	U07 = Rule{ID: "U07", Title: "opening a planted FIFO/device does not hang", CERT: []string{"FIO00-J"}}
	U08 = Rule{ID: "U08", Title: "secrets (canary strings) never in a leftover, world-readable or non-temp file", CWE: []int{379, 459}}
	U09 = Rule{ID: "U09", Title: "children inherit the private TMPDIR and their files are counted too"}
	// Removal

	R01 = Rule{ID: "R01", Title: "no new entry after the test (serial) / after its group (parallel)", CWE: []int{459}, CERT: []string{"FIO03-J", "FIO21-C"}}
	R02 = Rule{ID: "R02", Title: "root empty after m.Run, also when tests failed"}
	R03 = Rule{ID: "R03", Title: "no open fd to a path under the root, including \"(deleted)\" and O_TMPFILE `#ino (deleted)`", CWE: []int{772}, CERT: []string{"FIO42-C", "FIO22-C"}}
	R04 = Rule{ID: "R04", Title: "no mmap of a deleted temp file", CWE: []int{459}}
	R05 = Rule{ID: "R05", Title: "removed when an operation fails (ENOSPC, EIO, EACCES at each step)"}
	R06 = Rule{ID: "R06", Title: "removed on panic, Goexit/FailNow, context cancel", CERT: []string{"FIO03-J"}}
	R07 = Rule{ID: "R07", Title: "removed or reclaimed after os.Exit, timeout, SIGINT, SIGKILL", CERT: []string{"FIO21-C"}}
	R08 = Rule{ID: "R08", Title: "sweeper deletes only own-uid, 0700, unlocked, marker-named dirs, through os.Root, not following links", CERT: []string{"FIO21-C"}}
	R09 = Rule{ID: "R09", Title: "RemoveAll did not follow a planted symlink (outside canary intact)", CWE: []int{59}}
	R10 = Rule{ID: "R10", Title: "what is removed is what was created (U01 at unlink)", CERT: []string{"FIO01-C"}}
	R11 = Rule{ID: "R11", Title: "removal errors are reported, never swallowed"}
	R12 = Rule{ID: "R12", Title: "read-only subtrees are removed (chmod inside os.Root only)"}
	R13 = Rule{ID: "R13", Title: "no live child process has cwd, exe or fd under the root"}
	R14 = Rule{ID: "R14", Title: "no goroutine still writes: two listings N ms apart agree"}
	R15 = Rule{ID: "R15", Title: "file closed *and* removed before t.Cleanup ends, not by a finalizer/GC"}
	R16 = Rule{ID: "R16", Title: "every leftover is reported with test, file:line, size, mode, age"}
	R17 = Rule{ID: "R17", Title: "the checker catches its own canary leak (self-test)"}
	// Exploits

	X01 = Rule{ID: "X01", Title: "a canary was changed, made, removed, or had its mode, owner or times changed, through a name that the attacker planted or moved", CWE: []int{59, 61, 62, 363, 367}}
	X02 = Rule{ID: "X02", Title: "a canary's content was read or listed by code that reported success", CWE: []int{59, 61}}
	X03 = Rule{ID: "X03", Title: "data that the attacker wrote was taken for the code's own", CWE: []int{367, 377}}
	X04 = Rule{ID: "X04", Title: "what the code wrote could be read or changed by the attacker", CWE: []int{377, 378, 379, 732}}
	X05 = Rule{ID: "X05", Title: "what the code reported as done is not there, not whole, or not its own", CWE: []int{367}}
	X06 = Rule{ID: "X06", Title: "a directory that the attacker made or owns was adopted as the code's own", CWE: []int{377, 379}}
	X07 = Rule{ID: "X07", Title: "the code did not come back: planted FIFO, retry without end", CWE: []int{400, 835}}
	X08 = Rule{ID: "X08", Title: "something stays behind after an error, a panic or a kill", CWE: []int{459}}
	// Attack matrix

	A01 = Rule{ID: "A01", Title: "symlink→existing victim at the predicted name"}
	A02 = Rule{ID: "A02", Title: "dangling symlink (target must not appear)"}
	A03 = Rule{ID: "A03", Title: "hard link to victim"}
	A04 = Rule{ID: "A04", Title: "FIFO / socket / device"}
	A05 = Rule{ID: "A05", Title: "pre-made file 0666"}
	A06 = Rule{ID: "A06", Title: "pre-made directory 0777 / own-uid"}
	A07 = Rule{ID: "A07", Title: "parent swapped for a symlink between check and use"}
	A08 = Rule{ID: "A08", Title: "file swapped between create and chmod/chown/reopen"}
	A09 = Rule{ID: "A09", Title: "swapped between last use and remove"}
	A10 = Rule{ID: "A10", Title: "unlink+recreate (inode reuse, FIO45-EX3 caveat)"}
	A11 = Rule{ID: "A11", Title: "all names squatted (bounded retry)"}
	A12 = Rule{ID: "A12", Title: "TMPDIR = missing / relative / file / symlink / 0777 / other-owned / read-only / full"}
	A13 = Rule{ID: "A13", Title: "umask 0000, 0177, 0777 (MkdirTemp under 0177 yields drw-------, under 0777 d---------: unusable)"}
	A14 = Rule{ID: "A14", Title: "directory renamed away and back"}
	A15 = Rule{ID: "A15", Title: "deep symlink maze to widen the window"}
	A16 = Rule{ID: "A16", Title: "leftover from a crashed earlier run."}
)
