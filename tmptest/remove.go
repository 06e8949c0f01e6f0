package tmptest

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// remover removes what is below root, and gives directories their owner bits
// back where that is in the way (R12): only through root, so that nothing
// outside is ever touched.
type remover struct {
	root  *os.Root
	base  string
	known map[string]bool // entries that were listed before; nil: all
	late  []string        // others that came up
	left  map[string]error
}

// dir empties one directory.
func (r *remover) dir(rel string) {
	names, err := namesIn(r.root, rel)
	if errors.Is(err, fs.ErrPermission) {
		if err = unlock(r.root, r.base, rel); err == nil {
			names, err = namesIn(r.root, rel)
		}
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			r.left[rel] = err
		}
		return
	}
	for _, name := range names {
		child := path.Join(rel, name)
		if r.known != nil && !r.known[child] {
			r.late = append(r.late, child)
		}
		err := r.entry(child)
		if errors.Is(err, fs.ErrPermission) && unlock(r.root, r.base, rel) == nil {
			err = r.entry(child)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !r.blocked(child) {
			r.left[child] = err
		}
	}
}

// entry removes one name, and what is below it first if that is needed.
func (r *remover) entry(rel string) error {
	err := r.root.Remove(rel)
	if r.isFull(rel, err) {
		r.dir(rel)
		err = r.root.Remove(rel)
	}
	return err
}

// blocked: the reason why a name stays is known already, or is below it.
func (r *remover) blocked(rel string) bool {
	for l := range r.left {
		if l == rel || strings.HasPrefix(l, rel+"/") {
			return true
		}
	}
	return false
}

// isFull reports whether a directory stood against its removal because of
// what it holds, or because it could not be looked into.
func (r *remover) isFull(rel string, err error) bool {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return false
	}
	info, lerr := r.root.Lstat(rel)
	return lerr == nil && info.IsDir() && (isNotEmpty(err) || errors.Is(err, fs.ErrPermission))
}

// found is R11 for what stays and R14 for what came.
func (r *remover) found() []Violation {
	var found []Violation
	at := func(rel string) string { return filepath.Join(r.base, filepath.FromSlash(rel)) }
	for rel, err := range r.left {
		found = append(found, Violation{Rule: rules.R11, Path: at(rel), Detail: "cannot be removed: " + reason(err).Error()})
	}
	for _, rel := range r.late {
		found = append(found, Violation{Rule: rules.R14, Path: at(rel), Detail: "was made while the directory was being removed"})
	}
	return found
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

// maxSweeps bounds how often a directory is emptied that fills up again.
const maxSweeps = 5

// removeTree removes path, which root stands for, with all that is in it. What
// comes while it works, or since the listing was made, is R14; what stays is
// R11.
func removeTree(root *os.Root, path string, listing *tree) []Violation {
	r := &remover{root: root, base: path, left: make(map[string]error)}
	if listing != nil {
		r.known = listing.names()
	}
	for sweep := 1; ; sweep++ {
		r.dir(".")
		if len(r.left) > 0 {
			return r.found()
		}
		err := removeEmpty(path)
		switch {
		case err == nil:
			return append(r.found(), checkGone(path)...)
		case errors.Is(err, fs.ErrNotExist):
			return r.found()
		case !isNotEmpty(err) || sweep == maxSweeps:
			r.left["."] = err
			return r.found()
		}
		r.known = map[string]bool{} // all that is there now is new
	}
}
