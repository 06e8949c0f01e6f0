//go:build unix

package tmptest

import (
	"os"
	"syscall"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// removeEmpty removes an empty directory, and nothing else: not a link or a
// file that took its name.
func removeEmpty(path string) error { return syscall.Rmdir(path) }

// checkGone is R14 for a directory that was removed.
func checkGone(path string) []Violation {
	if _, err := os.Lstat(path); err != nil {
		return nil
	}
	return []Violation{{Rule: rules.R14, Path: path, Detail: "was made again after it had been removed"}}
}
