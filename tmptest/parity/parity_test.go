//go:build linux

package parity_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/unix"

	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/parity"
)

// The equivalents in Go keep all promises.

func mkstemp(dir string) (*os.File, error) { return os.CreateTemp(dir, "f-*") }

func mkdtemp(dir string) (string, error) { return os.MkdirTemp(dir, "d-*") }

func temporaryFile(dir string) (*os.File, error) {
	return os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
}

func unlinkedFile(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// namedFile removes its name when it is closed.
type namedFile struct{ *os.File }

func (f namedFile) Close() error { return errors.Join(f.File.Close(), os.Remove(f.Name())) }

func named(dir string) (parity.NamedFile, error) {
	f, err := os.CreateTemp(dir, "f-*")
	return namedFile{f}, err
}

// spool keeps max bytes in memory.
type spool struct {
	dir  string
	max  int64
	open func(dir string) (*os.File, error)
	io.ReadWriteSeeker
	file *os.File
}

// memory is an io.ReadWriteSeeker.
type memory struct {
	*bytes.Reader
	data []byte
}

func (m *memory) Write(p []byte) (int, error) {
	m.data = append(m.data, p...)
	m.Reader = bytes.NewReader(m.data)
	return len(p), nil
}

func (s *spool) Write(p []byte) (int, error) {
	m, ok := s.ReadWriteSeeker.(*memory)
	if ok && int64(len(m.data)+len(p)) > s.max {
		f, err := s.open(s.dir)
		if err != nil {
			return 0, err
		}
		if _, err := f.Write(m.data); err != nil {
			return 0, errors.Join(err, f.Close())
		}
		s.ReadWriteSeeker, s.file = f, f
	}
	return s.ReadWriteSeeker.Write(p)
}

func (s *spool) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

func spoolWith(open func(dir string) (*os.File, error)) parity.SpoolFunc {
	return func(dir string, max int64) (parity.SpoolFile, error) {
		return &spool{dir: dir, max: max, open: open, ReadWriteSeeker: &memory{Reader: bytes.NewReader(nil)}}, nil
	}
}

func TestSafe(t *testing.T) {
	t.Run("mkstemp", func(t *testing.T) { parity.Run(t, parity.Mkstemp, mkstemp) })
	t.Run("mkdtemp", func(t *testing.T) { parity.Run(t, parity.Mkdtemp, mkdtemp) })
	t.Run("TemporaryFile", func(t *testing.T) { parity.Run(t, parity.TemporaryFile, temporaryFile) })
	t.Run("TemporaryFile by remove", func(t *testing.T) { parity.Run(t, parity.TemporaryFile, unlinkedFile) })
	t.Run("NamedTemporaryFile", func(t *testing.T) { parity.Run(t, parity.NamedTemporaryFile, named) })
	t.Run("SpooledTemporaryFile", func(t *testing.T) { parity.Run(t, parity.SpooledTemporaryFile, spoolWith(temporaryFile)) })
}

// failures is the running test, its failures kept instead.
type failures struct {
	*testing.T
	texts []string
}

func (f *failures) Errorf(format string, args ...any) {
	f.texts = append(f.texts, fmt.Sprintf(format, args...))
}

// breaks runs each row and asserts which promises f does not keep.
func breaks[F any](t *testing.T, rows []parity.Row[F], f F, want ...int) {
	t.Helper()
	for i, row := range rows {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			dir := tmptest.Shared(t)
			tmptest.Umask(t, 0)
			r := &failures{T: t}
			row.Check(r, dir, f)
			assert.Equal(t, slices.Contains(want, i), len(r.texts) > 0, "%s: %q", row.Promise, r.texts)
		})
	}
}

// TestUnsafe: each row is broken by a function that keeps the others, as far
// as one can break alone.
func TestUnsafe(t *testing.T) {
	create := func(change func(f *os.File) error) parity.CreateFunc {
		return func(dir string) (*os.File, error) {
			f, err := mkstemp(dir)
			if err != nil {
				return nil, err
			}
			return f, change(f)
		}
	}
	tests := map[string]func(t *testing.T){
		"mkstemp by umask": func(t *testing.T) {
			breaks(t, parity.Mkstemp, create(func(f *os.File) error { return f.Chmod(0o644) }), 0)
		},
		"mkstemp, executable": func(t *testing.T) {
			breaks(t, parity.Mkstemp, create(func(f *os.File) error { return f.Chmod(0o700) }), 0)
		},
		"mkstemp, write only": func(t *testing.T) {
			breaks(t, parity.Mkstemp, func(dir string) (*os.File, error) {
				f, err := mkstemp(dir)
				if err != nil {
					return nil, err
				}
				again, err := os.OpenFile(f.Name(), os.O_WRONLY, 0)
				return again, errors.Join(err, f.Close())
			}, 1)
		},
		"mkstemp, a fixed name": func(t *testing.T) {
			breaks(t, parity.Mkstemp, func(dir string) (*os.File, error) {
				return os.OpenFile(filepath.Join(dir, "fixed"), os.O_RDWR|os.O_CREATE, 0o600)
			}, 2, 3)
		},
		"mkstemp by process id": func(t *testing.T) {
			n := 0
			breaks(t, parity.Mkstemp, func(dir string) (*os.File, error) {
				n++
				return os.OpenFile(fmt.Sprintf("%s/%d.%d", dir, os.Getpid(), n), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
			}, 3)
		},
		"mkstemp, inherited": func(t *testing.T) {
			breaks(t, parity.Mkstemp, create(func(f *os.File) error {
				_, err := unix.FcntlInt(f.Fd(), syscall.F_SETFD, 0)
				return err
			}), 4)
		},
		"mkstemp, gone at once": func(t *testing.T) {
			breaks(t, parity.Mkstemp, func(dir string) (*os.File, error) {
				d, err := os.MkdirTemp(dir, "")
				if err != nil {
					return nil, err
				}
				f, err := mkstemp(d)
				return f, errors.Join(err, os.RemoveAll(d))
			}, 0, 2, 5)
		},
		"mkstemp with a fallback": func(t *testing.T) {
			other := t.TempDir()
			breaks(t, parity.Mkstemp, func(dir string) (*os.File, error) {
				if f, err := mkstemp(dir); err == nil {
					return f, nil
				}
				return mkstemp(other)
			}, 6)
		},
		"mkdtemp, open to all": func(t *testing.T) {
			breaks(t, parity.Mkdtemp, func(dir string) (string, error) {
				d, err := mkdtemp(dir)
				if err != nil {
					return "", err
				}
				return d, os.Chmod(d, 0o755)
			}, 0)
		},
		"mkdtemp by MkdirAll": func(t *testing.T) {
			breaks(t, parity.Mkdtemp, func(dir string) (string, error) {
				d := filepath.Join(dir, "fixed")
				return d, os.MkdirAll(d, 0o700)
			}, 1, 2, 3)
		},
		"TemporaryFile with a name": func(t *testing.T) {
			breaks(t, parity.TemporaryFile, mkstemp, 0, 1)
		},
		"TemporaryFile, readable": func(t *testing.T) {
			breaks(t, parity.TemporaryFile, func(dir string) (*os.File, error) {
				return os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o644)
			}, 2)
		},
		"NamedTemporaryFile that stays": func(t *testing.T) {
			breaks(t, parity.NamedTemporaryFile, func(dir string) (parity.NamedFile, error) { return mkstemp(dir) }, 5)
		},
		"NamedTemporaryFile without a name": func(t *testing.T) {
			breaks(t, parity.NamedTemporaryFile, func(dir string) (parity.NamedFile, error) { return unlinkedFile(dir) }, 0, 1, 3)
		},
		"SpooledTemporaryFile at once on disk": func(t *testing.T) {
			breaks(t, parity.SpooledTemporaryFile, func(dir string, _ int64) (parity.SpoolFile, error) { return temporaryFile(dir) }, 0)
		},
		"SpooledTemporaryFile that stays": func(t *testing.T) {
			breaks(t, parity.SpooledTemporaryFile, spoolWith(mkstemp), 3)
		},
		"SpooledTemporaryFile, readable": func(t *testing.T) {
			breaks(t, parity.SpooledTemporaryFile, spoolWith(func(dir string) (*os.File, error) {
				f, err := mkstemp(dir)
				if err != nil {
					return nil, err
				}
				return f, f.Chmod(0o644)
			}), 2, 3)
		},
	}
	for name, test := range tests {
		t.Run(name, test)
	}
}
