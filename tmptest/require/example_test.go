//go:build unix

package require_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/require"
)

// Each stops the test where its twin in tmptest returns false.
func Example() {
	_ = func(t *testing.T) {
		dir := tmptest.Dir(t)
		path := filepath.Join(dir, "data")
		require.SecureDir(t, dir)
		require.InSecureDir(t, path)
		require.LocalFS(t, dir)

		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		require.CloseOnExec(t, f)
		require.Private(t, path)
		require.Mode(t, path, 0o600)
		require.NotSymlink(t, path)
		opened, _ := f.Stat()
		named, _ := os.Lstat(path)
		require.SameFile(t, opened, named)
		f.Close()
		require.NoOpenFiles(t, dir)
		os.Remove(path)
		require.Empty(t, dir)
	}
}

// What a function does, tried.
func ExampleNoFollow() {
	_ = func(t *testing.T) {
		require.NoFollow(t, func(path string) error {
			root, err := os.OpenRoot(filepath.Dir(path))
			if err != nil {
				return err
			}
			defer root.Close()
			f, err := root.Open(filepath.Base(path))
			if err != nil {
				return err
			}
			return f.Close()
		})
		require.RemovesAll(t, os.RemoveAll)
		name := func() (string, error) {
			f, err := os.CreateTemp("", "")
			if err != nil {
				return "", err
			}
			f.Close()
			return f.Name(), os.Remove(f.Name())
		}
		require.Unpredictable(t, name)
		require.Unguessable(t, name)
	}
}
