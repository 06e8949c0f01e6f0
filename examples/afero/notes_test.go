package notes

import (
	"io/fs"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/fsfake"
	"github.com/tmpproof/tmpproof/leakcheck"
)

var (
	ann = fsfake.User{UID: 1000, GID: 1000, Umask: 0o022}
	bob = fsfake.User{UID: 1001, GID: 1001, Umask: 0o022}
)

// save is one of the two ways to save.
type save func(s *Store, name string, text []byte) error

var ways = map[string]save{"Save": (*Store).Save, "SaveInPlace": (*Store).SaveInPlace}

// newStore is a store of ann's in /tmp, with one note.
func newStore(t *testing.T, save save) (*fsfake.Disk, *Store) {
	disk := fsfake.New()
	s := &Store{FS: disk.As(ann), Dir: "/tmp"}
	require.NoError(t, save(s, "todo", []byte("old")))
	return disk, s
}

func TestSaveAndLoad(t *testing.T) {
	for name, save := range ways {
		t.Run(name, func(t *testing.T) {
			_, s := newStore(t, save)
			require.NoError(t, save(s, "todo", []byte("new")))
			text, err := s.Load("todo")
			require.NoError(t, err)
			assert.Equal(t, "new", string(text))
		})
	}
}

// TestFaults fails each operation of a save once with each error: the note is
// the old or the new one, and nothing else stays.
func TestFaults(t *testing.T) {
	for _, op := range []string{"open", "write", "fsync", "close", "rename"} {
		for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EDQUOT} {
			t.Run(op+" "+errno.Error(), func(t *testing.T) {
				disk, s := newStore(t, (*Store).Save)
				leakcheck.CheckFs(t, s.FS, leakcheck.Dir("/tmp"))
				defer disk.Fail(fsfake.Fault{Op: op, Nth: 1, Err: errno})()
				require.ErrorIs(t, s.Save("todo", []byte("new")), errno)
				text, err := s.Load("todo")
				require.NoError(t, err)
				assert.Equal(t, "old", string(text))
			})
		}
	}
}

// TestFaultInPlace: what the first way loses.
func TestFaultInPlace(t *testing.T) {
	disk, s := newStore(t, (*Store).SaveInPlace)
	disk.Fail(fsfake.Fault{Op: "write", Nth: 1, Err: syscall.ENOSPC})
	require.ErrorIs(t, s.SaveInPlace("todo", []byte("new")), syscall.ENOSPC)
	text, err := s.Load("todo")
	require.NoError(t, err)
	assert.Empty(t, text, "neither old nor new")
}

// TestOtherUser: bob cannot read ann's notes, and could the first way's.
func TestOtherUser(t *testing.T) {
	for name, want := range map[string]error{"Save": fs.ErrPermission, "SaveInPlace": nil} {
		t.Run(name, func(t *testing.T) {
			disk, _ := newStore(t, ways[name])
			_, err := (&Store{FS: disk.As(bob), Dir: "/tmp"}).Load("todo")
			assert.ErrorIs(t, err, want)
		})
	}
}

// TestPlantedLink: bob puts a link to another file of ann's at the name of the
// note before it is there.
func TestPlantedLink(t *testing.T) {
	for name, want := range map[string]string{"Save": "key", "SaveInPlace": "new"} {
		t.Run(name, func(t *testing.T) {
			disk := fsfake.New()
			require.NoError(t, disk.As(fsfake.User{}).Mkdir("/home", 0o777))
			s := &Store{FS: disk.As(ann), Dir: "/tmp"}
			require.NoError(t, afero.WriteFile(s.FS, "/home/key", []byte("key"), 0o600))
			require.NoError(t, disk.As(bob).Symlink("/home/key", "/tmp/todo"))
			_ = ways[name](s, "todo", []byte("new")) // Save cannot replace bob's entry in a sticky directory
			key, err := afero.ReadFile(s.FS, "/home/key")
			require.NoError(t, err)
			assert.Equal(t, want, string(key))
		})
	}
}

// TestMemMapFs is why not afero's own: a file that nobody may read is read.
func TestMemMapFs(t *testing.T) {
	s := &Store{FS: afero.NewMemMapFs(), Dir: "/tmp"}
	require.NoError(t, s.Save("todo", []byte("x")))
	require.NoError(t, s.FS.Chmod("/tmp/todo", 0))
	_, err := s.Load("todo")
	assert.NoError(t, err)

	_, s = newStore(t, (*Store).Save)
	require.NoError(t, s.FS.Chmod("/tmp/todo", 0))
	_, err = s.Load("todo")
	assert.ErrorIs(t, err, fs.ErrPermission)
}
