package bench

import (
	"io/fs"
	"os"

	"github.com/blang/vfs"
	"github.com/go-git/go-billy/v5"
	"github.com/hack-pad/hackpadfs"
	"github.com/spf13/afero"
)

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

// hackFs is the same for hackpadfs.
type hackFs struct {
	afero.Fs
	fs hackpadfs.FS
}

type hackFile struct {
	afero.File
	f hackpadfs.File
}

func (f hackFile) Write(p []byte) (int, error) { return hackpadfs.WriteFile(f.f, p) }
func (f hackFile) Read(p []byte) (int, error)  { return f.f.Read(p) }
func (f hackFile) Close() error                { return f.f.Close() }
func (f hackFile) Truncate(n int64) error      { return hackpadfs.TruncateFile(f.f, n) }
func (f hackFile) WriteAt(p []byte, off int64) (int, error) {
	return hackpadfs.WriteAtFile(f.f, p, off)
}
func (f hackFile) Readdir(n int) ([]os.FileInfo, error) {
	list, err := hackpadfs.ReadDirFile(f.f, n)
	infos := make([]os.FileInfo, 0, len(list))
	for _, e := range list {
		fi, err := e.Info()
		if err != nil {
			return infos, err
		}
		infos = append(infos, fi)
	}
	return infos, err
}

func (f hackFile) Readdirnames(n int) ([]string, error) {
	list, err := hackpadfs.ReadDirFile(f.f, n)
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.Name()
	}
	return names, err
}

func (h hackFs) Create(name string) (afero.File, error) {
	return h.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}
func (h hackFs) Open(name string) (afero.File, error) { return h.OpenFile(name, os.O_RDONLY, 0) }
func (h hackFs) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	f, err := hackpadfs.OpenFile(h.fs, name, flag, perm)
	if err != nil {
		return nil, err
	}
	return hackFile{f: f}, nil
}
func (h hackFs) Stat(name string) (os.FileInfo, error)     { return hackpadfs.Stat(h.fs, name) }
func (h hackFs) Rename(o, n string) error                  { return hackpadfs.Rename(h.fs, o, n) }
func (h hackFs) Remove(name string) error                  { return hackpadfs.Remove(h.fs, name) }
func (h hackFs) RemoveAll(name string) error               { return hackpadfs.RemoveAll(h.fs, name) }
func (h hackFs) Mkdir(name string, perm fs.FileMode) error { return hackpadfs.Mkdir(h.fs, name, perm) }
func (h hackFs) MkdirAll(name string, perm fs.FileMode) error {
	return hackpadfs.MkdirAll(h.fs, name, perm)
}

// blangFs is the same for blang/vfs, whose files have no WriteAt either.
type blangFs struct {
	afero.Fs
	fs vfs.Filesystem
}

type blangFile struct {
	afero.File
	f vfs.File
}

func (f blangFile) Write(p []byte) (int, error) { return f.f.Write(p) }
func (f blangFile) Read(p []byte) (int, error)  { return f.f.Read(p) }
func (f blangFile) Close() error                { return f.f.Close() }
func (f blangFile) Truncate(n int64) error      { return f.f.Truncate(n) }
func (f blangFile) WriteAt(p []byte, off int64) (int, error) {
	if _, err := f.f.Seek(off, 0); err != nil {
		return 0, err
	}
	return f.f.Write(p)
}

// blangDir lists a directory, which blang/vfs too does without opening it.
type blangDir struct {
	afero.File
	fs   vfs.Filesystem
	name string
}

func (d blangDir) Close() error                       { return nil }
func (d blangDir) Readdir(int) ([]os.FileInfo, error) { return d.fs.ReadDir(d.name) }
func (d blangDir) Readdirnames(int) ([]string, error) {
	infos, err := d.fs.ReadDir(d.name)
	names := make([]string, len(infos))
	for i, fi := range infos {
		names[i] = fi.Name()
	}
	return names, err
}

func (v blangFs) Create(name string) (afero.File, error) {
	return v.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}
func (v blangFs) Open(name string) (afero.File, error) {
	if fi, err := v.fs.Stat(name); err == nil && fi.IsDir() {
		return blangDir{fs: v.fs, name: name}, nil
	}
	return v.OpenFile(name, os.O_RDONLY, 0)
}
func (v blangFs) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	f, err := v.fs.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return blangFile{f: f}, nil
}
func (v blangFs) Stat(name string) (os.FileInfo, error)        { return v.fs.Stat(name) }
func (v blangFs) Rename(o, n string) error                     { return v.fs.Rename(o, n) }
func (v blangFs) Remove(name string) error                     { return v.fs.Remove(name) }
func (v blangFs) RemoveAll(name string) error                  { return vfs.RemoveAll(v.fs, name) }
func (v blangFs) Mkdir(name string, perm fs.FileMode) error    { return v.fs.Mkdir(name, perm) }
func (v blangFs) MkdirAll(name string, perm fs.FileMode) error { return vfs.MkdirAll(v.fs, name, perm) }
