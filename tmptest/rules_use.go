package tmptest

// Use: between creation and removal.
var (
	U01 = Rule{
		ID:    "U01",
		Title: "the name still stands for the object that was opened, up to the close and the removal",
		Fix:   "keep the descriptor and compare os.SameFile(f.Stat(), os.Lstat(name)) before the name is used again",
		CWE:   []int{367},
		CERT:  []string{"FIO45-C", "FIO01-C"},
	}
	U02 = Rule{
		ID:    "U02",
		Title: "mode, owner and status of an open file are changed and read through its descriptor",
		Fix:   "use f.Chmod, f.Chown and f.Stat instead of os.Chmod, os.Chown and os.Stat",
		CWE:   []int{367},
		CERT:  []string{"FIO01-C"},
		level: Warn,
	}
	U03 = Rule{
		ID:    "U03",
		Title: "a file in a shared directory is not closed and opened again by name",
		Fix:   "keep the file open and use f.Seek, or pass the open file on; or work inside a directory of os.MkdirTemp",
		CWE:   []int{367},
		CERT:  []string{"FIO01-C"},
		level: Warn,
	}
	U04 = Rule{
		ID:    "U04",
		Title: "permissions are never widened during the life of a temporary file or directory",
		Fix:   "leave the mode at 0o600 or 0o700; write the final file with its final mode instead",
		CWE:   []int{732},
	}
	U05 = Rule{
		ID:    "U05",
		Title: "no path leads out of the temporary directory, neither by .. nor by a symbolic link",
		Fix:   "open the directory with os.OpenRoot and use names relative to it",
		CWE:   []int{59},
		CERT:  []string{"FIO15-C"},
	}
	U06 = Rule{
		ID:    "U06",
		Title: "the temporary directory is the same object at the end as at the start",
		Fix:   "remove what is in the directory, not the directory; keep it open (os.OpenRoot) if it must be sure",
		CWE:   []int{367},
		CERT:  []string{"FIO15-C"},
	}
	U07 = Rule{
		ID:    "U07",
		Title: "opening a planted FIFO or device does not block",
		Fix:   "create with O_EXCL; open existing names with O_NONBLOCK and O_NOFOLLOW and check for a regular file",
		CWE:   []int{400},
		CERT:  []string{"FIO00-J"},
	}
	U08 = Rule{
		ID:    "U08",
		Title: "secrets are in no leftover, no file that others can read, and no file outside the temporary directory",
		Fix:   "keep secrets in memory, or in a file without a name (O_TMPFILE), and remove them on every path",
		CWE:   []int{379, 459},
		level: OptIn,
	}
	U09 = Rule{
		ID:    "U09",
		Title: "child processes inherit the private TMPDIR, and their files are counted",
		Fix:   "pass os.Environ() on to children, or set TMPDIR in exec.Cmd.Env",
		CWE:   []int{459},
	}
)

func useRules() []Rule {
	return []Rule{U01, U02, U03, U04, U05, U06, U07, U08, U09}
}

// Removal: that nothing stays, and that nothing else goes.
var (
	R01 = Rule{
		ID:    "R01",
		Title: "nothing stays behind after the test",
		Fix:   "remove the file in a defer right after its creation, or create it below t.TempDir or tmptest.Dir",
		CWE:   []int{459},
		CERT:  []string{"FIO03-J", "FIO21-C"},
	}
	R02 = Rule{
		ID:    "R02",
		Title: "the temporary root is empty after the last test, also when tests failed",
		Fix:   "remove in t.Cleanup or a defer, not at the end of the test function",
		CWE:   []int{459},
		CERT:  []string{"FIO03-J"},
	}
	R03 = Rule{
		ID:    "R03",
		Title: "no descriptor stays open on anything below the temporary root, removed or not",
		Fix:   "close the file in a defer right after it was opened, or in t.Cleanup",
		CWE:   []int{772},
		CERT:  []string{"FIO42-C", "FIO22-C"},
	}
	R04 = Rule{
		ID:    "R04",
		Title: "no mapping of a removed temporary file stays",
		Fix:   "unmap it (unix.Munmap) before the file is removed",
		CWE:   []int{459, 772},
		level: Warn,
	}
	R05 = Rule{
		ID:    "R05",
		Title: "temporary files are removed when an operation on them fails",
		Fix:   "put the remove into a defer right after the creation, before the first operation that can fail",
		CWE:   []int{459},
		CERT:  []string{"FIO21-C"},
	}
	R06 = Rule{
		ID:    "R06",
		Title: "temporary files are removed on a panic, on runtime.Goexit and on a cancelled context",
		Fix:   "put the remove into a defer; statements at the end of a function are not reached",
		CWE:   []int{459},
		CERT:  []string{"FIO03-J"},
	}
	R07 = Rule{
		ID:    "R07",
		Title: "temporary files are removed or reclaimed after os.Exit, a timeout, SIGINT or SIGKILL",
		Fix:   "use files without a name (O_TMPFILE), or sweep marked and unlocked directories at the next start",
		CWE:   []int{459},
		CERT:  []string{"FIO21-C"},
		level: Warn,
	}
	R08 = Rule{
		ID:    "R08",
		Title: "a sweeper removes only marked, unlocked, own directories of mode 0700, and follows no link",
		Fix:   "check owner, mode, lock and marker on the open directory, and remove through os.Root",
		CWE:   []int{59},
		CERT:  []string{"FIO21-C"},
	}
	R09 = Rule{
		ID:    "R09",
		Title: "the removal of a tree follows no symbolic link out of it",
		Fix:   "use os.RemoveAll or Root.RemoveAll; never chmod or remove through a path that others can swap",
		CWE:   []int{59},
	}
	R10 = Rule{
		ID:    "R10",
		Title: "what is removed is what was created",
		Fix:   "work inside a directory of os.MkdirTemp, or compare device and inode before the remove",
		CWE:   []int{367},
		CERT:  []string{"FIO01-C"},
	}
	R11 = Rule{
		ID:    "R11",
		Title: "an error of the removal is reported",
		Fix:   "return or log the error of os.Remove and os.RemoveAll",
		CWE:   []int{252, 459},
	}
	R12 = Rule{
		ID:    "R12",
		Title: "trees without write permission are removed too",
		Fix:   "give the directories back their owner bits through os.Root before Root.RemoveAll",
		CWE:   []int{459},
		level: Warn,
	}
	R13 = Rule{
		ID:    "R13",
		Title: "no living child process has its working directory, program or an open file below the temporary root",
		Fix:   "end children before the test does: exec.CommandContext with t.Context, then cmd.Wait",
		CWE:   []int{404, 459},
	}
	R14 = Rule{
		ID:    "R14",
		Title: "nothing writes to the directory any more when it is removed",
		Fix:   "wait for goroutines and children (sync.WaitGroup, cmd.Wait) before the test ends",
		CWE:   []int{362, 459},
		level: Warn,
	}
	R15 = Rule{
		ID:    "R15",
		Title: "files are closed and removed by the code, not by the garbage collector",
		Fix:   "call Close and Remove in a defer; do not rely on runtime.AddCleanup or a finalizer",
		CWE:   []int{404, 459},
		level: Warn,
	}
	R16 = Rule{
		ID:    "R16",
		Title: "every leftover is reported with its test, its line, its size, mode and age",
		Fix:   "run the tests under leakcheck.Main, which names the creating line",
		CWE:   []int{459},
	}
	R17 = Rule{
		ID:    "R17",
		Title: "the leak check finds a leak that it plants itself",
		Fix:   "see why the check is blind on this system before its verdicts are trusted",
		CWE:   []int{459},
	}
)

func removalRules() []Rule {
	return []Rule{R01, R02, R03, R04, R05, R06, R07, R08, R09, R10, R11, R12, R13, R14, R15, R16, R17}
}
