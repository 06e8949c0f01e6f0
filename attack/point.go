package attack

import (
	"io/fs"
	"os"
	"time"

	"github.com/spf13/afero"
)

// pointFS is a file system with a point before each operation at which the
// code under test may be ended by a panic. Removals and closes are none: a
// panic there would ask more of a clean-up than any can give.
type pointFS struct {
	afero.Fs
	point func(op, name string)
}

// injectedPanic is what a panic at a point is about.
const injectedPanic = "attack.Kills: an injected panic"

func (p pointFS) file(f afero.File, err error) (afero.File, error) {
	if err != nil {
		return f, err
	}
	return pointFile{f, p.point}, nil
}

func (p pointFS) Create(name string) (afero.File, error) {
	p.point("Create", name)
	return p.file(p.Fs.Create(name))
}

func (p pointFS) Open(name string) (afero.File, error) {
	p.point("Open", name)
	return p.file(p.Fs.Open(name))
}

func (p pointFS) OpenFile(name string, flag int, perm fs.FileMode) (afero.File, error) {
	p.point("OpenFile", name)
	return p.file(p.Fs.OpenFile(name, flag, perm))
}

func (p pointFS) Mkdir(name string, perm fs.FileMode) error {
	p.point("Mkdir", name)
	return p.Fs.Mkdir(name, perm)
}

func (p pointFS) MkdirAll(name string, perm fs.FileMode) error {
	p.point("MkdirAll", name)
	return p.Fs.MkdirAll(name, perm)
}

func (p pointFS) Rename(from, to string) error {
	p.point("Rename", from)
	return p.Fs.Rename(from, to)
}

func (p pointFS) Stat(name string) (fs.FileInfo, error) {
	p.point("Stat", name)
	return p.Fs.Stat(name)
}

func (p pointFS) Chmod(name string, mode fs.FileMode) error {
	p.point("Chmod", name)
	return p.Fs.Chmod(name, mode)
}

func (p pointFS) Chown(name string, uid, gid int) error {
	p.point("Chown", name)
	return p.Fs.Chown(name, uid, gid)
}

func (p pointFS) Chtimes(name string, atime, mtime time.Time) error {
	p.point("Chtimes", name)
	return p.Fs.Chtimes(name, atime, mtime)
}

// The interfaces beside afero.Fs that its OsFs has.

func (p pointFS) LstatIfPossible(name string) (fs.FileInfo, bool, error) {
	p.point("Lstat", name)
	if l, ok := p.Fs.(afero.Lstater); ok {
		return l.LstatIfPossible(name)
	}
	info, err := p.Fs.Stat(name)
	return info, false, err
}

func (p pointFS) SymlinkIfPossible(target, name string) error {
	p.point("Symlink", name)
	if l, ok := p.Fs.(afero.Linker); ok {
		return l.SymlinkIfPossible(target, name)
	}
	return &os.LinkError{Op: "symlink", Old: target, New: name, Err: afero.ErrNoSymlink}
}

func (p pointFS) ReadlinkIfPossible(name string) (string, error) {
	p.point("Readlink", name)
	if l, ok := p.Fs.(afero.LinkReader); ok {
		return l.ReadlinkIfPossible(name)
	}
	return "", &fs.PathError{Op: "readlink", Path: name, Err: afero.ErrNoReadlink}
}

// pointFile is the like of an open file.
type pointFile struct {
	afero.File
	point func(op, name string)
}

func (f pointFile) Read(p []byte) (int, error) {
	f.point("Read", f.Name())
	return f.File.Read(p)
}

func (f pointFile) ReadAt(p []byte, off int64) (int, error) {
	f.point("ReadAt", f.Name())
	return f.File.ReadAt(p, off)
}

func (f pointFile) Write(p []byte) (int, error) {
	f.point("Write", f.Name())
	return f.File.Write(p)
}

func (f pointFile) WriteAt(p []byte, off int64) (int, error) {
	f.point("WriteAt", f.Name())
	return f.File.WriteAt(p, off)
}

func (f pointFile) WriteString(s string) (int, error) {
	f.point("WriteString", f.Name())
	return f.File.WriteString(s)
}

func (f pointFile) Truncate(size int64) error {
	f.point("Truncate", f.Name())
	return f.File.Truncate(size)
}

func (f pointFile) Sync() error {
	f.point("Sync", f.Name())
	return f.File.Sync()
}

func (f pointFile) Readdir(n int) ([]fs.FileInfo, error) {
	f.point("Readdir", f.Name())
	return f.File.Readdir(n)
}

func (f pointFile) Readdirnames(n int) ([]string, error) {
	f.point("Readdirnames", f.Name())
	return f.File.Readdirnames(n)
}
