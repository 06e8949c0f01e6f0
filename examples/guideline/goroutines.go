package guideline

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// sharedParts writes each part from a goroutine of its own to a numbered file
// in the shared directory, and removes them all in the end. It is pidName,
// several times at once.
func sharedParts(parts []string) error {
	return writeParts(os.TempDir(), parts)
}

// privateParts is its safe twin: the same files, in a directory of the
// program's own.
func privateParts(parts []string) (err error) {
	dir, err := os.MkdirTemp("", "parts-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return writeParts(dir, parts)
}

// writeParts writes part-0, part-1 and so on at the same time.
func writeParts(dir string, parts []string) error {
	errs := make([]error, len(parts))
	var all sync.WaitGroup
	for i, part := range parts {
		all.Go(func() {
			name := filepath.Join(dir, fmt.Sprintf("part-%d", i))
			if errs[i] = os.WriteFile(name, []byte(part), 0o600); errs[i] == nil {
				errs[i] = os.Remove(name)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
