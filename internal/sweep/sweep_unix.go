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
			if strings.HasPrefix(name, Prefix) {
				_ = reclaim(filepath.Join(dir, name)) // what is not surely ours stays
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
	return remove(path, func(dir *os.Root) error {
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
		if err := abandoned(dir); err != nil {
			return err
		}
		endStrays(path)
		return nil
	})
}

func owned(st os.FileInfo) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && int(sys.Uid) == os.Geteuid()
}

// abandoned is nil when the directory has the marker of a root and nobody
// holds its lock. The lock is released again: no new root ever gets an old
// name while the directory is there, and two sweepers do no harm.
func abandoned(dir *os.Root) error {
	st, err := dir.Lstat(Marker)
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() || st.Mode().Perm() != 0o600 || !owned(st) {
		return fmt.Errorf("%s is not a file of mode 0600 of this user", Marker)
	}
	f, err := dir.OpenFile(Marker, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if now, err := f.Stat(); err != nil || !os.SameFile(st, now) {
		return errors.New("the marker was replaced meanwhile")
	}
	text := make([]byte, len(Text))
	if _, err := io.ReadFull(f, text); err != nil || string(text) != Text {
		return errors.New("the marker was not written by tmpproof")
	}
	return lock(f)
}
