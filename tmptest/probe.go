package tmptest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// probed remembers, by device, what probe found: a file system does not learn
// O_EXCL while the tests run.
var probed sync.Map // uint64 -> string

// checkProbe is E09, tried once for each device of the process. dir must be a
// directory of the caller's own, since the probe is a file in it.
func checkProbe(dir string, dev uint64, p prober) []Violation {
	known, ok := probed.Load(dev)
	if !ok || !hasOwners {
		detail, err := p.probe(dir)
		if err != nil {
			return []Violation{unchecked(rules.E09, dir, err.Error())}
		}
		known = detail
		probed.Store(dev, detail)
	}
	if detail := known.(string); detail != "" {
		return []Violation{{Rule: rules.E09, Path: dir, Detail: detail}}
	}
	return nil
}

// prober has the calls that probe judges, so that a test can spoil them.
type prober struct {
	open  func(name string, flag int, perm fs.FileMode) (*os.File, error)
	chmod func(f *os.File, mode fs.FileMode) error
}

var realProber = prober{os.OpenFile, (*os.File).Chmod}

// probe makes a file twice with O_EXCL, changes its mode back and forth, and
// removes it. It says what is wrong with the file system, and returns an error
// where the probe itself was not possible.
func (p prober) probe(dir string) (detail string, err error) {
	f, err := os.CreateTemp(dir, ".tmptest-probe-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	again, err := p.open(f.Name(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
		return "a second create with O_EXCL of one name succeeded", again.Close()
	case !errors.Is(err, fs.ErrExist):
		return "", fmt.Errorf("second create of %s: %w", filepath.Base(f.Name()), err)
	}
	if !hasOwners {
		return "", nil
	}
	for _, want := range []fs.FileMode{0o640, 0o600} {
		if err := p.chmod(f, want); err != nil {
			return fmt.Sprintf("chmod %04o failed: %s", want, reason(err)), nil
		}
		info, err := f.Stat()
		if err != nil {
			return "", err
		}
		if got := info.Mode().Perm(); got != want {
			return fmt.Sprintf("chmod %04o reads back as %04o", want, got), nil
		}
	}
	return "", nil
}
