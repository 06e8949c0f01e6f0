// Package parity has what the functions of Python's tempfile module promise,
// the safe list of the OpenStack guideline, as rows that Go code can be
// checked against: a helper that stands in for mkstemp keeps all that mkstemp
// keeps.
//
//	func TestCreate(t *testing.T) {
//		parity.Run(t, parity.Mkstemp, func(dir string) (*os.File, error) { return store.Create(dir) })
//	}
//
// Each row is a promise of the Python documentation (3.13), in our words, with
// the rule of the rule book that its breach breaks. [Run] sets the umask to 0,
// so that a mode is what the code asked for, and gives each row a directory of
// mode 1777 as /tmp is.
package parity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// Row is one promise about functions of type F.
type Row[F any] struct {
	Promise string
	Rule    rules.Rule
	// Check calls f for the directory and reports a breach with t.Errorf. It
	// removes what f made, as f's caller would.
	Check func(t testing.TB, dir string, f F)
}

// Run checks f against each row in a subtest. The test must be serial, for the
// sake of the umask; on a system without one the rows of modes are skipped.
func Run[F any](t *testing.T, rows []Row[F], f F) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.Rule.ID()+" "+row.Promise, func(t *testing.T) {
			dir := tmptest.Shared(t, tmptest.NoEnv())
			if needsUmask(row.Rule) {
				tmptest.Umask(t, 0)
			}
			row.Check(t, dir, f)
		})
	}
}

func needsUmask(r rules.Rule) bool { return r == rules.C04 || r == rules.E06 }

// CreateFunc makes a file that its caller closes and removes.
type CreateFunc func(dir string) (*os.File, error)

// Mkstemp is tempfile.mkstemp.
var Mkstemp = []Row[CreateFunc]{
	{"only the owner can read and write the file, and nobody can execute it", rules.C04, func(t testing.TB, dir string, f CreateFunc) {
		withFile(t, dir, f, func(file *os.File) { private(t, file.Name()) })
	}},
	{"the file is open for reading and writing", rules.X05, func(t testing.TB, dir string, f CreateFunc) {
		withFile(t, dir, f, func(file *os.File) { readBack(t, file) })
	}},
	{"each call makes another file, and none that is there is opened", rules.C01, func(t testing.TB, dir string, f CreateFunc) {
		withFile(t, dir, f, func(first *os.File) {
			withFile(t, dir, f, func(second *os.File) { different(t, first.Name(), second.Name()) })
		})
	}},
	{"the name cannot be foretold", rules.C06, func(t testing.TB, dir string, f CreateFunc) {
		tmptest.Unpredictable(t, func() (name string, err error) {
			file, err := f(dir)
			if err != nil {
				return "", err
			}
			return file.Name(), errors.Join(file.Close(), ignoreMissing(os.Remove(file.Name())))
		})
	}},
	{"child processes do not inherit the descriptor", rules.C16, func(t testing.TB, dir string, f CreateFunc) {
		withFile(t, dir, f, func(file *os.File) { tmptest.CloseOnExec(t, file) })
	}},
	{"the file stays until the caller removes it", rules.X05, func(t testing.TB, dir string, f CreateFunc) {
		withFile(t, dir, f, func(file *os.File) {
			check(t, file.Close())
			if _, err := os.Lstat(file.Name()); err != nil {
				breach(t, rules.X05, file.Name(), "is gone after Close: %v", err)
			}
		})
	}},
	{"a directory that is not there is an error, and no other is used", rules.E01, func(t testing.TB, dir string, f CreateFunc) {
		file, err := f(filepath.Join(dir, "none"))
		if err == nil {
			breach(t, rules.E01, file.Name(), "was made although the directory is missing")
			drop(t, file)
		}
	}},
}

// DirFunc makes a directory that its caller removes.
type DirFunc func(dir string) (string, error)

// Mkdtemp is tempfile.mkdtemp.
var Mkdtemp = []Row[DirFunc]{
	{"only the owner can read, write and search the directory", rules.E06, func(t testing.TB, dir string, f DirFunc) {
		withDir(t, dir, f, func(path string) { tmptest.Mode(t, path, 0o700|fs.ModeDir) })
	}},
	{"each call makes another directory, and none that is there is used", rules.C12, func(t testing.TB, dir string, f DirFunc) {
		withDir(t, dir, f, func(first string) {
			withDir(t, dir, f, func(second string) { different(t, first, second) })
		})
	}},
	{"the name cannot be foretold", rules.C06, func(t testing.TB, dir string, f DirFunc) {
		tmptest.Unpredictable(t, func() (string, error) {
			path, err := f(dir)
			if err != nil {
				return "", err
			}
			return path, os.RemoveAll(path)
		})
	}},
	{"a directory that is not there is an error, and no other is used", rules.E01, func(t testing.TB, dir string, f DirFunc) {
		if path, err := f(filepath.Join(dir, "none")); err == nil {
			breach(t, rules.E01, path, "was made although the directory is missing")
			check(t, os.RemoveAll(filepath.Join(dir, "none")))
			check(t, os.RemoveAll(path))
		}
	}},
}

// TemporaryFile is tempfile.TemporaryFile: a file without a name, which is
// gone when it is closed.
var TemporaryFile = []Row[CreateFunc]{
	{"the file has no name in the directory while it is open", rules.C17, func(t testing.TB, dir string, f CreateFunc) {
		withHidden(t, dir, f, func(*os.File) { tmptest.Empty(t, dir) })
	}},
	{"nothing stays when it is closed", rules.R01, func(t testing.TB, dir string, f CreateFunc) {
		withHidden(t, dir, f, func(file *os.File) {
			check(t, file.Close())
			tmptest.Empty(t, dir)
			tmptest.NoOpenFiles(t, dir)
		})
	}},
	{"only the owner can read and write the file", rules.C04, func(t testing.TB, dir string, f CreateFunc) {
		withHidden(t, dir, f, func(file *os.File) {
			info, err := file.Stat()
			check(t, err)
			if err == nil && info.Mode() != 0o600 {
				breach(t, rules.C04, "the file", "has mode %s", info.Mode())
			}
		})
	}},
	{"the file is open for reading and writing", rules.X05, func(t testing.TB, dir string, f CreateFunc) {
		withHidden(t, dir, f, func(file *os.File) { readBack(t, file) })
	}},
	{"child processes do not inherit the descriptor", rules.C16, func(t testing.TB, dir string, f CreateFunc) {
		withHidden(t, dir, f, func(file *os.File) { tmptest.CloseOnExec(t, file) })
	}},
}

// NamedFile is a file with a name that its Close removes.
type NamedFile interface {
	io.ReadWriteSeeker
	io.Closer
	Name() string
}

// NamedFunc makes a file that goes when it is closed.
type NamedFunc func(dir string) (NamedFile, error)

// NamedTemporaryFile is tempfile.NamedTemporaryFile with delete=True.
var NamedTemporaryFile = []Row[NamedFunc]{
	{"the file has a name in the directory while it is open", rules.X05, func(t testing.TB, dir string, f NamedFunc) {
		withNamed(t, dir, f, func(file NamedFile) {
			if _, err := os.Lstat(file.Name()); err != nil || filepath.Dir(file.Name()) != dir {
				breach(t, rules.X05, file.Name(), "is no name in %s: %v", dir, err)
			}
		})
	}},
	{"only the owner can read and write the file", rules.C04, func(t testing.TB, dir string, f NamedFunc) {
		withNamed(t, dir, f, func(file NamedFile) { private(t, file.Name()) })
	}},
	{"the file is open for reading and writing", rules.X05, func(t testing.TB, dir string, f NamedFunc) {
		withNamed(t, dir, f, func(file NamedFile) { readBack(t, file) })
	}},
	{"each call makes another file, and none that is there is opened", rules.C01, func(t testing.TB, dir string, f NamedFunc) {
		withNamed(t, dir, f, func(first NamedFile) {
			withNamed(t, dir, f, func(second NamedFile) { different(t, first.Name(), second.Name()) })
		})
	}},
	{"the name cannot be foretold", rules.C06, func(t testing.TB, dir string, f NamedFunc) {
		tmptest.Unpredictable(t, func() (string, error) {
			file, err := f(dir)
			if err != nil {
				return "", err
			}
			err = file.Close()
			return file.Name(), errors.Join(err, ignoreMissing(os.Remove(file.Name())))
		})
	}},
	{"nothing stays when it is closed", rules.R01, func(t testing.TB, dir string, f NamedFunc) {
		withNamed(t, dir, f, func(file NamedFile) {
			check(t, file.Close())
			tmptest.Empty(t, dir)
			tmptest.NoOpenFiles(t, dir)
		})
	}},
}

// SpoolFile keeps its data in memory up to a size.
type SpoolFile interface {
	io.ReadWriteSeeker
	io.Closer
}

// SpoolFunc makes a file that uses the directory only for more than max bytes.
type SpoolFunc func(dir string, max int64) (SpoolFile, error)

// SpooledTemporaryFile is tempfile.SpooledTemporaryFile.
var SpooledTemporaryFile = []Row[SpoolFunc]{
	{"up to the size nothing is in the directory", rules.C17, func(t testing.TB, dir string, f SpoolFunc) {
		withSpool(t, dir, f, spoolMax, func(SpoolFile) {
			tmptest.Empty(t, dir)
			tmptest.NoOpenFiles(t, dir)
		})
	}},
	{"beyond it the data is whole", rules.X05, func(t testing.TB, dir string, f SpoolFunc) {
		withSpool(t, dir, f, 3*spoolMax, func(file SpoolFile) { readAll(t, file, 3*spoolMax) })
	}},
	{"beyond it only the owner can read and write what is on disk", rules.C04, func(t testing.TB, dir string, f SpoolFunc) {
		withSpool(t, dir, f, 3*spoolMax, func(SpoolFile) {
			entries, err := os.ReadDir(dir)
			check(t, err)
			for _, e := range entries { // none, if it has no name
				private(t, filepath.Join(dir, e.Name()))
			}
		})
	}},
	{"nothing stays when it is closed", rules.R01, func(t testing.TB, dir string, f SpoolFunc) {
		withSpool(t, dir, f, 3*spoolMax, func(file SpoolFile) {
			check(t, file.Close())
			tmptest.Empty(t, dir)
			tmptest.NoOpenFiles(t, dir)
		})
	}},
}

// spoolMax is the size in the rows of SpooledTemporaryFile.
const spoolMax = 1000

// breach reports a promise that is not kept.
func breach(t testing.TB, r rules.Rule, path, format string, args ...any) {
	t.Helper()
	t.Errorf("%s\n    fix: %s", tmptest.Violation{Rule: r, Path: path, Detail: fmt.Sprintf(format, args...)}, r.Fix())
}
