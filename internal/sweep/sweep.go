// Package sweep makes directories in a shared place that are removed even when
// their process was killed: each has a marker that is locked as long as the
// process lives, and whoever starts later removes those whose lock is free, or
// held by nobody but a forked child of a process that has ended. It takes only
// what is surely one of them: a directory of mode 0700 of the own user, not
// reached through a link, with a marker of ours. Only on Unix, where a directory
// tells whose it is.
//
// A directory has its name only while its marker is in it. Before and after it
// is aside, under a name with [Aside], where an empty directory of the own user
// is one of ours: so a process may be killed at any moment.
//
//	Make     tmpproof-new-5/   tmpproof-new-5/.tmpproof   tmpproof-5/.tmpproof
//	Remove   tmpproof-5/.tmpproof   tmpproof-new-5/.tmpproof   tmpproof-new-5/
package sweep

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// Prefix begins the names of the directories. Short, since the names of
	// Unix sockets below have 104 bytes on some systems.
	Prefix = "tmpproof-"
	// Aside begins the names of those that are being made or removed.
	Aside  = Prefix + "new-"
	Marker = ".tmpproof" // in the directory
	Text   = "tmpproof directory\n"
	// SharedDir is the directory in a scene that what runs in it has as TMPDIR.
	SharedDir = "shared"
)

// mark makes the marker in dir and locks it. Closing it gives the directory up.
func mark(dir string) (_ *os.File, err error) {
	f, err := os.OpenFile(filepath.Join(dir, Marker), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := sameMode(f, 0o600); err != nil {
		return nil, err
	}
	if _, err := f.WriteString(Text + owner()); err != nil {
		return nil, err
	}
	if err := lock(f); err != nil { // last: where it is held, the text is whole
		return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	return f, nil
}

// sameMode gives f the mode where the umask has taken from it.
func sameMode(f *os.File, perm fs.FileMode) error {
	st, err := f.Stat()
	if err != nil || st.Mode().Perm() == perm {
		return err
	}
	return f.Chmod(perm)
}

// Remove removes a directory of Make through os.Root, so that no link leads out
// of it. Directories without write permission get it first (R12). Where a part
// stays the marker does too, so that a later run can go on.
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
	for _, name := range names {
		if name != Marker {
			err = errors.Join(err, removeAll(dir, name))
		}
	}
	if err != nil {
		return err
	}
	return vanish(dir, path)
}

// Vanish removes a directory of Make that has nothing but its marker.
func Vanish(path string) error {
	dir, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return vanish(dir, path)
}

func vanish(dir *os.Root, path string) error {
	names, err := readNames(dir, ".")
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != Marker {
			return &fs.PathError{Op: "remove", Path: filepath.Join(path, name), Err: errors.New("was made while the directory was being removed")}
		}
	}
	if path, err = aside(path); err != nil {
		return err
	}
	if err := dir.Remove(Marker); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) { // a sweeper may have found it empty
		return err
	}
	return nil
}

// removeAll removes what is at and below name: at once if it can, and else one
// entry after the other, with the rights that are missing. That takes two
// descriptors at any depth.
func removeAll(dir *os.Root, name string) error {
	if dir.RemoveAll(name) == nil {
		return nil
	}
	return removeEach(dir, name)
}

func removeEach(dir *os.Root, name string) error {
	err := dir.Remove(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if st, e := dir.Lstat(name); e != nil || !st.IsDir() {
		return err
	}
	_ = dir.Chmod(name, 0o700)
	names, err := readNames(dir, name)
	for _, n := range names {
		err = errors.Join(err, removeEach(dir, filepath.Join(name, n)))
	}
	if err != nil {
		return err
	}
	return dir.Remove(name)
}

func readNames(dir *os.Root, name string) ([]string, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}
