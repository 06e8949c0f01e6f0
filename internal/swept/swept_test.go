package swept

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/sweep"
)

func TestMain(m *testing.M) { os.Exit(Run(m)) }

// TestDir: a directory beside that of the run, which goes with its test.
func TestDir(t *testing.T) {
	dir := ""
	t.Run("test", func(t *testing.T) {
		dir = Dir(t)
		assert.Equal(t, outer, filepath.Dir(dir))
		assert.FileExists(t, filepath.Join(dir, sweep.Marker))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "left"), nil, 0o400))
	})
	assert.NoDirExists(t, dir)
	assert.NotEqual(t, outer, os.TempDir())
}

// stub notes that a test failed.
type stub struct {
	testing.TB
	failed, fatal bool
	cleanup       func()
}

func (s *stub) Helper()          {}
func (s *stub) Error(...any)     { s.failed = true }
func (s *stub) Fatal(...any)     { s.fatal = true }
func (s *stub) Cleanup(f func()) { s.cleanup = f }

// TestNoDirectory: where none can be made, or kept, nothing is run in silence.
func TestNoDirectory(t *testing.T) {
	s := &stub{TB: t}
	require.NoError(t, os.RemoveAll(Dir(s)))
	s.cleanup()
	assert.True(t, s.failed, "a test removed it")

	was := outer
	t.Cleanup(func() { outer = was })
	outer = filepath.Join(was, "nonexistent")
	s = &stub{TB: t}
	Dir(s)
	assert.True(t, s.fatal)
	assert.Equal(t, 1, Run(nil))
}
