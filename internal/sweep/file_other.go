//go:build !unix

package sweep

import (
	"errors"
	"os"
	"path/filepath"
)

// WriteFile writes a file in one step: whoever reads it meanwhile reads the old
// one or the new one.
func WriteFile(dir, name string, data []byte) error {
	f, err := os.CreateTemp(dir, name+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
