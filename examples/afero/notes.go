// Package notes is a small application on afero: it keeps notes as files. Its
// tests run it on a fake disk with users, faults and an attacker.
package notes

import (
	"crypto/rand"
	"errors"
	"os"
	"path"

	"github.com/spf13/afero"
)

// Store keeps notes in a directory.
type Store struct {
	FS  afero.Fs
	Dir string
}

// Save replaces a note as a whole: readers find the old or the new text, and
// on an error the old one.
func (s *Store) Save(name string, text []byte) (err error) {
	// afero.TempFile's names can be computed from one of them.
	tmp := path.Join(s.Dir, ".note-"+rand.Text())
	f, err := s.FS.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.FS.Remove(tmp))
		}
	}()
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return s.FS.Rename(tmp, path.Join(s.Dir, name))
}

// Load reads a note.
func (s *Store) Load(name string) ([]byte, error) {
	return afero.ReadFile(s.FS, path.Join(s.Dir, name))
}

// SaveInPlace is how it was first: the note is truncated, then written.
func (s *Store) SaveInPlace(name string, text []byte) error {
	return afero.WriteFile(s.FS, path.Join(s.Dir, name), text, 0o644)
}
