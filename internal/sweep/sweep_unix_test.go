//go:build unix

package sweep

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestSweeperLeavesAlone: what only looks like a root of ours.
func TestSweeperLeavesAlone(t *testing.T) {
	dir := t.TempDir()
	path := func(elem ...string) string { return filepath.Join(append([]string{dir}, elem...)...) }
	plant := func(name string, perm os.FileMode, text string) {
		require.NoError(t, os.Mkdir(path(name), 0o700))
		require.NoError(t, os.WriteFile(path(name, "data"), nil, 0o600))
		if text != "" {
			require.NoError(t, os.WriteFile(path(name, Marker), []byte(text), 0o600))
		}
		require.NoError(t, os.Chmod(path(name), perm))
	}
	plant("tmpproof-gone", 0o700, Text)
	plant("tmpproof-open", 0o755, Text)
	plant("tmpproof-other", 0o700, "something else that is long enough\n")
	plant("tmpproof-short", 0o700, "x")
	plant("tmpproof-none", 0o700, "")
	plant("other", 0o700, Text)
	require.NoError(t, os.Symlink("other", path("tmpproof-link")))
	require.NoError(t, os.WriteFile(path("tmpproof-file"), nil, 0o600))
	plant("tmpproof-linkmarker", 0o700, "")
	require.NoError(t, os.Symlink("../other/"+Marker, path("tmpproof-linkmarker", Marker)))
	plant("tmpproof-fifo", 0o700, "")
	require.NoError(t, unix.Mkfifo(path("tmpproof-fifo", Marker), 0o600))
	plant("tmpproof-livesin", 0o700, Text)
	f, err := os.OpenFile(path("tmpproof-livesin", Marker), os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, lock(f))
	foreign := []string{}
	if os.Getuid() == 0 {
		plant("tmpproof-foreign", 0o700, Text)
		require.NoError(t, os.Chown(path("tmpproof-foreign"), 65534, 65534))
		foreign = append(foreign, "tmpproof-foreign")
	}
	// A link inside of what is removed does not lead out of it.
	require.NoError(t, os.Symlink(path("other"), path("tmpproof-gone", "out")))
	// Whoever is not root must first be given the right to remove these.
	require.NoError(t, os.MkdirAll(path("tmpproof-gone", "ro", "closed"), 0o700))
	require.NoError(t, os.WriteFile(path("tmpproof-gone", "ro", "closed", "f"), nil, 0o400))
	require.NoError(t, os.Chmod(path("tmpproof-gone", "ro", "closed"), 0))
	require.NoError(t, os.Chmod(path("tmpproof-gone", "ro"), 0o500))

	new(Sweeper).Sweep(dir)
	assert.NoDirExists(t, path("tmpproof-gone"))
	for _, name := range append(foreign, "tmpproof-open", "tmpproof-other", "tmpproof-short", "tmpproof-none", "tmpproof-linkmarker",
		"tmpproof-fifo", "tmpproof-livesin", "other") {
		assert.FileExists(t, path(name, "data"), name)
	}
	assert.FileExists(t, path("tmpproof-file"))
	_, err = os.Lstat(path("tmpproof-link"))
	assert.NoError(t, err)
}

// TestMake: the directory of a living process stays; given up, it goes.
func TestMake(t *testing.T) {
	dir := t.TempDir()
	own, f, err := Make(dir)
	require.NoError(t, err)
	st, err := os.Lstat(own)
	require.NoError(t, err)
	assert.Equal(t, fs.ModeDir|0o700, st.Mode())
	new(Sweeper).Sweep(dir)
	assert.FileExists(t, filepath.Join(own, Marker))
	require.NoError(t, f.Close())
	new(Sweeper).Sweep(dir)
	assert.Empty(t, list(t, dir))

	_, _, err = Make(own)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorIs(t, Remove(own), fs.ErrNotExist)
	new(Sweeper).Sweep(own)
}

// TestMakeUmask: the umask takes nothing from the owner.
func TestMakeUmask(t *testing.T) {
	dir := t.TempDir()
	old := unix.Umask(0o277)
	own, f, err := Make(dir)
	unix.Umask(old)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	new(Sweeper).Sweep(dir)
	assert.NoDirExists(t, own)
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestAside: what is aside goes where nobody is at work on it, and only that.
func TestAside(t *testing.T) {
	for _, tt := range []struct {
		name  string
		build func(t *testing.T, path string)
		stays bool
	}{
		{"empty", func(t *testing.T, path string) { require.NoError(t, os.Mkdir(path, 0o700)) }, false},
		{"empty, under a umask", func(t *testing.T, path string) { require.NoError(t, os.Mkdir(path, 0)) }, false},
		{"marker without text", aside700(func(t *testing.T, path string) { write(t, path, Marker, "", 0o600) }), false},
		{"marker under a umask", aside700(func(t *testing.T, path string) { write(t, path, Marker, "", 0) }), false},
		{"text cut short", aside700(func(t *testing.T, path string) { write(t, path, Marker, Text[:5], 0o600) }), false},
		{"whole marker", aside700(func(t *testing.T, path string) { write(t, path, Marker, Text+"12\n", 0o600) }), false},
		{"held", aside700(func(t *testing.T, path string) {
			f, err := mark(path)
			require.NoError(t, err)
			t.Cleanup(func() { f.Close() })
		}), true},
		{"another file", aside700(func(t *testing.T, path string) { write(t, path, "data", Text, 0o600) }), true},
		{"a file beside the marker", aside700(func(t *testing.T, path string) {
			write(t, path, Marker, Text, 0o600)
			write(t, path, "data", "", 0o600)
		}), true},
		{"another text", aside700(func(t *testing.T, path string) { write(t, path, Marker, "mine", 0o600) }), true},
		{"open to others", func(t *testing.T, path string) {
			require.NoError(t, os.Mkdir(path, 0o700))
			write(t, path, Marker, Text, 0o600)
			require.NoError(t, os.Chmod(path, 0o755))
		}, true},
		{"a link", func(t *testing.T, path string) { require.NoError(t, os.Symlink(t.TempDir(), path)) }, true},
		{"a file", func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, nil, 0o600)) }, true},
		{"a FIFO", aside700(func(t *testing.T, path string) { require.NoError(t, unix.Mkfifo(filepath.Join(path, Marker), 0o600)) }), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, Aside+"1")
			tt.build(t, path)
			new(Sweeper).Sweep(dir)
			assert.Equal(t, tt.stays, len(list(t, dir)) > 0)
		})
	}
	if os.Getuid() == 0 {
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, Aside+"1"), 0o700))
		require.NoError(t, os.Chown(filepath.Join(dir, Aside+"1"), 65534, 65534))
		new(Sweeper).Sweep(dir)
		assert.Len(t, list(t, dir), 1, "another user's")
	}
}

func aside700(build func(t *testing.T, path string)) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		require.NoError(t, os.Mkdir(path, 0o700))
		build(t, path)
	}
}

func write(t *testing.T, dir, name, text string, perm fs.FileMode) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), perm))
	require.NoError(t, os.Chmod(filepath.Join(dir, name), perm))
}

// TestMakeBesideSweepers: a sweeper that takes what a process has begun takes
// nothing from it.
func TestMakeBesideSweepers(t *testing.T) {
	dir := t.TempDir()
	stop := make(chan bool)
	var sweepers sync.WaitGroup
	for range 2 {
		sweepers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					new(Sweeper).Sweep(dir)
				}
			}
		})
	}
	for range 300 {
		own, f, err := Make(dir)
		require.NoError(t, err)
		now, err := f.Stat()
		require.NoError(t, err)
		there, err := os.Lstat(filepath.Join(own, Marker))
		require.NoError(t, err)
		assert.True(t, os.SameFile(now, there))
		require.NoError(t, Remove(own))
		require.NoError(t, f.Close())
	}
	close(stop)
	sweepers.Wait()
	new(Sweeper).Sweep(dir)
	assert.Empty(t, list(t, dir))
}

// TestPartStays: what could not be removed as a whole keeps its marker, and goes
// once it can.
func TestPartStays(t *testing.T) {
	dir := t.TempDir()
	own, f, err := Make(dir)
	require.NoError(t, err)
	deep := filepath.Join(own, strings.Repeat("d/", 60))
	require.NoError(t, os.MkdirAll(deep, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(own, "data"), nil, 0o600))
	// No descriptor is left.
	var was unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &was))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1, Max: was.Max}))
	err = Remove(own)
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &was))
	assert.ErrorIs(t, err, unix.EMFILE)
	assert.FileExists(t, filepath.Join(own, Marker))
	require.NoError(t, f.Close())

	// Few are left: fewer than the tree is deep.
	spare, err := os.Open(dir)
	require.NoError(t, err)
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(spare.Fd()) + 12, Max: was.Max}))
	new(Sweeper).Sweep(dir)
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &was))
	require.NoError(t, spare.Close())
	assert.Empty(t, list(t, dir))
}

// TestCancel: a sweep that is cancelled before looks at the first names.
func TestCancel(t *testing.T) {
	dir := t.TempDir()
	_, f, err := Make(dir)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	var s Sweeper
	s.Cancel()
	s.Sweep(dir)
	assert.Empty(t, list(t, dir))
}

// TestWriteFile: what killed processes have left beside it goes, and nothing else.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "r.json", "old", 0o600)
	write(t, dir, "r.json-123", "left", 0o600)
	write(t, dir, "r.json-124", "held", 0o600)
	write(t, dir, "r.json-125", "with another mode", 0o644)
	write(t, dir, "r.json-old", "mine", 0o600)
	write(t, dir, "r.json-", "mine", 0o600)
	write(t, dir, "q.json-123", "another report's", 0o600)
	require.NoError(t, os.Symlink("q.json-123", filepath.Join(dir, "r.json-126")))
	require.NoError(t, unix.Mkfifo(filepath.Join(dir, "r.json-127"), 0o600))
	held, err := os.Open(filepath.Join(dir, "r.json-124"))
	require.NoError(t, err)
	defer held.Close()
	require.NoError(t, lock(held))
	require.NoError(t, WriteFile(dir, "r.json", []byte("new")))
	assert.Equal(t, []string{"q.json-123", "r.json", "r.json-", "r.json-124", "r.json-125", "r.json-126", "r.json-127", "r.json-old"}, list(t, dir))
	b, err := os.ReadFile(filepath.Join(dir, "r.json"))
	require.NoError(t, err)
	assert.Equal(t, "new", string(b))
	assert.ErrorIs(t, WriteFile(filepath.Join(dir, "no"), "r.json", nil), fs.ErrNotExist)
}

// TestWriteFileTogether: writers take nothing from each other.
func TestWriteFileTogether(t *testing.T) {
	dir := t.TempDir()
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 100 {
				assert.NoError(t, WriteFile(dir, "r.json", []byte("whole")))
			}
		})
	}
	writers.Wait()
	assert.Equal(t, []string{"r.json"}, list(t, dir))
}
