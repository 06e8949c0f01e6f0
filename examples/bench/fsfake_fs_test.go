package bench

import (
	"io/fs"
	"os"
	"testing"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/memfs"
	"github.com/spf13/afero"

	"github.com/tmpproof/tmpproof/fsfake"
)

// peers are the file systems that the rows run on, each with a directory to
// work in.
var peers = []struct {
	name string
	make func(b *testing.B) (afero.Fs, string)
}{
	{"fsfake", func(*testing.B) (afero.Fs, string) {
		return fsfake.New().As(fsfake.User{UID: 1000, GID: 1000}), "/tmp"
	}},
	{"memmapfs", func(*testing.B) (afero.Fs, string) {
		m := afero.NewMemMapFs()
		m.MkdirAll("/tmp", 0o777)
		return m, "/tmp"
	}},
	{"billy", func(*testing.B) (afero.Fs, string) {
		m := memfs.New()
		m.MkdirAll("/tmp", 0o777)
		return billyFs{fs: m}, "/tmp"
	}},
	{"tmpfs", func(b *testing.B) (afero.Fs, string) {
		dir, err := os.MkdirTemp("/dev/shm", "bench-")
		if err != nil {
			b.Skip(err)
		}
		b.Cleanup(func() { os.RemoveAll(dir) })
		return afero.NewOsFs(), dir
	}},
}

// billyFs gives go-billy's file system the methods of afero that the rows use.
// What it lacks (ReadAt on directories, chmod) no row asks it for.
type billyFs struct {
	afero.Fs
	fs billy.Filesystem
}

type billyFile struct {
	afero.File
	f billy.File
}

func (f billyFile) Write(p []byte) (int, error)               { return f.f.Write(p) }
func (f billyFile) Read(p []byte) (int, error)                { return f.f.Read(p) }
func (f billyFile) Close() error                              { return f.f.Close() }
func (f billyFile) Truncate(n int64) error                    { return f.f.Truncate(n) }
func (f billyFile) Seek(off int64, whence int) (int64, error) { return f.f.Seek(off, whence) }
func (f billyFile) WriteAt(p []byte, off int64) (int, error) {
	if _, err := f.f.Seek(off, 0); err != nil {
		return 0, err
	}
	return f.f.Write(p)
}

// billyDir lists a directory; go-billy does it without opening one.
type billyDir struct {
	afero.File
	fs   billy.Filesystem
	name string
}

func (d billyDir) Close() error { return nil }

func (d billyDir) Readdir(int) ([]os.FileInfo, error) { return d.fs.ReadDir(d.name) }

func (d billyDir) Readdirnames(int) ([]string, error) {
	infos, err := d.fs.ReadDir(d.name)
	names := make([]string, len(infos))
	for i, fi := range infos {
		names[i] = fi.Name()
	}
	return names, err
}

func (b billyFs) Create(name string) (afero.File, error) {
	f, err := b.fs.Create(name)
	return billyFile{f: f}, err
}

func (b billyFs) Open(name string) (afero.File, error) {
	f, err := b.fs.Open(name)
	if err != nil {
		if _, e := b.fs.ReadDir(name); e == nil {
			return billyDir{fs: b.fs, name: name}, nil
		}
		return nil, err
	}
	return billyFile{f: f}, nil
}

func (b billyFs) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	f, err := b.fs.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return billyFile{f: f}, nil
}

func (b billyFs) Stat(name string) (os.FileInfo, error)        { return b.fs.Stat(name) }
func (b billyFs) Rename(o, n string) error                     { return b.fs.Rename(o, n) }
func (b billyFs) Remove(name string) error                     { return b.fs.Remove(name) }
func (b billyFs) Mkdir(name string, perm fs.FileMode) error    { return b.fs.MkdirAll(name, perm) }
func (b billyFs) MkdirAll(name string, perm fs.FileMode) error { return b.fs.MkdirAll(name, perm) }
func (b billyFs) RemoveAll(name string) error                  { return os.ErrInvalid }
