package guideline

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// worldStops are the programs of the tour as code that works through an
// afero.Fs has them: they can be attacked on the system's disk and on one in
// memory. Files without a name, the umask, os.Root and shells are not to be had
// there.
var worldStops = []stop{
	{
		name: "existsThenOpen",
		victim: func(s *attack.Scene) error {
			if _, err := s.FS.Stat(s.Path("settings")); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			file, err := s.FS.Create(s.Path("settings"))
			if err != nil {
				return err
			}
			_, err = file.WriteString("defaults")
			return errors.Join(err, file.Close())
		},
		opts:   []attack.Option{attack.Target("settings")},
		breaks: []rules.Rule{rules.X01, rules.X04, rules.X05, rules.X09, rules.X10},
	},
	{
		name:   "createNew",
		victim: func(s *attack.Scene) error { return aferoNew(s, s.Path("settings"), 0o600) },
		opts:   []attack.Option{attack.Target("settings")},
	},
	{
		name: "mktempThenOpen",
		victim: func(s *attack.Scene) error {
			name := s.Path("tmp" + strings.ToLower(rand.Text()[:8]))
			if _, err := s.FS.Stat(name); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return aferoUse(s, func() (afero.File, error) { return s.FS.Create(name) })
		},
		breaks: []rules.Rule{rules.C01, rules.C10, rules.X04, rules.X09},
	},
	{
		name: "pidName",
		victim: func(s *attack.Scene) error {
			return aferoUse(s, func() (afero.File, error) { return s.FS.Create(s.Path(fmt.Sprintf("%d.tmp", os.Getpid()))) })
		},
		breaks: []rules.Rule{rules.X01, rules.X04, rules.X09, rules.X10},
	},
	{
		name: "reliesOnUmask",
		victim: func(s *attack.Scene) error {
			name := s.Path("report-" + rand.Text())
			return aferoUse(s, func() (afero.File, error) {
				return s.FS.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
			})
		},
		breaks: []rules.Rule{rules.X04, rules.X09},
	},
	{
		name: "removesWhenAllGoesWell",
		victim: func(s *attack.Scene) error {
			file, err := afero.TempFile(s.FS, s.Dir, "report-*")
			if err != nil {
				return err
			}
			return file.Close() // filling it failed
		},
		breaks: []rules.Rule{rules.R01},
	},
	{
		name: "namedTemporaryFile",
		victim: func(s *attack.Scene) error {
			return aferoUse(s, func() (afero.File, error) { return afero.TempFile(s.FS, "", "named-*") })
		},
	},
	{
		name: "mkstemp",
		victim: func(s *attack.Scene) error {
			file, err := afero.TempFile(s.FS, "", "stuff-*")
			if err != nil {
				return err
			}
			_, err = file.WriteString(stuff)
			if err = errors.Join(err, file.Close()); err == nil {
				var got []byte
				got, err = afero.ReadFile(s.FS, file.Name())
				err = errors.Join(err, isStuff(got))
			}
			return errors.Join(err, s.FS.Remove(file.Name()))
		},
	},
	{
		name:   "mkdtemp",
		victim: aferoMkdtemp,
	},
	{
		name:   "mkdtemp, no sticky bit",
		victim: aferoMkdtemp,
		opts:   []attack.Option{attack.Unsticky(), attack.Depth(1)},
		breaks: []rules.Rule{rules.X01, rules.X06},
	},
	{
		name:   "sharedParts",
		victim: func(s *attack.Scene) error { return aferoParts(s, s.Dir) },
		breaks: []rules.Rule{rules.X01, rules.X07, rules.X10},
	},
	{
		name: "privateParts",
		victim: func(s *attack.Scene) error {
			dir, err := afero.TempDir(s.FS, "", "parts-")
			if err != nil {
				return err
			}
			return errors.Join(aferoParts(s, dir), s.FS.RemoveAll(dir))
		},
	},
}

func aferoNew(s *attack.Scene, name string, perm fs.FileMode) error {
	file, err := s.FS.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	_, err = file.WriteString("defaults")
	return errors.Join(err, file.Close())
}

// aferoUse is useAndRemove.
func aferoUse(s *attack.Scene, open func() (afero.File, error)) error {
	file, err := open()
	if err != nil {
		return err
	}
	_, err = file.WriteString(stuff)
	return errors.Join(err, file.Close(), s.FS.Remove(file.Name()))
}

func aferoMkdtemp(s *attack.Scene) (err error) {
	dir, err := afero.TempDir(s.FS, "", "stuff-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.FS.RemoveAll(dir)) }()
	return aferoNew(s, filepath.Join(dir, "myfile"), 0o600)
}

func aferoParts(s *attack.Scene, dir string) error {
	errs := make([]error, 3)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			name := filepath.Join(dir, fmt.Sprintf("part-%d", i))
			if errs[i] = afero.WriteFile(s.FS, name, []byte("part"), 0o600); errs[i] == nil {
				errs[i] = s.FS.Remove(name)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// TestFakeTour takes the tour on a disk in memory, whatever the system.
func TestFakeTour(t *testing.T) {
	for _, s := range worldStops {
		t.Run(s.name, func(t *testing.T) { s.on(t, attack.Fake()) })
	}
}

// differs says why the number of schedules behind a finding is not the same on
// both disks. The rules are.
var differs = map[string]string{
	"existsThenOpen": "a FIFO opened for reading and writing, as Create does, takes what is written to it; that of a fake disk refuses",
}

// TestBothWorlds takes it on both disks: the same text, to the byte.
func TestBothWorlds(t *testing.T) {
	for _, s := range worldStops {
		t.Run(s.name, func(t *testing.T) {
			system, fake := s.on(t), s.on(t, attack.Fake())
			if differs[s.name] == "" {
				assert.Equal(t, s.tell(system), s.tell(fake))
			}
		})
	}
}

// on attacks the program on one of the disks.
func (s stop) on(t *testing.T, world ...attack.Option) *attack.Report {
	opts := append([]attack.Option{attack.Expect(s.breaks...)}, s.opts...)
	return attack.Prove(t, s.victim, append(opts, world...)...)
}
