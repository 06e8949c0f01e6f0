package fsfake_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tmpproof/tmpproof/fsfake"
)

// contents lists all files with what is in them.
func (w *fakeWorld) contents(t testing.TB, tree []object) []string {
	var list []string
	for _, o := range tree {
		text := fmt.Sprintf("%+v", o)
		if o.mode&0o170000 == 0o100000 && o.size < 1<<21 {
			b, err := w.read(o.path)
			require.NoError(t, err)
			text += digest(b)
		}
		list = append(list, text)
	}
	return list
}

func (w *fakeWorld) read(path string) ([]byte, error) {
	f, err := w.root.OpenFile(path, os.O_RDONLY|fsfake.O_NOATIME, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	p := make([]byte, fi.Size())
	_, err = f.ReadAt(p, 0)
	return p, err
}

// TestSnapshotsAgree takes and restores snapshots at random between random
// operations, and compares whole trees with what they were.
func TestSnapshotsAgree(t *testing.T) {
	for seed := range uint64(setting(t, "FSFAKE_SNAPSHOT_RUNS", 60)) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		g := &generator{chooser: rnd, users: len(accounts)}
		w := newFakeWorld(t, accounts, "", 0o1777, 0, 0)
		type saved struct {
			s    *fsfake.Snapshot
			tree []string
		}
		var all []saved
		state := func() []string {
			w.end()
			clear(w.open[:])
			clear(w.links)
			w.disk.Remount(fsfake.NoAtime())
			defer w.disk.Remount(fsfake.Relatime())
			return w.contents(t, w.tree())
		}
		for step := range 400 {
			switch {
			case rnd.IntN(12) == 0:
				s := saved{tree: state()}
				s.s = w.disk.Snapshot()
				all = append(all, s)
			case len(all) > 0 && rnd.IntN(12) == 0:
				s := all[rnd.IntN(len(all))]
				w.disk.Restore(s.s)
				if rnd.IntN(2) == 0 {
					require.Empty(t, s.s.Diff(), "seed %d step %d", seed, step)
				}
				require.Equal(t, s.tree, state(), "seed %d step %d", seed, step)
				require.NoError(t, w.disk.Check(), "seed %d step %d", seed, step)
			case len(all) > 3 && rnd.IntN(20) == 0: // forget one
				i := rnd.IntN(len(all))
				all = append(all[:i], all[i+1:]...)
			default:
				w.do(g.call())
			}
		}
		w.end()
		require.NoError(t, w.disk.Check(), "seed %d", seed)
	}
}

func TestDiff(t *testing.T) {
	d := fsfake.New()
	v := d.As(fsfake.User{})
	require.NoError(t, v.MkdirAll("/a/b", 0o755))
	require.NoError(t, v.WriteFile("/a/keep", []byte("one"), 0o644))
	require.NoError(t, v.WriteFile("/a/gone", []byte("two"), 0o644))
	require.NoError(t, v.WriteFile("/a/swap", []byte("two"), 0o644))
	s := d.Snapshot()
	assert.Empty(t, s.Diff())

	require.NoError(t, v.Chmod("/a/keep", 0o600))
	require.NoError(t, v.Chown("/a/b", 7, 8))
	require.NoError(t, v.Remove("/a/gone"))
	require.NoError(t, v.Remove("/a/swap"))
	require.NoError(t, v.Symlink("keep", "/a/swap"))
	require.NoError(t, v.MkdirAll("/new/dir", 0o700))
	require.NoError(t, v.Link("/a/keep", "/new/dir/again"))
	var lines []string
	for _, c := range s.Diff() {
		lines = append(lines, c.String())
	}
	assert.Equal(t, []string{
		`~ "/a/b/" owner: 0:0 -> 7:8`,
		`- "/a/gone" -rw-r--r-- 0:0 3 bytes`,
		`~ "/a/keep" mode: -rw-r--r-- -> -rw-------`,
		`~ "/a/keep" links: 1 -> 2`,
		`~ "/a/swap" replaced: -rw-r--r-- 0:0 3 bytes -> Lrwxrwxrwx 0:0 -> "keep"`,
		`+ "/new" drwx------ 0:0`,
		`+ "/new/dir" drwx------ 0:0`,
		`+ "/new/dir/again" -rw------- 0:0 3 bytes`,
	}, lines)

	t.Run("content of one length", func(t *testing.T) {
		d.Restore(s)
		f, err := v.OpenFile("/a/keep", os.O_RDWR, 0)
		require.NoError(t, err)
		fi, err := f.Stat()
		require.NoError(t, err)
		_, err = f.WriteAt([]byte("x"), 1)
		require.NoError(t, err)
		require.NoError(t, v.Chtimes("/a/keep", fi.ModTime(), fi.ModTime()))
		require.Len(t, s.Diff(), 1)
		assert.Equal(t, "content", s.Diff()[0].What)
	})
}

func TestRestoreEndsHandles(t *testing.T) {
	d := fsfake.New()
	v := d.As(fsfake.User{})
	before, err := v.Create("/before")
	require.NoError(t, err)
	s := d.Snapshot()
	after, err := v.Create("/after")
	require.NoError(t, err)
	d.Restore(s)
	for _, f := range []interface{ Sync() error }{before, after} {
		assert.ErrorIs(t, f.Sync(), syscall.ESTALE)
	}
	assert.NoError(t, before.Close())
	assert.NoError(t, d.Check())
	assert.Panics(t, func() { fsfake.New().Restore(s) })
}

// TestSnapshotCost shows that taking and restoring a snapshot does not depend on
// the size of the disk.
func TestSnapshotCost(t *testing.T) {
	d := fsfake.New()
	v := d.As(fsfake.User{})
	for i := range 20_000 {
		require.NoError(t, v.WriteFile(fmt.Sprintf("/tmp/f%d", i), []byte("x"), 0o600))
	}
	s := d.Snapshot()
	n := testing.AllocsPerRun(100, func() {
		require.NoError(t, v.Remove("/tmp/f7"))
		d.Restore(s)
		d.Snapshot()
	})
	assert.Less(t, n, 20.0)
}

func BenchmarkSchedule(b *testing.B) {
	d := fsfake.New()
	v := d.As(fsfake.User{UID: 1000, GID: 1000})
	if err := v.MkdirAll("/tmp/scene", 0o777); err != nil {
		b.Fatal(err)
	}
	s := d.Snapshot()
	ops := 0
	d.Hook(fsfake.Hook{
		Before: func(*fsfake.Op) error { ops++; return nil },
		After:  func(*fsfake.Op) { ops++ },
	})
	data := []byte("hello")
	b.ReportAllocs()
	for b.Loop() {
		d.Restore(s)
		f, err := v.CreateTemp("/tmp/scene", "x-*")
		if err != nil {
			b.Fatal(err)
		}
		f.Write(data)
		f.Close()
		if err := v.Rename(f.Name(), "/tmp/scene/target"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(ops)/float64(b.N)/2, "operations")
}
