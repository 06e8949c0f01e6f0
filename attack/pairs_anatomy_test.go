package attack_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Wei and Pu, "TOCTTOU Vulnerabilities in UNIX-Style File Systems: An
// Anatomical Study" (FAST'05), enumerate the pairs of calls of which the
// first, the check, establishes something about a name and the second, the
// use, relies on it: 224 pairs of the sets below. Group 1 relies on the name's
// absence, group 2 on its being the same object.

// pair is one of them. The sets say in which role a call is there: rename is
// in six of them.
type pair struct {
	group      int
	first      string // set of the check
	second     string // set of the use
	check, use string
}

func (p pair) set() string   { return p.first + "-" + p.second }
func (p pair) calls() string { return p.check + "-" + p.use }

// String is the pair as a test's name has it.
func (p pair) String() string { return p.set() + "/" + p.calls() }

var callSets = map[string][]string{
	"Check":         {"stat", "access"},
	"FileCreation":  {"creat", "open", "mknod", "rename"},
	"FileRemove":    {"unlink", "rename"},
	"FileNormalUse": {"chmod", "chown", "truncate", "utime", "open", "execve"},
	"DirCreation":   {"mkdir", "rename"},
	"DirRemove":     {"rmdir", "rename"},
	"DirNormalUse":  {"chmod", "chown", "utime", "mount", "chdir", "chroot", "pivot_root"},
	"LinkCreation":  {"link", "symlink", "rename"},
	"LinkRemove":    {"unlink", "rename"},
}

var anatomy = []struct {
	group         int
	first, second string
	pairs         int
}{
	{1, "Check", "FileCreation", 8},
	{1, "FileRemove", "FileCreation", 8},
	{1, "Check", "DirCreation", 4},
	{1, "DirRemove", "DirCreation", 4},
	{1, "Check", "LinkCreation", 6},
	{1, "LinkRemove", "LinkCreation", 6},
	{2, "Check", "FileNormalUse", 12},
	{2, "FileCreation", "FileNormalUse", 24},
	{2, "LinkCreation", "FileNormalUse", 18},
	{2, "FileNormalUse", "FileNormalUse", 36},
	{2, "Check", "DirNormalUse", 14},
	{2, "DirCreation", "DirNormalUse", 14},
	{2, "LinkCreation", "DirNormalUse", 21},
	{2, "DirNormalUse", "DirNormalUse", 49},
}

// allPairs generates them in the order of the anatomy.
func allPairs() []pair {
	var all []pair
	for _, row := range anatomy {
		for _, check := range callSets[row.first] {
			for _, use := range callSets[row.second] {
				all = append(all, pair{row.group, row.first, row.second, check, use})
			}
		}
	}
	return all
}

func TestPairsAreWeiAndPus(t *testing.T) {
	counts, names := map[string]int{}, map[string]bool{}
	for _, p := range allPairs() {
		counts[p.first+"-"+p.second]++
		require.False(t, names[p.String()], "%s is generated twice", p)
		names[p.String()] = true
	}
	for _, row := range anatomy {
		assert.Equal(t, row.pairs, counts[row.first+"-"+row.second], "%s, %s", row.first, row.second)
	}
	assert.Len(t, names, 224)
}

// onDirs and onLinks say what the pair's name is, or would be.
func (p pair) onDirs() bool { return p.second == "DirCreation" || p.second == "DirNormalUse" }

// has says that one of the two calls is one of those named.
func (p pair) has(calls ...string) bool {
	for _, c := range calls {
		if p.check == c || p.use == c {
			return true
		}
	}
	return false
}

// private says that the pair changes the mount table or the root, and needs a
// thread with a mount namespace of its own.
func (p pair) private() bool { return p.has("mount", "chroot", "pivot_root") }

// harmless gives the reason why no attacker can do damage between the calls of
// a pair, empty where one can. It is checked by hand: each reason holds for
// whatever stands at the name when the use comes.
func (p pair) harmless() string {
	if p.group != 1 {
		return ""
	}
	switch p.use {
	case "mkdir", "mknod", "link", "symlink":
		return "exclusive"
	case "rename":
		return "replaces"
	}
	return ""
}

// reasons are the sentences of the table.
var reasons = []struct{ class, text string }{
	{"exclusive", "`mkdir`, `mknod`, `link` and `symlink` check and make in one step: whatever the attacker puts at the name, a dangling link too, they fail with EEXIST, follow nothing and change nothing. " +
		"What they have made cannot be taken for anything else before the code returns, since the use is its last call. A second path, the link's target, lies in the private directory."},
	{"replaces", "`rename` puts a file of the private directory at the name in one step. It never follows a link at the last name: what the attacker put there is what is lost, and of a directory in its way, or a file in a directory's, " +
		"it fails with EISDIR, ENOTDIR or ENOTEMPTY. The other path lies in the private directory; a source in the shared directory would be a pair of its own (group 2), and broken."},
}
