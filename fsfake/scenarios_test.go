package fsfake_test

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tmpproof/tmpproof/fsfake"
)

// TestKnownRaces replays races of Go's standard library with a hook in which the
// attacker moves: each with the code that lost it, and with code that does not.
// /tmp/tree/sub has the file "mine"; the attacker puts in its place a link to
// /secret, which has the file "key" of 3 bytes.
func TestKnownRaces(t *testing.T) {
	list := func(v *fsfake.FS, name string, flag int) ([]string, error) {
		f, err := v.OpenFile(name, flag, 0)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return f.Readdirnames(-1)
	}
	const noFollow = os.O_RDONLY | fsfake.O_NOFOLLOW | fsfake.O_DIRECTORY
	for _, row := range []struct {
		name   string
		before string // the operation that the attacker comes before
		victim func(v *fsfake.FS) ([]string, error)
		want   string // what the victim sees
		err    error
	}{
		{"golang/go#79005 O_NOFOLLOW and a slash", "open", func(v *fsfake.FS) ([]string, error) {
			return list(v, "/tmp/tree/sub/", noFollow)
		}, "key", nil},
		{"golang/go#79005 O_NOFOLLOW without a slash", "open", func(v *fsfake.FS) ([]string, error) {
			return list(v, "/tmp/tree/sub", noFollow)
		}, "", syscall.ENOTDIR},
		{"golang/go#79005 a root does not follow it out", "open", func(v *fsfake.FS) ([]string, error) {
			root, err := v.Root("/tmp/tree")
			require.NoError(t, err)
			_, err = list(root, "sub/", noFollow)
			require.ErrorContains(t, err, "escapes")
			return nil, fs.ErrInvalid
		}, "", fs.ErrInvalid},
		{"golang/go#77827 lstat by path of what was listed", "lstat", func(v *fsfake.FS) ([]string, error) {
			require.NoError(t, v.WriteFile("/tmp/tree/sub/key", nil, 0o600))
			_, err := list(v, "/tmp/tree/sub", noFollow)
			require.NoError(t, err)
			fi, err := v.Lstat("/tmp/tree/sub/key")
			if err != nil || fi.Size() == 0 {
				return nil, err
			}
			return []string{"key"}, nil // of 3 bytes: the other one
		}, "key", nil},
		{"golang/go#77827 information from the handle", "readdir", func(v *fsfake.FS) ([]string, error) {
			require.NoError(t, v.WriteFile("/tmp/tree/sub/key", nil, 0o600))
			f, err := v.OpenFile("/tmp/tree/sub", noFollow, 0)
			require.NoError(t, err)
			defer f.Close()
			infos, err := f.Readdir(-1)
			seen := []string{}
			for _, fi := range infos {
				if fi.Size() > 1 {
					seen = append(seen, fi.Name())
				}
			}
			return seen, err
		}, "", nil},
		{"golang/go#70007 Walk looks and then opens", "open", func(v *fsfake.FS) (seen []string, err error) {
			err = afero.Walk(v, "/tmp/tree/sub", func(path string, fi fs.FileInfo, err error) error {
				if err == nil && !fi.IsDir() {
					seen = append(seen, fi.Name())
				}
				return err
			})
			return seen, err
		}, "key", nil},
		{"golang/go#70007 RemoveAll opens without following", "open", func(v *fsfake.FS) ([]string, error) {
			return nil, v.RemoveAll("/tmp/tree/sub")
		}, "", syscall.EISDIR},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := fsfake.New()
			root := d.As(fsfake.User{})
			victim, attacker := d.As(fsfake.User{UID: 1000}), d.As(fsfake.User{UID: 2000}).Quiet()
			require.NoError(t, root.Mkdir("/secret", 0o755))
			require.NoError(t, root.WriteFile("/secret/key", []byte("key"), 0o644))
			require.NoError(t, root.Mkdir("/tmp/tree", 0o777))
			require.NoError(t, victim.Mkdir("/tmp/tree/sub", 0o755))
			require.NoError(t, victim.WriteFile("/tmp/tree/sub/mine", []byte("x"), 0o600))
			moved := false
			d.Hook(fsfake.Hook{Before: func(op *fsfake.Op) error {
				at := strings.Trim(op.Path, "/")
				if op.Name == row.before && !moved && op.Flag&os.O_CREATE == 0 && strings.Contains(at, "sub") {
					moved = true
					require.NoError(t, attacker.Rename("/tmp/tree/sub", "/tmp/tree/away"))
					require.NoError(t, attacker.Symlink("/secret", "/tmp/tree/sub"))
				}
				return nil
			}})
			seen, err := row.victim(victim)
			assert.True(t, moved, "the attacker had no turn")
			if row.err == nil {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, row.err)
			}
			slices.Sort(seen)
			assert.Equal(t, row.want, strings.Join(seen, " "))
			assert.NoError(t, second(root.Stat("/secret/key")))
		})
	}
}
