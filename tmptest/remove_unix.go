//go:build unix

package tmptest

import "syscall"

// removeEmpty removes an empty directory, and nothing else: not a link or a
// file that took its name.
func removeEmpty(path string) error { return syscall.Rmdir(path) }
