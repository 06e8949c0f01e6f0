package rules

// Attacks: what package attack does.
var attacks = []entry{
	{
		id:    "A01",
		title: "a symbolic link to an existing file waits at the predicted name",
		fix:   "create with O_EXCL, which refuses a link at the last name",
		cwe:   []int{59, 61},
	},
	{
		id:    "A02",
		title: "a dangling symbolic link waits at the predicted name, so that the create makes its target",
		fix:   "create with O_EXCL, which refuses a dangling link too",
		cwe:   []int{59, 61},
	},
	{
		id:    "A03",
		title: "a hard link to somebody's file waits at the predicted name",
		fix:   "create with O_EXCL, and refuse a file whose link count is not 1",
		cwe:   []int{62},
	},
	{
		id:    "A04",
		title: "a FIFO, socket or device waits at the predicted name",
		fix:   "create with O_EXCL, and open existing names with O_NONBLOCK and check for a regular file",
		cwe:   []int{400},
	},
	{
		id:    "A05",
		title: "a file of mode 0666, held open by the attacker, waits at the predicted name",
		fix:   "create with O_EXCL; a later chmod does not close the attacker's descriptor",
		cwe:   []int{377, 378},
	},
	{
		id:    "A06",
		title: "a directory of the attacker, or one of mode 0777, waits at the predicted name",
		fix:   "use os.MkdirTemp, or os.Mkdir and treat an existing directory as an error",
		cwe:   []int{379},
	},
	{
		id:    "A07",
		title: "a parent directory is swapped for a symbolic link between check and use",
		fix:   "open the parent once (os.OpenRoot) and do everything relative to it",
		cwe:   []int{363, 367},
	},
	{
		id:    "A08",
		title: "the file is swapped between its creation and a chmod, chown or open by name",
		fix:   "use the descriptor: f.Chmod, f.Chown, f.Seek",
		cwe:   []int{367},
	},
	{
		id:    "A09",
		title: "the file is swapped between its last use and its removal",
		fix:   "work inside a directory of mode 0700, and remove that",
		cwe:   []int{367},
	},
	{
		id:    "A10",
		title: "the file is removed and made again, with the same inode number",
		fix:   "keep the descriptor open while identities are compared, so that the inode cannot be used again",
		cwe:   []int{367, 386},
	},
	{
		id:    "A11",
		title: "every name that the code can choose is taken",
		fix:   "bound the tries and return an error",
		cwe:   []int{400, 835},
	},
	{
		id:    "A12",
		title: "TMPDIR is missing, relative, a file, a link, open to all, somebody else's, read-only or full",
		fix:   "return the error of the creation; do not fall back to another directory",
		cwe:   []int{379},
	},
	{
		id:    "A13",
		title: "the umask is 0, 0177 or 0777",
		fix:   "pass the mode that is meant to every create, and check the mode of a directory before it is used",
		cwe:   []int{276},
	},
	{
		id:    "A14",
		title: "the directory is renamed away and back",
		fix:   "open the directory once (os.OpenRoot) and use names relative to it",
		cwe:   []int{367},
	},
	{
		id:    "A15",
		title: "a deep maze of symbolic links makes a lookup slow, so that a race is won",
		fix:   "leave no window: one atomic call, or a descriptor, instead of check and use",
		cwe:   []int{363, 367},
	},
	{
		id:    "A16",
		title: "files of an earlier run that crashed are still there",
		fix:   "choose new random names in each run, and do not read what an earlier run left",
		cwe:   []int{459},
	},
}
