package tmptest

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// Audit checks a directory and all that is below it as [Dir] checks what it
// hands out, without a test: for TestMain, for tools, for any tree. The
// violations are sorted by level, then in the order of the rule book; what
// could not be checked on this system or in this tree is among them, with
// level [rules.Warn] and a detail that begins with "not checked:".
//
// Checked are the path (E01, E03, E04, E05, E14), the directory (E06, E07),
// its file system (E08, E09, E17), what is in it (C04, C05, C15, U05), and who
// holds it open (R03, C16, R13). With [Process], the process is checked too.
//
// Nothing is changed, but for E09: in a directory of the user's own with mode
// 0700 a probe file is made and removed again.
//
// The error says that path is no directory that can be opened, or that an
// option is wrong; there are no violations then.
func Audit(path string, opts ...Option) ([]Violation, error) {
	c, err := configure(verbAudit, opts)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("tmptest.Audit: %w", err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("tmptest.Audit: %w", err)
	}
	info, err := root.Stat(".")
	if err != nil {
		_ = root.Close() // only read from
		return nil, fmt.Errorf("tmptest.Audit: %w", err)
	}
	resolved, found := walkChain(abs, c.literal)
	if resolved == "" { // open to us, but its path cannot be walked
		resolved = abs
	}
	leaf := judgeLeaf(resolved, info)
	found = append(found, leaf...)
	dev := statOf(info).dev
	place, _ := c.checkPlace(resolved, dev, len(leaf) == 0)
	found = append(found, place...)
	if len(leaf) > 0 {
		found = append(found, unchecked(rules.E09, resolved, "no probe file is made in a directory that is not private"))
	}
	found = append(found, readTree(root, resolved, dev, false).check()...)
	if err := root.Close(); err != nil { // before descriptors are looked at
		return nil, fmt.Errorf("tmptest.Audit: %w", err)
	}
	found = append(found, checkOpen(resolved, 0)...)
	found = append(found, checkProcesses(resolved)...)
	found = append(found, uncheckedHere(resolved)...)
	if c.process {
		found = append(found, checkProcess(c)...)
	}
	return tidy(found, c.allowed), nil
}
