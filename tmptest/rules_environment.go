package tmptest

// Environment: where temporary files are made, before the first of them is.
var (
	E01 = Rule{
		ID:    "E01",
		Title: "the temporary root is the absolute path of an existing directory in which files can be made",
		Fix:   "set TMPDIR (GOTMPDIR, TMP, TEMP) to the absolute path of a directory that you can write, or unset it",
		CWE:   []int{379},
	}
	E02 = Rule{
		ID:    "E02",
		Title: "the temporary root is neither the working directory nor inside the module",
		Fix:   "set TMPDIR to a directory outside the source tree; never fall back to the working directory",
		CWE:   []int{379},
	}
	E03 = Rule{
		ID:    "E03",
		Title: "the directory and every ancestor belong to the effective user or to root",
		Fix:   "use a temporary root whose whole path is owned by you or by root, such as one made by os.MkdirTemp",
		CWE:   []int{379, 732},
		CERT:  []string{"FIO15-C", "FIO00-J"},
	}
	E04 = Rule{
		ID:    "E04",
		Title: "no ancestor can be written by group or others, unless it is sticky as /tmp is",
		Fix:   "take the group and other write bits off that directory, or use a temporary root elsewhere",
		CWE:   []int{379, 732},
		CERT:  []string{"FIO15-C", "FIO00-J"},
	}
	E05 = Rule{
		ID:    "E05",
		Title: "the path holds no symbolic link but trusted ones: at most five, each owned by you or root in a secure directory",
		Fix:   "use the resolved path (filepath.EvalSymlinks) of a directory that you trust",
		CWE:   []int{59, 61},
		CERT:  []string{"FIO15-C", "FIO00-J"},
	}
	E06 = Rule{
		ID:    "E06",
		Title: "the temporary directory is a real directory, has mode 0700 exactly, and belongs to the effective user",
		Fix:   "make it with os.MkdirTemp, and do not widen its mode afterwards",
		CWE:   []int{378, 379},
		CERT:  []string{"FIO15-C"},
	}
	E07 = Rule{
		ID:    "E07",
		Title: "no access control list gives others what the mode bits of the directory deny",
		Fix:   "remove the list with `setfacl -b`, and the default list of its parent with `setfacl -k`",
		CWE:   []int{732},
		level: Warn,
	}
	E08 = Rule{
		ID:    "E08",
		Title: "the temporary directory is on a local file system",
		Fix:   "set TMPDIR to a directory on a local disk or on tmpfs",
		CWE:   []int{377},
		CERT:  []string{"FIO21-C"},
	}
	E09 = Rule{
		ID:    "E09",
		Title: "the file system honours O_EXCL and permission bits",
		Fix:   "set TMPDIR to a directory on a file system with POSIX permissions, such as ext4, xfs or tmpfs",
		CWE:   []int{377, 378},
		CERT:  []string{"FIO15-C", "FIO21-C"},
	}
	E10 = Rule{
		ID:    "E10",
		Title: "the umask takes away all group and other bits, and is not widened by a test",
		Fix:   "set umask 077 before the tests run, and restore it after each change",
		CWE:   []int{276},
		CERT:  []string{"FIO06-C"},
		level: Warn,
	}
	E11 = Rule{
		ID:    "E11",
		Title: "the code does not rely on the umask: under umask 0 its files are still for the owner only",
		Fix:   "pass 0o600 to os.OpenFile and 0o700 to os.Mkdir instead of relying on the umask",
		CWE:   []int{276, 378},
		CERT:  []string{"FIO06-C"},
		level: OptIn,
	}
	E12 = Rule{
		ID:    "E12",
		Title: "TMPDIR, TMP, TEMP and GOTMPDIR all name the private temporary root",
		Fix:   "set all four to the same private directory, for children too",
		CWE:   []int{379},
	}
	E13 = Rule{
		ID:    "E13",
		Title: "a test that changes TMPDIR, TMP, TEMP or GOTMPDIR restores them",
		Fix:   "use t.Setenv instead of os.Setenv",
	}
	E14 = Rule{
		ID:    "E14",
		Title: "the path is at most 60 bytes long, so that a unix socket fits below it",
		Fix:   "set TMPDIR to a shorter path, or shorten the name of the test",
		level: Warn,
	}
	E15 = Rule{
		ID:    "E15",
		Title: "real and effective user are the same, and root does not work below a directory that all may write",
		Fix:   "run the tests as an ordinary user, or give root a TMPDIR of its own",
		CWE:   []int{250},
		CERT:  []string{"FIO00-J"},
		level: Warn,
	}
	E16 = Rule{
		ID:    "E16",
		Title: "the settings fs.protected_symlinks, _hardlinks, _regular and _fifos are known, and safety does not rest on them",
		Fix:   "turn them on with sysctl as a second line of defence; the code has to be safe without them",
		CWE:   []int{59},
		level: Warn,
	}
	E17 = Rule{
		ID:    "E17",
		Title: "the temporary file system has free space and free inodes",
		Fix:   "remove old temporary files from it, or set TMPDIR to a file system with room",
		CWE:   []int{459},
		level: Warn,
	}
)

func environmentRules() []Rule {
	return []Rule{E01, E02, E03, E04, E05, E06, E07, E08, E09, E10, E11, E12, E13, E14, E15, E16, E17}
}
