//go:build unix

package sweep

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Make makes a directory of mode 0700 in dir, with a locked marker in it.
// Closing the marker gives the directory up.
func Make(dir string) (path string, marker *os.File, err error) {
	for range mostTries {
		made, err := os.MkdirTemp(dir, Aside)
		if err != nil {
			return "", nil, err
		}
		path, marker, taken, err := furnish(made)
		if err == nil && !taken {
			return path, marker, nil
		}
		if marker != nil || !taken {
			_ = os.Remove(filepath.Join(made, Marker))
		}
		_ = os.Remove(made) // where it stays, a sweeper is at it
		if marker != nil {
			marker.Close()
		}
		if err != nil {
			return "", nil, err
		}
	}
	return "", nil, fmt.Errorf("each of %d directories begun in %s was removed by another process", mostTries, dir)
}

// furnish gives a directory its marker and then its name. It was taken where a
// sweeper has found it empty, or its marker not locked yet, or where the name
// is another's.
func furnish(made string) (path string, marker *os.File, taken bool, err error) {
	if st, err := os.Lstat(made); err == nil && st.Mode().Perm() != 0o700 {
		if err := os.Chmod(made, 0o700); err != nil { // a umask that takes from the owner
			return "", nil, false, err
		}
	}
	marker, err = mark(made)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errLocked) {
		return "", nil, true, nil
	}
	if err != nil {
		return "", nil, false, err
	}
	// Locked and still in place: from here on no sweeper takes it.
	ours, err := marker.Stat()
	if err != nil {
		return "", marker, false, err
	}
	if now, err := os.Lstat(filepath.Join(made, Marker)); err != nil || !os.SameFile(now, ours) {
		return "", marker, true, nil
	}
	path = named(made, Aside, Prefix)
	if _, err := os.Lstat(path); err == nil {
		return "", marker, true, nil
	}
	return path, marker, false, os.Rename(made, path)
}

// aside takes the name away from a directory that is about to lose its marker.
func aside(path string) (string, error) {
	if strings.HasPrefix(filepath.Base(path), Aside) {
		return path, nil
	}
	at := named(path, Prefix, Aside)
	if _, err := os.Lstat(at); err == nil {
		return "", fmt.Errorf("%s is in the way", at)
	}
	return at, os.Rename(path, at)
}

// named is the path with another beginning of its last element.
func named(path, from, to string) string {
	dir, base := filepath.Split(path)
	return dir + to + strings.TrimPrefix(base, from)
}
