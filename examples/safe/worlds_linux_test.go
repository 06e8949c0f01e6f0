package safe

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/fsfake"
	"github.com/tmpproof/tmpproof/internal/sample"
	"golang.org/x/sys/unix"
)

// What is safe on the system's disk is safe on the fake one, and what is broken
// there is broken here, by the same rules: the code of this package that an
// afero.Fs can express, written against Scene.FS. Two calls that afero lacks are
// the disk's own.

type twoNames func(oldname, newname string) error

// call makes a call that afero leaves out: by the fake disk, or by the system.
func call(s *attack.Scene, fake func(*fsfake.FS) twoNames, system twoNames) twoNames {
	if disk, ok := s.FS.(*fsfake.FS); ok {
		return fake(disk)
	}
	return system
}

func link(s *attack.Scene) twoNames {
	return call(s, func(d *fsfake.FS) twoNames { return d.Link }, os.Link)
}

// renameNew replaces nothing. One line, since reports name it.
func renameNew(s *attack.Scene) twoNames {
	const flags, cwd = unix.RENAME_NOREPLACE, unix.AT_FDCWD
	return call(s, func(d *fsfake.FS) twoNames { return func(a, b string) error { return d.Renameat2(a, b, flags) } }, func(a, b string) error { return unix.Renameat2(cwd, a, cwd, b, flags) })
}

// write is finish for an afero.File.
func write(s *attack.Scene, f afero.File) error {
	_, err := f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, s.FS.Remove(f.Name()))
	}
	return nil
}

// placed is an atomic write: a file of a drawn name is written, then put in its
// place.
func placed(s *attack.Scene, pattern string, sync bool, place func(from, to string) error) error {
	f, err := afero.TempFile(s.FS, s.Dir, pattern)
	if err != nil {
		return err
	}
	if sync {
		if err := errors.Join(s.FS.Chmod(f.Name(), 0o600), f.Sync()); err != nil {
			return errors.Join(err, f.Close(), s.FS.Remove(f.Name()))
		}
	}
	if err := write(s, f); err != nil {
		return err
	}
	if err := place(f.Name(), s.Path("out")); err != nil {
		return errors.Join(err, s.FS.Remove(f.Name()))
	}
	return nil
}

// worked is a temporary file with a name, or without.
func worked(s *attack.Scene, unlink bool) (err error) {
	f, err := afero.TempFile(s.FS, s.Dir, "work-*")
	if err != nil {
		return err
	}
	if unlink {
		err = s.FS.Remove(f.Name())
	} else {
		defer func() { err = errors.Join(err, s.FS.Remove(f.Name())) }()
	}
	if err == nil {
		_, err = f.Write(content)
	}
	if err == nil {
		err = sameIn(f)
	}
	return errors.Join(err, f.Close())
}

func sameIn(f io.ReaderAt) error {
	got, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err == nil && !bytes.Equal(got, content) {
		err = errors.New("what was read is not what was written")
	}
	return err
}

// within works in a private directory that is removed with all in it.
func within(s *attack.Scene, work func(private string) error) (err error) {
	private, err := afero.TempDir(s.FS, s.Dir, "work-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.FS.RemoveAll(private)) }()
	return work(private)
}

func writeTo(s *attack.Scene, name string, perm fs.FileMode) error {
	return afero.WriteFile(s.FS, name, content, perm)
}

// opened opens a file of an earlier run and sees that it is one's own.
func opened(s *attack.Scene, flag int, use func(afero.File) error) error {
	f, err := s.FS.OpenFile(s.Path("state"), flag, 0)
	if err != nil {
		return err
	}
	fi, err := f.Stat()
	if err == nil {
		err = ownInfo(fi)
	}
	if err == nil {
		err = use(f)
	}
	return errors.Join(err, f.Close())
}

// ownInfo is ownFile in both worlds.
func ownInfo(fi fs.FileInfo) error {
	st := fi.Sys().(*syscall.Stat_t) // as of the fake disk on Linux
	switch {
	case !fi.Mode().IsRegular():
		return errors.New("not a regular file")
	case int(st.Uid) != os.Geteuid():
		return errors.New("somebody else's file")
	case st.Nlink != 1:
		return errors.New("the file has another name")
	case fi.Mode().Perm()&0o022 != 0:
		return errors.New("others can write to the file")
	}
	return nil
}

// archive is what is unpacked.
var archive = func() []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range []string{"bin/tool", "etc/conf"} {
		_ = w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))})
		_, _ = w.Write(content)
	}
	_ = w.Close()
	return b.Bytes()
}()

func unpack(s *attack.Scene, to string) error {
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name := filepath.Join(to, h.Name)
		if err := s.FS.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := afero.WriteReader(s.FS, name, r); err != nil {
			return err
		}
	}
}

func ownStateThere() []attack.Option {
	return []attack.Option{attack.Target("state"), attack.Setup(func(s *attack.Scene) error { return writeTo(s, s.Path("state"), 0o600) })}
}

func newIn(s *attack.Scene, name string, perm fs.FileMode) (afero.File, error) {
	return s.FS.OpenFile(s.Path(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
}

// bothRows: what is said of each is the same in both worlds. The safe ones come
// first, by the names that they have in TestSafe; for some, safety ends where the
// directory is not sticky.
var bothRows = []struct {
	name   string
	victim attack.Victim
	opts   []attack.Option
	rules  []string // "": safe
}{
	{"CreateTemp, rename", func(s *attack.Scene) error { return placed(s, "out-*", false, s.FS.Rename) }, target("out"), nil},
	{"CreateTemp, chmod, sync, rename", func(s *attack.Scene) error { return placed(s, ".out.*.tmp", true, s.FS.Rename) }, target("out"), nil},
	{"CreateTemp, remove", func(s *attack.Scene) error { return worked(s, false) }, nil, nil},
	{"CreateTemp, unlink at once", func(s *attack.Scene) error { return worked(s, true) }, nil, nil},
	{"O_EXCL loop", func(s *attack.Scene) error {
		for range 100 {
			f, err := newIn(s, "work-"+rand.Text(), 0o600)
			if errors.Is(err, fs.ErrExist) {
				continue
			}
			if err != nil {
				return err
			}
			return errors.Join(write(s, f), s.FS.Remove(f.Name()))
		}
		return errors.New("no free name in 100 tries")
	}, nil, nil},
	{"O_EXCL, numbered", func(s *attack.Scene) error {
		for i := range 5 {
			f, err := newIn(s, fmt.Sprintf("report.%d", i), 0o600)
			if errors.Is(err, fs.ErrExist) {
				continue
			}
			if err != nil {
				return err
			}
			return write(s, f)
		}
		return errors.New("all names are taken")
	}, target("report.*"), nil},
	{"O_TMPFILE, never named", func(s *attack.Scene) error {
		f, err := s.FS.OpenFile(s.Dir, os.O_RDWR|fsfake.O_TMPFILE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(content)
		if err == nil {
			err = sameIn(f)
		}
		return errors.Join(err, f.Close())
	}, nil, nil},
	{"RENAME_NOREPLACE", func(s *attack.Scene) error { return placed(s, "out-*", false, renameNew(s)) }, target("out"), nil},
	{"link, remove", func(s *attack.Scene) error {
		return placed(s, "out-*", false, func(from, to string) error {
			return errors.Join(link(s)(from, to), s.FS.Remove(from))
		})
	}, target("out"), nil},
	{"O_NOFOLLOW, fstat, read", func(s *attack.Scene) error {
		return opened(s, os.O_RDONLY|fsfake.O_NOFOLLOW|fsfake.O_NONBLOCK, func(f afero.File) error { return sameIn(f) })
	}, ownStateThere(), nil},
	{"O_NOFOLLOW, fstat, append", func(s *attack.Scene) error {
		return opened(s, os.O_WRONLY|os.O_APPEND|fsfake.O_NOFOLLOW|fsfake.O_NONBLOCK, func(f afero.File) error { _, err := f.Write(content); return err })
	}, ownStateThere(), nil},
	{"lstat, open, fstat, read", func(s *attack.Scene) error {
		before, _, err := s.FS.(afero.Lstater).LstatIfPossible(s.Path("state"))
		if err != nil {
			return err
		}
		if !before.Mode().IsRegular() {
			return errors.New("not a regular file")
		}
		return opened(s, os.O_RDONLY|fsfake.O_NONBLOCK, func(f afero.File) error {
			after, err := f.Stat()
			if err != nil {
				return err
			}
			if a, b := before.Sys().(*syscall.Stat_t), after.Sys().(*syscall.Stat_t); a.Dev != b.Dev || a.Ino != b.Ino {
				return errors.New("the file was replaced")
			}
			return sameIn(f)
		})
	}, ownStateThere(), nil},
	{"MkdirTemp, predictable names inside", func(s *attack.Scene) error {
		return within(s, func(p string) error {
			name := filepath.Join(p, "input.txt")
			if err := writeTo(s, name, 0o600); err != nil {
				return err
			}
			if _, err := s.FS.Stat(name); err != nil {
				return err
			}
			return s.FS.Rename(name, filepath.Join(p, "output.txt"))
		})
	}, nil, nil},
	{"MkdirTemp, tree inside", func(s *attack.Scene) error {
		return within(s, func(p string) error {
			if err := s.FS.MkdirAll(filepath.Join(p, "a", "b", "c"), 0o755); err != nil {
				return err
			}
			return writeTo(s, filepath.Join(p, "a", "b", "c", "file"), 0o644)
		})
	}, nil, nil},
	{"MkdirTemp, archive inside", func(s *attack.Scene) error {
		return within(s, func(p string) error { return unpack(s, filepath.Join(p, "root")) })
	}, nil, nil},
	{"MkdirTemp, lock file inside", func(s *attack.Scene) error {
		return within(s, func(p string) error {
			f, err := s.FS.OpenFile(filepath.Join(p, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
			if err != nil {
				return err
			}
			return f.Close()
		})
	}, nil, nil},
	{"at home", func(s *attack.Scene) error {
		if err := s.FS.MkdirAll(filepath.Join(s.Home, "state", "v1"), 0o755); err != nil {
			return err
		}
		name := filepath.Join(s.Home, "state", "v1", "db")
		if _, err := s.FS.Stat(name); errors.Is(err, fs.ErrNotExist) {
			return writeTo(s, name, 0o644)
		}
		return nil
	}, nil, nil},
	{"afero BasePathFs", func(s *attack.Scene) error {
		return within(s, func(p string) error { return afero.WriteFile(afero.NewBasePathFs(s.FS, p), "f", content, 0o600) })
	}, nil, nil},
	{"afero TempDir at home", func(s *attack.Scene) error {
		dir, err := afero.TempDir(s.FS, s.Home, "work")
		if err != nil {
			return err
		}
		return errors.Join(writeTo(s, filepath.Join(dir, "f"), 0o600), s.FS.RemoveAll(dir))
	}, nil, nil},

	{"fixed name", func(s *attack.Scene) error {
		return errors.Join(writeTo(s, s.Path("myapp.tmp"), 0o600), s.FS.Remove(s.Path("myapp.tmp")))
	}, nil, []string{"X01"}},
	{"stat, create", func(s *attack.Scene) error {
		if _, _, err := s.FS.(afero.Lstater).LstatIfPossible(s.Path("out")); err == nil {
			return errors.New("it exists")
		}
		return writeTo(s, s.Path("out"), 0o600)
	}, target("out"), []string{"X01"}},
	{"pid in the name", func(s *attack.Scene) error {
		name := s.Path("app." + strconv.Itoa(os.Getpid()))
		return errors.Join(writeTo(s, name, 0o600), s.FS.Remove(name))
	}, nil, []string{"X01"}},
	{"name, then open", func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		name := f.Name()
		if err := errors.Join(f.Close(), s.FS.Remove(name)); err != nil {
			return err
		}
		return errors.Join(writeTo(s, name, 0o600), s.FS.Remove(name))
	}, nil, []string{"X01"}},
	{"adopted directory", func(s *attack.Scene) error {
		if err := s.FS.MkdirAll(s.Path("cache"), 0o700); err != nil {
			return err
		}
		return writeTo(s, s.Path("cache", "entry"), 0o600)
	}, target("cache"), []string{"X01", "X06"}},
	{"umask", func(s *attack.Scene) error {
		f, err := newIn(s, "out", 0o666)
		if err != nil {
			return err
		}
		return write(s, f)
	}, target("out"), []string{"X04"}},
	{"leak", func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		return write(s, f)
	}, nil, []string{"R01"}},
	{"chmod later", func(s *attack.Scene) error {
		f, err := newIn(s, "out", 0o644)
		if err != nil {
			return err
		}
		if err := s.FS.Chmod(f.Name(), 0o600); err != nil {
			return err
		}
		return write(s, f)
	}, target("out"), []string{"X04"}},
}

// TestBothWorlds: the findings are the same, one by one, with a sticky directory
// and without.
func TestBothWorlds(t *testing.T) {
	for _, r := range sample.Third(bothRows, testing.Short()) {
		t.Run(r.name, func(t *testing.T) {
			for _, sticky := range []bool{true, false} {
				opts := append(r.opts[:len(r.opts):len(r.opts)], attack.ReportOnly())
				if !sticky {
					opts = append(opts, attack.Unsticky())
				}
				system := attack.Prove(t, r.victim, opts...)
				fake := attack.Prove(t, r.victim, append(opts, attack.Fake())...)
				assert.True(t, system.Complete && fake.Complete)
				assert.Equal(t, said(system), said(fake), "sticky: %v", sticky)
				if !sticky {
					continue
				}
				assert.Equal(t, r.rules == nil, len(fake.Findings) == 0, "%v", fake.Findings)
				for _, id := range r.rules {
					assert.True(t, slices.ContainsFunc(fake.Findings, func(f attack.Finding) bool { return f.Rule.ID() == id }), id)
				}
			}
		})
	}
}

// said is what a report says of each finding.
func said(r *attack.Report) (all []string) {
	for _, f := range r.Findings {
		all = append(all, fmt.Sprintf("%s %s %s %s", f.Rule.ID(), f.Name, f.Line, f.Schedule))
	}
	return all
}
