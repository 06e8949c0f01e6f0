package leftover

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLook(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "tree", "sub"), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "empty"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tree", "sub", "f"), []byte("xyz"), 0o600))
	for _, row := range []struct {
		name string
		want Thing
	}{
		{"tree/sub/f", Thing{What: "file", Size: 3}},
		{"tree", Thing{What: "directory with 2 entries", Size: 3, Entries: 2}},
		{"tree/sub", Thing{What: "directory with 1 entry", Size: 3, Entries: 1}},
		{"empty", Thing{What: "empty directory"}},
	} {
		name := filepath.Join(dir, filepath.FromSlash(row.name))
		st, err := os.Lstat(name)
		require.NoError(t, err)
		assert.Equal(t, row.want, Look(name, st), row.name)
	}
	for most, more := range map[int]bool{1: true, 4: false, 5: false} {
		n, _, got := weigh(dir, most)
		assert.Equal(t, min(most, 4), n)
		assert.Equal(t, more, got, most)
	}
}

func TestText(t *testing.T) {
	assert.Equal(t, "upload-*.tmp", Pattern("upload-1234567.tmp"))
	assert.Equal(t, "part-001", Pattern("part-001"), "too short to be drawn")
	assert.Equal(t, `"a\nb"`, Printable("a\nb"))
	assert.Equal(t, "ü x", Printable("ü x"))
}
