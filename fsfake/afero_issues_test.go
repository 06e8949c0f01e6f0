package fsfake_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tmpproof/tmpproof/fsfake"
)

// aferoSide is a file system that a row runs on. Both have the file /f (content
// "f", mode 0666) and the directory /d with the file "in".
type aferoSide struct {
	afero.Fs
	other func() afero.Fs                          // another user's view, if there are users
	below func(dir string) (afero.Fs, error)       // what a program that may use only dir gets
	temp  func() (string, error)                   // a temporary directory in the default place
	read  func(name string) ([]fs.DirEntry, error) // ReadDir of the io/fs bridge
	fail  func(op string) error                    // lets the next operation of this name fail
}

func aferoFake() aferoSide {
	d := fsfake.New()
	v := d.As(fsfake.User{})
	return aferoSide{
		Fs:    v,
		other: func() afero.Fs { return d.As(fsfake.User{UID: 5, GID: 5}) },
		below: func(dir string) (afero.Fs, error) { return v.Sub(dir) },
		temp:  func() (string, error) { return v.MkdirTemp("", "x") },
		read:  v.IOFS().(fs.ReadDirFS).ReadDir,
		fail:  func(op string) error { d.Fail(fsfake.Fault{Op: op}); return nil },
	}
}

func aferoMemMap() aferoSide {
	m := afero.NewMemMapFs()
	return aferoSide{
		Fs:    m,
		other: func() afero.Fs { return m },
		below: func(dir string) (afero.Fs, error) { return afero.NewBasePathFs(m, dir), nil },
		temp:  func() (string, error) { return afero.TempDir(m, "", "x") },
		read:  afero.NewIOFS(afero.NewBasePathFs(m, "/")).ReadDir,
		fail:  func(string) error { return errors.ErrUnsupported },
	}
}

// What MemMapFs of afero 1.15 does in a row.
const (
	broken  = "broken"  // otherwise than package os
	fixed   = "fixed"   // the same; it did otherwise once
	missing = "missing" // there is no method for it
	fatal   = "fatal"   // the Go runtime ends the process
)

func equal[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %v, not %v", what, got, want)
	}
	return nil
}

// statIs compares one thing that Stat tells.
func statIs[T comparable](f afero.Fs, name string, what func(fs.FileInfo) T, want T) error {
	fi, err := f.Stat(name)
	if err != nil {
		return err
	}
	return equal(name, what(fi), want)
}

func second[T any](_ T, err error) error { return err }

// after runs f on a file that was opened and closed.
func after(s aferoSide, f func(afero.File) error) error {
	h, err := s.Open("/d")
	if err != nil {
		return err
	}
	if err := h.Close(); err != nil {
		return err
	}
	return f(h)
}

type aferoIssue struct {
	issue string
	call  func(s aferoSide) error
	want  error
	mem   string // what MemMapFs does
}

// aferoIssues has a row for each issue of github.com/spf13/afero about what its
// memory file system does: the name says what that is, want what package os
// gives on Linux.
var aferoIssues = []aferoIssue{
	{"#149 Mkdir makes parents", func(s aferoSide) error { return s.Mkdir("/x/y", 0o777) }, syscall.ENOENT, broken},
	{"#168 Create makes parents", func(s aferoSide) error { return second(s.Create("/x/y")) }, syscall.ENOENT, broken},
	{"#270 #373 WriteFile makes parents", func(s aferoSide) error { return afero.WriteFile(s, "/x/y", nil, 0o666) }, syscall.ENOENT, broken},
	{"#164 MkdirAll goes below a file", func(s aferoSide) error { return s.MkdirAll("/f/x/y", 0o777) }, syscall.ENOTDIR, broken},
	{"#232 #388 Remove takes a full directory", func(s aferoSide) error { return s.Remove("/d") }, syscall.ENOTEMPTY, broken},
	{"#201 ReadFile reads a directory", func(s aferoSide) error { return second(afero.ReadFile(s, "/d")) }, syscall.EISDIR, broken},
	{"#415 O_EXCL fails without O_CREATE", func(s aferoSide) error { return second(s.OpenFile("/f", os.O_RDWR|os.O_EXCL, 0)) }, nil, broken},
	{"#244 O_EXCL is ignored", func(s aferoSide) error {
		return second(s.OpenFile("/f", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666))
	}, fs.ErrExist, fixed},
	{"#15 O_CREATE is ignored", func(s aferoSide) error { return second(s.OpenFile("/new", os.O_RDWR|os.O_CREATE, 0o666)) }, nil, fixed},
	{"#319 Rename puts a file over a directory", func(s aferoSide) error { return s.Rename("/f", "/d") }, os.ErrExist, broken},
	{"#141 Rename leaves children", func(s aferoSide) error {
		if err := s.Rename("/d", "/e"); err != nil {
			return err
		}
		return second(s.Stat("/e/in"))
	}, nil, fixed},
	{"#327 Rename changes the name of handles", func(s aferoSide) error {
		h, err := s.Open("/f")
		if err != nil {
			return err
		}
		if err := s.Rename("/f", "/g"); err != nil {
			return err
		}
		return equal("Name", h.Name(), "/f")
	}, nil, broken},
	{"Rename puts a directory into itself", func(s aferoSide) error { return s.Rename("/d", "/d/y") }, syscall.EINVAL, broken},
	{"Rename of a file to below itself ends the process", func(s aferoSide) error { return s.Rename("/f", "/f/y") }, syscall.ENOTDIR, fatal},
	{"#160 #174 #258 no symbolic links", func(s aferoSide) error {
		l, ok := s.Fs.(afero.Symlinker)
		if !ok {
			return errors.ErrUnsupported
		}
		if err := l.SymlinkIfPossible("f", "/s"); err != nil {
			return err
		}
		return second(s.Stat("/s"))
	}, nil, missing},
	{"#432 no hard links", func(s aferoSide) error {
		l, ok := s.Fs.(interface{ Link(string, string) error })
		if !ok {
			return errors.ErrUnsupported
		}
		return l.Link("/f", "/l")
	}, nil, missing},
	{"#166 a write after Close succeeds", func(s aferoSide) error {
		h, err := s.Create("/f")
		if err != nil {
			return err
		}
		if err := h.Close(); err != nil {
			return err
		}
		return second(h.Write([]byte("x")))
	}, os.ErrClosed, broken}, // refused now, with an error of its own
	{"#567 a second Close succeeds", func(s aferoSide) error { return after(s, afero.File.Close) }, os.ErrClosed, broken},
	{"#660 Stat after Close succeeds", func(s aferoSide) error {
		return after(s, func(h afero.File) error { return second(h.Stat()) })
	}, os.ErrClosed, broken},
	{"#660 Readdir after Close succeeds", func(s aferoSide) error {
		return after(s, func(h afero.File) error { return second(h.Readdir(-1)) })
	}, os.ErrClosed, broken},
	{"#53 a read-only handle writes", func(s aferoSide) error {
		h, err := s.Open("/f")
		if err != nil {
			return err
		}
		return second(h.Write([]byte("x")))
	}, syscall.EBADF, broken},
	{"#150 Open checks no permission", func(s aferoSide) error {
		if err := s.Chmod("/f", 0o600); err != nil {
			return err
		}
		return second(s.other().Open("/f"))
	}, fs.ErrPermission, broken},
	{"#335 a directory's x bit is not checked", func(s aferoSide) error {
		if err := s.Chmod("/d", 0o644); err != nil {
			return err
		}
		return second(s.other().Stat("/d/in"))
	}, fs.ErrPermission, broken},
	{"#107 #338 the mode after OpenFile is 0", func(s aferoSide) error {
		if err := second(s.OpenFile("/new", os.O_CREATE|os.O_RDWR, 0o640)); err != nil {
			return err
		}
		return statIs(s, "/new", fs.FileInfo.Mode, 0o640)
	}, nil, fixed},
	{"#338 the mode after Create is 0", func(s aferoSide) error {
		if err := second(s.Create("/new")); err != nil {
			return err
		}
		return statIs(s, "/new", fs.FileInfo.Mode, 0o666)
	}, nil, broken},
	{"#209 modes of the directories between", func(s aferoSide) error {
		if err := s.MkdirAll("/m/n/o", 0o750); err != nil {
			return err
		}
		return statIs(s, "/m/n", fs.FileInfo.Mode, fs.ModeDir|0o750)
	}, nil, fixed},
	{"#249 Chmod makes a directory a file", func(s aferoSide) error {
		if err := s.Chmod("/d", 0o700); err != nil {
			return err
		}
		return statIs(s, "/d", fs.FileInfo.Mode, fs.ModeDir|0o700)
	}, nil, fixed},
	{"#118 a directory without ModeDir", func(s aferoSide) error {
		return statIs(s, "/d", func(fi fs.FileInfo) fs.FileMode { return fi.Mode().Type() }, fs.ModeDir)
	}, nil, fixed},
	{"#392 no sockets, devices, FIFOs", func(s aferoSide) error {
		m, ok := s.Fs.(interface {
			Mknod(string, fs.FileMode, uint64) error
		})
		if !ok {
			return errors.ErrUnsupported
		}
		if err := m.Mknod("/sock", fs.ModeSocket|0o600, 0); err != nil {
			return err
		}
		return statIs(s, "/sock", fs.FileInfo.Mode, fs.ModeSocket|0o600)
	}, nil, missing},
	{"#122 #130 no Chown", func(s aferoSide) error { return s.Chown("/f", 7, 8) }, nil, fixed},
	{"#411 Sys is nil", func(s aferoSide) error {
		return statIs(s, "/f", func(fi fs.FileInfo) bool { return fi.Sys() != nil }, true)
	}, nil, broken},
	{"#51 writing does not set the time", func(s aferoSide) error {
		old := time.Unix(1e9, 0)
		if err := s.Chtimes("/f", old, old); err != nil {
			return err
		}
		if err := afero.WriteFile(s, "/f", []byte("x"), 0o666); err != nil {
			return err
		}
		return statIs(s, "/f", func(fi fs.FileInfo) bool { return fi.ModTime().After(old) }, true)
	}, nil, fixed},
	{"#8 #10 #44 #112 #133 data races", func(s aferoSide) error {
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				name := fmt.Sprint("/d/", i)
				for range 50 {
					afero.WriteFile(s, name, []byte("x"), 0o666)
					afero.ReadDir(s, "/d")
					s.Stat(name)
					s.Rename(name, name+"~")
					s.Remove(name + "~")
				}
			})
		}
		wg.Wait()
		return nil
	}, nil, fixed},
	{"#261 removal while listing skips names, or panics", func(s aferoSide) error {
		for i := range 100 {
			if err := afero.WriteFile(s, fmt.Sprint("/d/", i), nil, 0o666); err != nil {
				return err
			}
		}
		h, err := s.Open("/d")
		if err != nil {
			return err
		}
		for {
			names, err := h.Readdirnames(10)
			for _, name := range names {
				if err := s.Remove("/d/" + name); err != nil {
					return err
				}
			}
			if err == io.EOF {
				break
			} else if err != nil {
				return err
			}
		}
		left, err := afero.ReadDir(s, "/d")
		if err != nil {
			return err
		}
		return equal("number of entries left", len(left), 0)
	}, nil, broken},
	{"#372 ReadDir is not sorted", func(s aferoSide) error {
		for _, name := range []string{"/d/z", "/d/a", "/d/k"} {
			if err := afero.WriteFile(s, name, nil, 0o666); err != nil {
				return err
			}
		}
		list, err := s.read("d")
		if err != nil {
			return err
		}
		sorted := slices.IsSortedFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		return equal("sorted", sorted, true)
	}, nil, fixed},
	{"#7 the root lists nothing", func(s aferoSide) error {
		list, err := afero.ReadDir(s, "/")
		if err != nil {
			return err
		}
		return equal("/f is listed", slices.ContainsFunc(list, func(fi fs.FileInfo) bool { return fi.Name() == "f" }), true)
	}, nil, fixed},
	{"#84 #276 temporary files lie where the host's do", func(s aferoSide) error {
		dir, err := s.temp()
		if err != nil {
			return err
		}
		return equal("directory", filepath.ToSlash(filepath.Dir(dir)), "/tmp")
	}, nil, broken},
	{"#513 a directory with the same beginning is reached", func(s aferoSide) error {
		if err := s.Mkdir("/d-secret", 0o777); err != nil {
			return err
		}
		if err := afero.WriteFile(s, "/d-secret/key", nil, 0o666); err != nil {
			return err
		}
		v, err := s.below("/d")
		if err != nil {
			return err
		}
		return second(v.Open("../d-secret/key"))
	}, fs.ErrNotExist, broken},
	{"#88 #282 links lead out of a directory", func(s aferoSide) error {
		v, err := s.below("/d")
		if err != nil {
			return err
		}
		l, ok := v.(afero.Symlinker)
		if !ok {
			return errors.ErrUnsupported
		}
		if err := l.SymlinkIfPossible("/f", "/out"); err != nil {
			return err
		}
		return second(v.Open("/out"))
	}, fs.ErrNotExist, broken},
	{"prometheus tsdb #579 nothing to trigger faults", func(s aferoSide) error {
		if err := s.fail("stat"); err != nil {
			return err
		}
		return second(s.Stat("/f"))
	}, syscall.EIO, missing},
}

func (s aferoSide) fill(t *testing.T) aferoSide {
	require.NoError(t, afero.WriteFile(s, "/f", []byte("f"), 0o666))
	require.NoError(t, s.Mkdir("/d", 0o777))
	require.NoError(t, afero.WriteFile(s, "/d/in", nil, 0o666))
	return s
}

// try makes an error of a panic.
func (r aferoIssue) try(s aferoSide) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return r.call(s)
}

func TestAferoIssues(t *testing.T) {
	for _, row := range aferoIssues {
		t.Run(row.issue, func(t *testing.T) {
			assert.ErrorIs(t, row.call(aferoFake().fill(t)), row.want)
		})
	}
}

// TestAferoIssuesOfMemMapFs shows that the rows find what they name, and says
// which of them afero has mended.
func TestAferoIssuesOfMemMapFs(t *testing.T) {
	t.Setenv("TMPDIR", "/the/hosts")
	t.Setenv("TMP", "/the/hosts")
	const child = "FSFAKE_FATAL_ROW"
	if name := os.Getenv(child); name != "" {
		i := slices.IndexFunc(aferoIssues, func(r aferoIssue) bool { return r.issue == name })
		aferoIssues[i].call(aferoMemMap().fill(t))
		return
	}
	for _, row := range aferoIssues {
		t.Run(row.issue, func(t *testing.T) {
			if row.mem == fatal {
				if runtime.GOARCH == "wasm" {
					t.Skip("this system runs no other process")
				}
				cmd := exec.Command(os.Args[0], "-test.run=^TestAferoIssuesOfMemMapFs$", "-test.count=1")
				cmd.Env = append(os.Environ(), child+"="+row.issue)
				out, err := cmd.CombinedOutput()
				assert.Error(t, err)
				assert.Contains(t, string(out), "fatal error")
				return
			}
			err := row.try(aferoMemMap().fill(t))
			switch right := errors.Is(err, row.want) || err == row.want; row.mem {
			case fixed:
				assert.True(t, right, "afero does otherwise again: %v", err)
			case missing:
				assert.ErrorIs(t, err, errors.ErrUnsupported)
			default:
				assert.False(t, right, "afero has mended it")
			}
		})
	}
}
