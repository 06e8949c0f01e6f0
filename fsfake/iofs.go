package fsfake

import (
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// IOFS gives the view as an io/fs file system, as os.DirFS does: names are
// slash-separated, relative and clean (fs.ValidPath), and "." is the root of the
// view. It has ReadFile, ReadDir, Stat, Lstat, ReadLink and Sub.
func (v *FS) IOFS() fs.FS { return ioFS{v} }

type ioFS struct{ v *FS }

var (
	_ fs.ReadDirFS  = ioFS{}
	_ fs.ReadFileFS = ioFS{}
	_ fs.StatFS     = ioFS{}
	_ fs.SubFS      = ioFS{}
	_ fs.ReadLinkFS = ioFS{}
)

func invalid(op, name string) error {
	if fs.ValidPath(name) {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
}

func (i ioFS) Open(name string) (fs.File, error) {
	if err := invalid("open", name); err != nil {
		return nil, err
	}
	f, err := i.v.openFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (i ioFS) Stat(name string) (fs.FileInfo, error) {
	if err := invalid("stat", name); err != nil {
		return nil, err
	}
	return i.v.Stat(name)
}

func (i ioFS) Lstat(name string) (fs.FileInfo, error) {
	if err := invalid("lstat", name); err != nil {
		return nil, err
	}
	return i.v.Lstat(name)
}

func (i ioFS) ReadLink(name string) (string, error) {
	if err := invalid("readlink", name); err != nil {
		return "", err
	}
	return i.v.Readlink(name)
}

func (i ioFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := invalid("open", name); err != nil {
		return nil, err
	}
	return i.v.ReadDir(name)
}

func (i ioFS) ReadFile(name string) ([]byte, error) {
	if err := invalid("open", name); err != nil {
		return nil, err
	}
	return i.v.ReadFile(name)
}

func (i ioFS) Sub(dir string) (fs.FS, error) {
	if err := invalid("sub", dir); err != nil {
		return nil, err
	}
	if dir == "." {
		return i, nil
	}
	s, err := i.v.Sub(dir)
	if err != nil {
		return nil, err
	}
	return ioFS{s}, nil
}

// ReadDir is os.ReadDir: the entries of a directory sorted by name.
func (v *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	f, err := v.openFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, err := f.ReadDir(-1)
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, err
}

// ReadFile is os.ReadFile.
func (v *FS) ReadFile(name string) ([]byte, error) {
	f, err := v.openFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size := int64(0)
	if fi, err := f.Stat(); err == nil {
		size = fi.Size()
	}
	data := make([]byte, 0, max(min(size, 1<<30)+1, 512))
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return data, err
		}
		if len(data) == cap(data) {
			data = slices.Grow(data, len(data))
		}
	}
}

// WriteFile is os.WriteFile.
func (v *FS) WriteFile(name string, data []byte, perm fs.FileMode) error {
	f, err := v.openFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err1 := f.Close(); err == nil {
		err = err1
	}
	return err
}
