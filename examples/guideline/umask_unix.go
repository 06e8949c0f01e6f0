//go:build unix

package guideline

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// umaskThenMkdtemp is the guideline's last correct snippet to the letter (see
// mkdtemp): os.Create asks for 0666, and the umask that the code sets itself
// makes that 0600. The umask is the process's: files that other goroutines
// make meanwhile get it too.
func umaskThenMkdtemp(use func(*os.File) error) (err error) {
	dir, err := os.MkdirTemp("", "stuff-*")
	if err != nil {
		return err
	}
	saved := syscall.Umask(0o077)
	defer func() {
		syscall.Umask(saved)
		err = errors.Join(err, os.Remove(dir))
	}()
	path := filepath.Join(dir, "myfile")
	tmp, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(use(tmp), tmp.Close(), os.Remove(path))
}
