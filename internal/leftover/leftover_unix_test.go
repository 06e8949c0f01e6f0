//go:build unix

package leftover

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestLookSpecial: files that are no files are named as what they are, and
// nothing waits at them.
func TestLookSpecial(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Symlink("no\nwhere", filepath.Join(dir, "link")))
	require.NoError(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	require.NoError(t, err)
	defer l.Close()
	for path, want := range map[string]string{
		filepath.Join(dir, "link"): `symbolic link to "no\nwhere"`,
		filepath.Join(dir, "fifo"): "FIFO",
		filepath.Join(dir, "s"):    "Unix socket",
		os.DevNull:                 "special file",
	} {
		st, err := os.Lstat(path)
		require.NoError(t, err)
		assert.Equal(t, want, Look(path, st).What)
	}
}

// TestLookMany: a directory with more than is counted says so.
func TestLookMany(t *testing.T) {
	dir := t.TempDir()
	for range mostEntries + 1 {
		f, err := os.CreateTemp(dir, "")
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	st, err := os.Lstat(dir)
	require.NoError(t, err)
	assert.Equal(t, "directory with more than 10000 entries", Look(dir, st).What)
}
