package tmptest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"unicode"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// tempRoot is where a directory is made, and what names it.
func (c *config) tempRoot() (path, from string) {
	if c.in != "" {
		return c.in, "In"
	}
	if dir := os.Getenv("GOTMPDIR"); dir != "" {
		return dir, "GOTMPDIR"
	}
	return os.TempDir(), "os.TempDir"
}

// maxPath is the longest path that E14 takes: sockaddr_un has 104 bytes on
// macOS and 108 on Linux, and 40 are left for what is below.
const maxPath = 60

// namePart is how much of the test's name goes into the directory's: enough to
// recognise it, and short enough for E14.
const namePart = 16

// dirPattern is a pattern for os.MkdirTemp from a test's name: letters and digits
// of it, and what is unsafe in a path or looks like an option left out.
func dirPattern(test string) string {
	var b strings.Builder
	for _, r := range test {
		if b.Len() >= namePart {
			break
		}
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			b.WriteRune(r)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "_") {
			b.WriteByte('_')
		}
	}
	return b.String() + "-*"
}

// makeDir makes a private directory in the temporary root. The violations are
// those of the root and its ancestors, and say why the path is empty if it is.
func (c *config) makeDir(pattern string) (path string, found []Violation) {
	root, from := c.tempRoot()
	resolved, found := walkChain(root, c.literal)
	if resolved == "" {
		for i := range found {
			found[i].Detail += fmt.Sprintf(" (the temporary root, from %s)", from)
		}
		return "", found
	}
	path, err := os.MkdirTemp(resolved, pattern)
	if err != nil {
		return "", append(found, cannotMake(root, from, err))
	}
	return path, found
}

// cannotMake is the rule that stands for the error of a creation in the
// temporary root.
func cannotMake(root, from string, err error) Violation {
	r, why := rules.E01, "no directory can be made in it: "
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		r, why = rules.E17, "there is no room in it: "
	}
	return Violation{Rule: r, Path: root, Detail: fmt.Sprintf("%s%s (the temporary root, from %s)", why, reason(err), from)}
}

// checkLeaf is E06 for a directory just made: it repairs a mode that the umask
// or a set-group-id parent changed, and reports what it then is.
func checkLeaf(path string) (fs.FileInfo, []Violation, error) {
	info, err := os.Lstat(path)
	if err != nil || !hasOwners {
		return info, nil, err
	}
	const all = fs.ModePerm | fs.ModeSetgid | fs.ModeSetuid | fs.ModeSticky
	if info.Mode()&all != 0o700 {
		if err := os.Chmod(path, 0o700); err != nil {
			return info, nil, err
		}
		if info, err = os.Lstat(path); err != nil {
			return info, nil, err
		}
	}
	return info, judgeLeaf(path, info), nil
}

// judgeLeaf is E06.
func judgeLeaf(path string, info fs.FileInfo) []Violation {
	var found []Violation
	add := func(format string, args ...any) {
		found = append(found, Violation{Rule: rules.E06, Path: path, Detail: fmt.Sprintf(format, args...)})
	}
	if !info.IsDir() {
		add("is no directory: %s", info.Mode().Type())
		return found
	}
	if !hasOwners {
		return nil
	}
	if mode := modeText(info.Mode()); mode != "0700" {
		add("has mode %s", mode)
	}
	if st := statOf(info); st.uid != os.Geteuid() {
		add("belongs to user %d, not to %d", st.uid, os.Geteuid())
	}
	return found
}

// checkPlace is what a directory's file system and path say: E07, E08, E14 and
// E17, and E09 where it may be probed. It also says if all files in it report
// its device.
func (c *config) checkPlace(path string, dev uint64, mayProbe bool) (found []Violation, oneDev bool) {
	info, err := c.fsInfo(path)
	if err != nil {
		found = append(found, unchecked(rules.E08, path, err.Error()), unchecked(rules.E17, path, err.Error()))
	} else {
		found = append(found, checkLocal(path, info)...)
		found = append(found, checkRoom(path, info)...)
	}
	if len(path) > maxPath {
		found = append(found, Violation{Rule: rules.E14, Path: path, Detail: fmt.Sprintf("has %d bytes, more than %d", len(path), maxPath)})
	}
	if mayProbe {
		found = append(found, checkProbe(path, dev, realProber)...)
	}
	return append(found, checkACL(path)...), info.oneDev
}
