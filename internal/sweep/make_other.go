//go:build !unix

package sweep

import (
	"errors"
	"os"
)

// Make makes a directory in dir, with a locked marker in it. Closing the marker
// gives the directory up.
func Make(dir string) (path string, marker *os.File, err error) {
	path, err = os.MkdirTemp(dir, Prefix)
	if err != nil {
		return "", nil, err
	}
	if marker, err = mark(path); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(path))
	}
	return path, marker, nil
}

// aside: a directory in which a file is open cannot be renamed on Windows, and
// nothing is swept there.
func aside(path string) (string, error) { return path, nil }
