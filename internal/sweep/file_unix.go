//go:build unix

package sweep

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// WriteFile writes a file of mode 0600 in one step: whoever reads it meanwhile
// reads the old one or the new one. What a process that was killed has left of
// its own try is removed by the next one.
func WriteFile(dir, name string, data []byte) error {
	sweepFiles(dir, name+"-")
	for range mostTries {
		taken, err := writeFile(dir, name, data)
		if !taken {
			return err
		}
	}
	return fmt.Errorf("each of %d files begun for %s was removed by another process", mostTries, filepath.Join(dir, name))
}

// mostTries bounds how often something is begun that another process takes away.
const mostTries = 100

// writeFile also reports whether another process has taken its file for one that
// was left.
func writeFile(dir, name string, data []byte) (taken bool, err error) {
	f, err := os.CreateTemp(dir, name+"-*")
	if err != nil {
		return false, err
	}
	defer f.Close()
	if lock(f) != nil || !same(f) {
		_ = os.Remove(f.Name())
		return true, nil
	}
	if _, err = f.Write(data); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return false, err
}

// same reports whether the file still has its name.
func same(f *os.File) bool {
	st, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Lstat(f.Name())
	return err == nil && os.SameFile(st, now)
}

// sweepFiles removes the files of this user, with a name that os.CreateTemp
// draws, that nobody has locked.
func sweepFiles(dir, prefix string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	names, _ := d.Readdirnames(mostSwept)
	d.Close()
	for _, name := range names {
		drawn, ok := strings.CutPrefix(name, prefix)
		if ok && drawn != "" && strings.Trim(drawn, "0123456789") == "" {
			_ = sweepFile(filepath.Join(dir, name))
		}
	}
}

func sweepFile(name string) error {
	st, err := os.Lstat(name)
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() || st.Mode().Perm() != 0o600 || !owned(st) {
		return errors.New("not a file of mode 0600 of this user")
	}
	f, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if now, err := f.Stat(); err != nil || !os.SameFile(st, now) {
		return errors.Join(fs.ErrNotExist, err)
	}
	if err := lock(f); err != nil {
		return err
	}
	return os.Remove(name)
}
