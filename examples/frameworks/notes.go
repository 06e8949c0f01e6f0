// Package notes keeps notes. Its tests show the verbs of package attack in go
// test -fuzz, rapid, Ginkgo and a testify suite.
package notes

import (
	"errors"
	"path/filepath"

	"github.com/spf13/afero"
)

// Save writes a note under its name, as a whole or not at all.
func Save(fs afero.Fs, name, text string) (err error) {
	f, err := afero.TempFile(fs, filepath.Dir(name), ".note-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, fs.Remove(f.Name()))
		}
	}()
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return fs.Rename(f.Name(), name)
}

// HastySave is the same as somebody wrote it in a hurry.
func HastySave(fs afero.Fs, name, text string) error {
	if len(text) < 4096 { // who would notice
		return afero.WriteFile(fs, name, []byte(text), 0o600)
	}
	return Save(fs, name, text)
}
