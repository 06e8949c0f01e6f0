package guideline

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openUnnamed opens a file that has no name, and that nobody can give one
// (O_EXCL). The error is errors.ErrUnsupported where the file system, or a
// kernel before 3.11, does not know O_TMPFILE.
func openUnnamed(dir string) (*os.File, error) {
	file, err := os.OpenFile(dir, os.O_RDWR|os.O_EXCL|unix.O_TMPFILE, 0o600)
	if errors.Is(err, unix.EISDIR) { // the old kernel saw a directory opened for writing
		return nil, errors.ErrUnsupported
	}
	return file, err
}
