package fsfake_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tmpproof/tmpproof/fsfake"
)

// TestConcurrentUse runs the calls of the differential test on many goroutines
// with snapshots, diffs and hooks between, and then looks the disk through.
func TestConcurrentUse(t *testing.T) {
	w := newFakeWorld(t, accounts, "", 0o1777, 0, 0)
	var wg sync.WaitGroup
	for i := range 8 {
		one := *w // its own handles
		wg.Go(func() {
			g := &generator{chooser: rand.New(rand.NewPCG(uint64(i), 3)), users: len(accounts)}
			for range 3000 {
				// Not to read a file whole: another goroutine can have made it
				// a million gigabytes long by then.
				if c := g.call(); c.name != "osreadfile" {
					one.do(c)
				}
			}
			one.end()
		})
	}
	wg.Go(func() {
		var s *fsfake.Snapshot
		for n := range 200 {
			if s == nil || n%7 == 0 {
				s = w.disk.Snapshot()
			}
			s.Diff()
			if n%10 == 9 {
				w.disk.Restore(s)
			}
			w.disk.Hook(fsfake.Hook{After: func(*fsfake.Op) {}})()
		}
	})
	wg.Wait()
	require.NoError(t, w.disk.Check())
}

// TestExclusiveCreation: of many goroutines that create one name, one wins.
func TestExclusiveCreation(t *testing.T) {
	v := fsfake.New().As(fsfake.User{})
	for round := range 200 {
		name := fmt.Sprintf("/tmp/%d", round)
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				f, err := v.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
				if err == nil {
					won.Add(1)
					f.Close()
				} else {
					assert.ErrorIs(t, err, fs.ErrExist)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, won.Load())
	}
}

// TestRenameIsAtomic: a name that is replaced all the time is always there, and
// a stat never sees an inode without links.
func TestRenameIsAtomic(t *testing.T) {
	v := fsfake.New().As(fsfake.User{})
	require.NoError(t, v.WriteFile("/tmp/x", nil, 0o600))
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		defer done.Store(true)
		for range 3000 {
			require.NoError(t, v.WriteFile("/tmp/y", nil, 0o600))
			require.NoError(t, v.Rename("/tmp/y", "/tmp/x"))
		}
	})
	for range 3 {
		wg.Go(func() {
			for !done.Load() {
				fi, err := v.Stat("/tmp/x")
				if !assert.NoError(t, err) {
					return
				}
				s, _ := fsfake.StatOf(fi)
				assert.EqualValues(t, 1, s.Nlink)
			}
		})
	}
	wg.Wait()
}

func TestIOFS(t *testing.T) {
	root := fsfake.New().As(fsfake.User{})
	require.NoError(t, root.MkdirAll("/a/b/c", 0o755))
	require.NoError(t, root.WriteFile("/a/one", []byte("1"), 0o644))
	require.NoError(t, root.WriteFile("/a/b/two", nil, 0o644))
	require.NoError(t, root.Symlink("b/two", "/a/link"))
	require.NoError(t, fstest.TestFS(root.IOFS(), "a/one", "a/b/two", "a/link"))
	sub, err := fs.Sub(root.IOFS(), "a/b")
	require.NoError(t, err)
	require.NoError(t, fstest.TestFS(sub, "two"))
	_, err = root.IOFS().Open("/a")
	assert.ErrorIs(t, err, fs.ErrInvalid)
	_, err = fs.ReadFile(sub, "../one")
	assert.ErrorIs(t, err, fs.ErrInvalid)
}
