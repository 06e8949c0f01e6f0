//go:build unix

package sweep

import (
	"io/fs"
	"os"
	"path/filepath"
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

// TestMark: the directory of a living process stays; given up, it goes.
func TestMark(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, Prefix+"1")
	require.NoError(t, os.Mkdir(own, 0o700))
	f, err := Mark(own)
	require.NoError(t, err)
	new(Sweeper).Sweep(dir)
	assert.DirExists(t, own)
	again, err := Mark(own)
	require.NoError(t, err, "a mark of the same process")
	require.NoError(t, again.Close())
	require.NoError(t, f.Close())
	new(Sweeper).Sweep(dir)
	assert.NoDirExists(t, own)

	_, err = Mark(own)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorIs(t, Remove(own), fs.ErrNotExist)
	new(Sweeper).Sweep(own)
}

// TestCancel: a sweep that is cancelled before looks at the first names.
func TestCancel(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, Prefix+"1")
	require.NoError(t, os.Mkdir(own, 0o700))
	f, err := Mark(own)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	var s Sweeper
	s.Cancel()
	s.Sweep(dir)
	assert.NoDirExists(t, own)
}
