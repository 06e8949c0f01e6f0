package tmptest

// Exploits: the damage that package attack saw. The rules E to R are the
// weaknesses that make one possible.
var (
	X01 = Rule{
		ID:    "X01",
		Title: "something outside was changed, made or removed through a name that the attacker planted or moved",
		Fix:   "create with O_CREATE and O_EXCL under a random name, and reach the file by its descriptor or through os.Root",
		CWE:   []int{59, 61, 62, 363, 367},
		CERT:  []string{"FIO21-C", "POS01-C"},
	}
	X02 = Rule{
		ID:    "X02",
		Title: "something outside was read or listed through the attacker's link by code that reported success",
		Fix:   "open with O_NOFOLLOW or through os.Root, and check owner, type and link count on the open file",
		CWE:   []int{59, 61},
		CERT:  []string{"POS01-C"},
	}
	X03 = Rule{
		ID:    "X03",
		Title: "data that the attacker wrote was taken for the code's own",
		Fix:   "read back from the descriptor that wrote, or keep the file in a directory of mode 0700",
		CWE:   []int{367, 377},
		CERT:  []string{"FIO21-C"},
	}
	X04 = Rule{
		ID:    "X04",
		Title: "what the code wrote could be read by others",
		Fix:   "create with O_EXCL and mode 0o600, or inside a directory of os.MkdirTemp; what is meant for others gets its mode when it is whole",
		CWE:   []int{377, 378, 379, 732},
		CERT:  []string{"FIO21-C", "FIO06-C"},
	}
	X05 = Rule{
		ID:    "X05",
		Title: "what the code reported as done is not there, not whole, or not its own",
		Fix:   "write into a directory that only the owner can write, and check every error, that of Close too",
		CWE:   []int{367},
		CERT:  []string{"FIO45-C"},
	}
	X06 = Rule{
		ID:    "X06",
		Title: "a directory that the attacker made or owns was adopted as the code's own",
		Fix:   "use os.MkdirTemp, or os.Mkdir and treat an existing directory as an error",
		CWE:   []int{377, 379},
		CERT:  []string{"FIO15-C"},
	}
	X07 = Rule{
		ID:    "X07",
		Title: "the code did not come back: it waits, tries without end, panics or ends the process",
		Fix:   "create with O_EXCL, open existing names with O_NONBLOCK, and bound every retry",
		CWE:   []int{400, 835},
		CERT:  []string{"FIO00-J"},
	}
	X08 = Rule{
		ID:    "X08",
		Title: "something stays behind after an error, a panic or a kill",
		Fix:   "remove in a defer right after the creation; use O_TMPFILE where a kill must leave nothing",
		CWE:   []int{459},
		CERT:  []string{"FIO03-J", "FIO21-C"},
	}
	X09 = Rule{
		ID:    "X09",
		Title: "what the code wrote could be changed by others",
		Fix:   "create with O_EXCL and mode 0o600, or 0o644 for what others may read, and never give them the write bits",
		CWE:   []int{377, 378, 732},
		CERT:  []string{"FIO21-C", "FIO06-C"},
	}
	X10 = Rule{
		ID:    "X10",
		Title: "data was written into what the attacker made",
		Fix:   "create with O_EXCL under a random name (os.CreateTemp), and rename to the name that is meant",
		CWE:   []int{377, 378, 379},
		CERT:  []string{"FIO21-C"},
	}
)

func exploitRules() []Rule {
	return []Rule{X01, X02, X03, X04, X05, X06, X07, X08, X09, X10}
}

// Attacks: what package attack does to the code. Each must end with an error,
// or with another name, and with nothing outside touched.
var (
	A01 = Rule{
		ID:    "A01",
		Title: "a symbolic link to an existing file waits at the predicted name",
		Fix:   "create with O_EXCL, which refuses a link at the last name",
		CWE:   []int{59, 61},
	}
	A02 = Rule{
		ID:    "A02",
		Title: "a dangling symbolic link waits at the predicted name, so that the create makes its target",
		Fix:   "create with O_EXCL, which refuses a dangling link too",
		CWE:   []int{59, 61},
	}
	A03 = Rule{
		ID:    "A03",
		Title: "a hard link to somebody's file waits at the predicted name",
		Fix:   "create with O_EXCL, and refuse a file whose link count is not 1",
		CWE:   []int{62},
	}
	A04 = Rule{
		ID:    "A04",
		Title: "a FIFO, socket or device waits at the predicted name",
		Fix:   "create with O_EXCL, and open existing names with O_NONBLOCK and check for a regular file",
		CWE:   []int{400},
	}
	A05 = Rule{
		ID:    "A05",
		Title: "a file of mode 0666, held open by the attacker, waits at the predicted name",
		Fix:   "create with O_EXCL; a later chmod does not close the attacker's descriptor",
		CWE:   []int{377, 378},
	}
	A06 = Rule{
		ID:    "A06",
		Title: "a directory of the attacker, or one of mode 0777, waits at the predicted name",
		Fix:   "use os.MkdirTemp, or os.Mkdir and treat an existing directory as an error",
		CWE:   []int{379},
	}
	A07 = Rule{
		ID:    "A07",
		Title: "a parent directory is swapped for a symbolic link between check and use",
		Fix:   "open the parent once (os.OpenRoot) and do everything relative to it",
		CWE:   []int{363, 367},
	}
	A08 = Rule{
		ID:    "A08",
		Title: "the file is swapped between its creation and a chmod, chown or open by name",
		Fix:   "use the descriptor: f.Chmod, f.Chown, f.Seek",
		CWE:   []int{367},
	}
	A09 = Rule{
		ID:    "A09",
		Title: "the file is swapped between its last use and its removal",
		Fix:   "work inside a directory of mode 0700, and remove that",
		CWE:   []int{367},
	}
	A10 = Rule{
		ID:    "A10",
		Title: "the file is removed and made again, with the same inode number",
		Fix:   "keep the descriptor open while identities are compared, so that the inode cannot be used again",
		CWE:   []int{367, 386},
	}
	A11 = Rule{
		ID:    "A11",
		Title: "every name that the code can choose is taken",
		Fix:   "bound the tries and return an error",
		CWE:   []int{400, 835},
	}
	A12 = Rule{
		ID:    "A12",
		Title: "TMPDIR is missing, relative, a file, a link, open to all, somebody else's, read-only or full",
		Fix:   "return the error of the creation; do not fall back to another directory",
		CWE:   []int{379},
	}
	A13 = Rule{
		ID:    "A13",
		Title: "the umask is 0, 0177 or 0777",
		Fix:   "pass the mode that is meant to every create, and check the mode of a directory before it is used",
		CWE:   []int{276},
	}
	A14 = Rule{
		ID:    "A14",
		Title: "the directory is renamed away and back",
		Fix:   "open the directory once (os.OpenRoot) and use names relative to it",
		CWE:   []int{367},
	}
	A15 = Rule{
		ID:    "A15",
		Title: "a deep maze of symbolic links makes a lookup slow, so that a race is won",
		Fix:   "leave no window: one atomic call, or a descriptor, instead of check and use",
		CWE:   []int{363, 367},
	}
	A16 = Rule{
		ID:    "A16",
		Title: "files of an earlier run that crashed are still there",
		Fix:   "choose new random names in each run, and do not read what an earlier run left",
		CWE:   []int{459},
	}
)

func attackRules() []Rule {
	return []Rule{A01, A02, A03, A04, A05, A06, A07, A08, A09, A10, A11, A12, A13, A14, A15, A16}
}
