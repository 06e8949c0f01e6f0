// Package sweep makes directories in a shared place that are removed even when
// their process was killed: each has a marker that is locked as long as the
// process lives, and whoever starts later removes those whose lock is free. It
// takes only what is surely one of them: a directory of mode 0700 of the own
// user, not reached through a link, with a marker of ours. Only on Unix, where
// a directory tells whose it is.
package sweep

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

const (
	// Prefix begins the names of the directories. Short, since the names of
	// Unix sockets below have 104 bytes on some systems.
	Prefix = "tmpproof-"
	Marker = ".tmpproof" // in the directory
	Text   = "tmpproof directory\n"
	// SharedDir is the directory in a scene that what runs in it has as TMPDIR.
	SharedDir = "shared"
)

// Mark makes the marker, locked before it bears its name: a sweeper never sees
// one of a living process unlocked. Closing it gives the directory up.
func Mark(dir string) (_ *os.File, err error) {
	name := filepath.Join(dir, Marker)
	f, err := os.OpenFile(name+"~", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := lock(f); err != nil {
		return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	if _, err := f.WriteString(Text + strconv.Itoa(os.Getpid()) + "\n"); err != nil {
		return nil, err
	}
	return f, os.Rename(name+"~", name)
}

// Remove removes a directory through os.Root, so that no link leads out of it.
// Directories without write permission get it first (R12).
func Remove(path string) error { return remove(path, nil) }

// remove asks check, when given, once the directory is open: an error leaves
// all as it is.
func remove(path string, check func(*os.Root) error) error {
	dir, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	if check != nil {
		if err := check(dir); err != nil {
			return err
		}
	}
	names, err := readNames(dir, ".")
	if err != nil {
		return err
	}
	// The marker goes last: what a killed removal leaves can be swept.
	for _, name := range names {
		if name != Marker {
			err = errors.Join(err, removeAll(dir, name))
		}
	}
	if err != nil {
		return err
	}
	if err := dir.Remove(Marker); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Remove(path)
}

func removeAll(dir *os.Root, name string) error {
	err := dir.RemoveAll(name)
	if err == nil {
		return nil
	}
	unlock(dir, name)
	return dir.RemoveAll(name)
}

// unlock gives the owner all rights on the directories at and below name.
func unlock(dir *os.Root, name string) {
	st, err := dir.Lstat(name)
	if err != nil || !st.IsDir() {
		return
	}
	_ = dir.Chmod(name, 0o700)
	names, _ := readNames(dir, name)
	for _, n := range names {
		unlock(dir, filepath.Join(name, n))
	}
}

func readNames(dir *os.Root, name string) ([]string, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}
