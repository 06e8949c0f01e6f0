package tmptest

// Creation: how the name, the mode and the object come to be.
var (
	C01 = Rule{
		ID:    "C01",
		Title: "a file is created with O_EXCL wherever others may write the directory",
		Fix:   "use os.CreateTemp, or add os.O_EXCL to os.O_CREATE and treat an existing file as an error",
		CWE:   []int{59, 377},
		CERT:  []string{"FIO21-C", "FIO45-C", "FIO03-C"},
	}
	C02 = Rule{
		ID:    "C02",
		Title: "an existing temporary file is opened without following a symbolic link",
		Fix:   "open it through os.Root, or with O_NOFOLLOW, or keep the descriptor from its creation",
		CWE:   []int{59, 61},
		CERT:  []string{"POS01-C"},
		level: Warn,
	}
	C03 = Rule{
		ID:    "C03",
		Title: "a file is created without group and other permissions where others can reach it, not narrowed by a later chmod",
		Fix:   "create it with mode 0o600 (0o700 for a directory), as os.CreateTemp and os.MkdirTemp do",
		CWE:   []int{276, 378, 732},
		CERT:  []string{"FIO06-C", "FIO01-J"},
	}
	C04 = Rule{
		ID:    "C04",
		Title: "a temporary file has mode 0600 and a temporary directory 0700, with no set-id bit",
		Fix:   "create files with 0o600 and directories with 0o700; take set-user-id and set-group-id bits off",
		CWE:   []int{378},
	}
	C05 = Rule{
		ID:    "C05",
		Title: "nothing below the temporary root that group or others can reach gives them any access",
		Fix:   "pass 0o600 for files and 0o700 for directories, also when extracting or copying",
		CWE:   []int{732},
		CERT:  []string{"FIO06-C"},
	}
	C06 = Rule{
		ID:    "C06",
		Title: "a temporary name is not made of process id, user, host, time, counter or test name alone",
		Fix:   "use os.CreateTemp or os.MkdirTemp with a * in the pattern",
		CWE:   []int{340, 377},
		CERT:  []string{"FIO21-C"},
	}
	C07 = Rule{
		ID:    "C07",
		Title: "two runs of the same code choose different names",
		Fix:   "use os.CreateTemp or os.MkdirTemp; do not seed a generator with a constant",
		CWE:   []int{340, 377},
		CERT:  []string{"FIO21-C"},
	}
	C08 = Rule{
		ID:    "C08",
		Title: "a name is one of at least 2^32 where O_EXCL guards it, of at least 2^64 elsewhere",
		Fix:   "use os.CreateTemp, or crypto/rand.Text for a name that is not created exclusively",
		CWE:   []int{334, 340},
		CERT:  []string{"FIO21-C"},
		level: Warn,
	}
	C09 = Rule{
		ID:    "C09",
		Title: "the next name cannot be computed from the names before it",
		Fix:   "draw names from crypto/rand or the global functions of math/rand/v2 (os.CreateTemp), not from a generator of your own",
		CWE:   []int{340, 341},
		CERT:  []string{"FIO03-J"},
		level: Warn,
	}
	C10 = Rule{
		ID:    "C10",
		Title: "no check whether a name is free comes before a create of that name that is not exclusive",
		Fix:   "drop the check and create with O_CREATE and O_EXCL, which checks and creates in one step",
		CWE:   []int{363, 367},
		CERT:  []string{"POS35-C", "FIO45-C"},
	}
	C11 = Rule{
		ID:    "C11",
		Title: "nothing is created directly in /tmp, /var/tmp, /usr/tmp, /dev/shm or another directory that the whole system shares",
		Fix:   "use os.TempDir, which follows TMPDIR, and create inside a directory of os.MkdirTemp",
		CWE:   []int{377, 379},
		CERT:  []string{"FIO21-C"},
	}
	C12 = Rule{
		ID:    "C12",
		Title: "a temporary directory is made, never adopted because it was there already",
		Fix:   "use os.MkdirTemp, or os.Mkdir and treat an existing directory as an error; not os.MkdirAll",
		CWE:   []int{377, 379},
		CERT:  []string{"FIO15-C"},
	}
	C13 = Rule{
		ID:    "C13",
		Title: "tries for a free name are bounded and end with an error",
		Fix:   "give up after a fixed number of names (os.CreateTemp: 10000) and return the last error",
		CWE:   []int{835},
	}
	C14 = Rule{
		ID:    "C14",
		Title: "only an existing name is tried again with another name; any other error is returned",
		Fix:   "retry only if errors.Is(err, fs.ErrExist)",
		CWE:   []int{703},
		level: Warn,
	}
	C15 = Rule{
		ID:    "C15",
		Title: "what was created is a regular file or directory of the effective user, and a file has one name at most",
		Fix:   "create with O_EXCL, then check the owner and link count with Stat on the open file",
		CWE:   []int{62},
		CERT:  []string{"POS01-C", "FIO00-J"},
	}
	C16 = Rule{
		ID:    "C16",
		Title: "the descriptor of a temporary file is closed when another program is executed",
		Fix:   "open with package os, or add O_CLOEXEC to a direct system call",
		CWE:   []int{403},
		CERT:  []string{"FIO22-C"},
	}
	C17 = Rule{
		ID:    "C17",
		Title: "a file that nobody else opens by its name has no name",
		Fix:   "open it with O_TMPFILE, or remove the name right after os.CreateTemp",
		CWE:   []int{377},
		level: OptIn,
	}
	C18 = Rule{
		ID:    "C18",
		Title: "the directory in which a temporary file is created is secure from the root down",
		Fix:   "create files inside a directory made by os.MkdirTemp",
		CWE:   []int{379},
		CERT:  []string{"FIO21-C", "FIO15-C"},
	}
)

func creationRules() []Rule {
	return []Rule{C01, C02, C03, C04, C05, C06, C07, C08, C09, C10, C11, C12, C13, C14, C15, C16, C17, C18}
}
