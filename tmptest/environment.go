package tmptest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// checkProcess is E01, E02, E10, E12, E15 and E16, and E03 to E05 of the
// temporary root.
func checkProcess(c *config) []Violation {
	root, from := c.tempRoot()
	resolved, found := walkChain(root, c.literal)
	if resolved != "" {
		found = append(found, checkElsewhere(resolved)...)
	} else {
		resolved = root
	}
	for _, name := range tempVariables {
		switch value := os.Getenv(name); {
		case value == "":
			found = append(found, Violation{Rule: rules.E12, Path: name, Detail: "is not set; the root is from " + from})
		case value != root:
			found = append(found, Violation{Rule: rules.E12, Path: name, Detail: fmt.Sprintf("is %q, and the root, from %s, is %q", value, from, root)})
		}
	}
	found = append(found, checkUser(resolved)...)
	found = append(found, checkUmask()...)
	return append(found, checkProtection()...)
}

// checkElsewhere is E02.
func checkElsewhere(root string) []Violation {
	cwd, err := os.Getwd()
	if err == nil {
		cwd, err = filepath.EvalSymlinks(cwd)
	}
	if err != nil {
		return []Violation{unchecked(rules.E02, root, "working directory: "+err.Error())}
	}
	if root == cwd {
		return []Violation{{Rule: rules.E02, Path: root, Detail: "is the working directory"}}
	}
	for dir := root; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, "go.mod")); err == nil && below(dir, cwd) {
			return []Violation{{Rule: rules.E02, Path: root, Detail: fmt.Sprintf("is inside the module in %q", dir)}}
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// checkUser is E15.
func checkUser(root string) []Violation {
	if !hasOwners {
		return []Violation{unchecked(rules.E15, root, "the system has no user ids")}
	}
	uid, euid := os.Getuid(), os.Geteuid()
	if uid != euid {
		return []Violation{{Rule: rules.E15, Path: root, Detail: fmt.Sprintf("real user %d, effective user %d", uid, euid)}}
	}
	if euid != 0 {
		return nil
	}
	for dir := root; ; dir = filepath.Dir(dir) {
		if info, err := os.Lstat(dir); err == nil && info.Mode().Perm()&0o002 != 0 {
			return []Violation{{Rule: rules.E15, Path: root, Detail: fmt.Sprintf("root works below %q, which has mode %s", dir, modeText(info.Mode()))}}
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// judgeUmask is E10.
func judgeUmask(mask fs.FileMode) []Violation {
	if mask&0o077 == 0o077 {
		return nil
	}
	return []Violation{{Rule: rules.E10, Path: "umask", Detail: "is " + modeText(mask)}}
}
