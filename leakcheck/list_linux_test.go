package leakcheck

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/sample"
)

// TestList: a file that has just been made is in the listing, however often the
// directory was read before. Without the second look of list it is missed about
// once in 10,000 times, on tmpfs of Linux 6.18.
func TestList(t *testing.T) {
	times := 200
	if sample.Long() {
		times = 50_000
	}
	dir := t.TempDir()
	for range times {
		r, err := newRoot(dir)
		require.NoError(t, err)
		name := filepath.Join(r.files, "canary")
		require.NoError(t, os.WriteFile(name, nil, 0o600))
		_, err = r.names()
		require.NoError(t, err)
		require.NoError(t, os.Remove(name))
		names, err := r.names()
		require.NoError(t, err)
		require.Empty(t, names)
		done := make(chan error)
		go func() { done <- os.WriteFile(filepath.Join(r.files, "late"), nil, 0o600) }()
		require.NoError(t, <-done)
		names, err = r.names()
		require.NoError(t, err)
		require.Equal(t, []string{"late"}, names)
		require.NoError(t, r.remove())
	}
}
