package tmptest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"
)

// empty removes all that is below root, and gives directories their owner bits
// back where that is in the way (R12): only through root, so that nothing
// outside is ever touched. What it could not remove is R11.
func empty(root *os.Root, base string) []Violation {
	left := make(map[string]error)
	emptyDir(root, ".", left)
	var found []Violation
	for rel, err := range left {
		found = append(found, Violation{Rule: R11, Path: filepath.Join(base, filepath.FromSlash(rel)), Detail: "cannot be removed: " + reason(err).Error()})
	}
	return found
}

func emptyDir(root *os.Root, rel string, left map[string]error) {
	names, err := namesIn(root, rel)
	if errors.Is(err, fs.ErrPermission) {
		if err = root.Chmod(rel, 0o700); err == nil {
			names, err = namesIn(root, rel)
		}
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			left[rel] = err
		}
		return
	}
	chmodded := false
	for _, name := range names {
		child := path.Join(rel, name)
		err := root.Remove(child)
		if notEmpty(root, child, err) {
			emptyDir(root, child, left)
			err = root.Remove(child)
		}
		if errors.Is(err, fs.ErrPermission) && !chmodded {
			chmodded = true
			if root.Chmod(rel, 0o700) == nil {
				err = root.Remove(child)
				if notEmpty(root, child, err) {
					emptyDir(root, child, left)
					err = root.Remove(child)
				}
			}
		}
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist):
		case slices.ContainsFunc(keys(left), func(l string) bool { return path.Dir(l) == child || l == child }):
			// the reason is below, or known
		default:
			left[child] = err
		}
	}
}

// notEmpty reports whether a directory stood against its removal because of
// what it holds, or because it could not be looked into.
func notEmpty(root *os.Root, rel string, err error) bool {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return false
	}
	info, lerr := root.Lstat(rel)
	return lerr == nil && info.IsDir() && (isNotEmpty(err) || errors.Is(err, fs.ErrPermission))
}

// isNotEmpty: POSIX lets rmdir return either.
func isNotEmpty(err error) bool {
	return errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist)
}

func namesIn(root *os.Root, rel string) ([]string, error) {
	f, err := root.Open(rel)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func keys(m map[string]error) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	return all
}

// maxSweeps bounds how often a directory is emptied that fills up again.
const maxSweeps = 5

// removeTree removes path, which root stands for, with all that is in it. It
// closes root. Entries that come while it works are R14.
func removeTree(root *os.Root, path string) []Violation {
	found := empty(root, path)
	for sweep := 1; ; sweep++ {
		err := removeEmpty(path)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			break
		}
		if len(found) > 0 && isNotEmpty(err) {
			break // said already
		}
		if !isNotEmpty(err) || sweep == maxSweeps {
			found = append(found, Violation{Rule: R11, Path: path, Detail: "cannot be removed: " + reason(err).Error()})
			break
		}
		names, _ := namesIn(root, ".")
		slices.Sort(names)
		for _, name := range names {
			found = append(found, Violation{Rule: R14, Path: filepath.Join(path, name), Detail: "was made while the directory was being removed"})
		}
		if failed := empty(root, path); len(failed) > 0 {
			found = append(found, failed...)
			break
		}
	}
	if err := root.Close(); err != nil {
		found = append(found, Violation{Rule: R11, Path: path, Detail: fmt.Sprintf("close: %s", reason(err))})
	}
	if _, err := os.Lstat(path); err == nil && len(found) == 0 {
		found = append(found, Violation{Rule: R14, Path: path, Detail: "was made again after it had been removed"})
	}
	return found
}
