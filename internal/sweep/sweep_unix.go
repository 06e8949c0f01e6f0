//go:build unix

package sweep

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
)

// Sweeper removes the roots of runs that were killed (R07, R08). It works
// while the tests run.
type Sweeper struct{ cancelled atomic.Bool }

// Bounds of how many names of a shared directory are looked at: the first even
// when the run is over before, the rest as long as it goes on.
const (
	surelySwept = 4_000
	mostSwept   = 100_000
)

// Cancel ends Sweep once it has looked at what it must.
func (s *Sweeper) Cancel() { s.cancelled.Store(true) }

// Sweep looks through dir.
func (s *Sweeper) Sweep(dir string) {
	f, err := os.Open(dir)
	if err != nil {
		return
	}
	defer f.Close()
	for n := 0; n < surelySwept || n < mostSwept && !s.cancelled.Load(); {
		names, err := f.Readdirnames(1000)
		for _, name := range names {
			switch path := filepath.Join(dir, name); { // what is not surely ours stays
			case strings.HasPrefix(name, Aside):
				_ = finish(path)
			case strings.HasPrefix(name, Prefix):
				_ = reclaim(path)
			}
		}
		if n += len(names); err != nil || len(names) == 0 {
			return
		}
	}
}

// reclaim removes a root whose process has ended. Whatever else bears such a
// name is left as it is, and the error says why.
func reclaim(path string) error {
	var marker *os.File
	defer func() {
		if marker != nil { // last: nobody else removes it meanwhile
			marker.Close()
		}
	}()
	return remove(path, func(dir *os.Root) (err error) {
		if err := ours(dir, path); err != nil {
			return err
		}
		if marker, err = abandoned(dir, false); err != nil {
			return err
		}
		endStrays(path)
		return nil
	})
}

// finish removes a directory that was killed while it was made or removed: an
// empty one, or one with nothing but a marker, which may have no text yet.
// One whose process lives loses nothing but an empty directory: it begins anew.
func finish(path string) error {
	st, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !st.IsDir() || !owned(st) {
		return errors.New("not a directory of this user")
	}
	if os.Remove(path) == nil {
		return nil
	}
	dir, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := ours(dir, path); err != nil {
		return err
	}
	marker, err := abandoned(dir, true)
	if err != nil {
		return err
	}
	defer marker.Close()
	return vanish(dir, path)
}

// ours is nil for a directory of mode 0700 of this user.
func ours(dir *os.Root, path string) error {
	st, err := dir.Stat(".")
	if err != nil {
		return err
	}
	if now, err := os.Lstat(path); err != nil || !os.SameFile(st, now) {
		return errors.Join(errors.New("a symbolic link, or replaced meanwhile"), err)
	}
	if st.Mode().Perm() != 0o700 || !owned(st) {
		return errors.New("not a directory of mode 0700 of this user")
	}
	return nil
}

func owned(st os.FileInfo) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && int(sys.Uid) == os.Geteuid()
}

// mostText is more than a marker has.
const mostText = 1000

// abandoned locks the marker of a directory that nobody holds. With begun its
// text may have been cut short.
func abandoned(dir *os.Root, begun bool) (_ *os.File, err error) {
	st, err := dir.Lstat(Marker)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Mode().Perm()&^0o600 != 0 || !begun && st.Mode().Perm() != 0o600 || !owned(st) {
		return nil, fmt.Errorf("%s is not a file of mode 0600 of this user", Marker)
	}
	if st.Mode().Perm() != 0o600 { // a umask took from it
		_ = dir.Chmod(Marker, 0o600)
	}
	f, err := dir.OpenFile(Marker, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	locked := lock(f)
	if now, err := f.Stat(); err != nil || !os.SameFile(st, now) {
		return nil, errors.New("the marker was replaced meanwhile")
	}
	if now, err := dir.Lstat(Marker); err != nil || !os.SameFile(st, now) {
		return nil, errors.New("the marker was removed meanwhile")
	}
	b, err := io.ReadAll(io.LimitReader(f, mostText))
	if err != nil {
		return nil, err
	}
	line, whole := strings.CutPrefix(string(b), Text)
	if !whole && !(begun && strings.HasPrefix(Text, string(b))) {
		return nil, errors.New("the marker was not written by tmpproof")
	}
	if locked != nil && !ended(line) {
		return nil, locked
	}
	return f, nil
}
