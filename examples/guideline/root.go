package guideline

import (
	"crypto/rand"
	"errors"
	"os"
)

// rootCreate writes a file through an os.Root, which refuses every way out of
// the directory: no symlink leads it astray. But what stands in a shared
// directory may be somebody else's, and Create takes what is there.
func rootCreate(name, content string) error {
	return inRoot(func(root *os.Root) error {
		return writeAndRemove(root, name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, content)
	})
}

// rootExclusive is its safe twin: a name that nobody can foretell, and
// O_EXCL, which takes nothing that is there.
func rootExclusive(content string) error {
	return inRoot(func(root *os.Root) error {
		return writeAndRemove(root, "root-"+rand.Text(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, content)
	})
}

func inRoot(use func(*os.Root) error) error {
	root, err := os.OpenRoot(os.TempDir())
	if err != nil {
		return err
	}
	return errors.Join(use(root), root.Close())
}

func writeAndRemove(root *os.Root, name string, flags int, content string) error {
	file, err := root.OpenFile(name, flags, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(content)
	return errors.Join(err, file.Close(), root.Remove(name))
}
