//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// image writes a root file system in the format that the kernel unpacks at
// start: cpio's "newc" (Documentation/driver-api/early-userspace/buffer-format).
// It is not compressed: copying is faster than unpacking under emulation.
type image struct {
	w    io.Writer
	n    int64 // written
	ino  int
	made map[string]bool
	err  error
}

func newImage(w io.Writer) *image { return &image{w: w, made: map[string]bool{}} }

func (im *image) write(b []byte) {
	if im.err == nil {
		var n int
		n, im.err = im.w.Write(b)
		im.n += int64(n)
	}
}

func (im *image) pad() { im.write(make([]byte, (4-im.n%4)%4)) }

// header begins an entry; names are relative to the root.
func (im *image) header(name string, mode uint32, size int64) {
	im.ino++
	im.write(fmt.Appendf(nil, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", im.ino, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name)+1, 0))
	im.write(append([]byte(name), 0))
	im.pad()
}

// parents makes the directories above name.
func (im *image) parents(name string) {
	if dir := filepath.Dir(name); dir != "." {
		im.dir(dir, 0o755)
	}
}

func (im *image) dir(name string, perm uint32) {
	if im.made[name] {
		return
	}
	im.parents(name)
	im.made[name] = true
	im.header(name, syscall.S_IFDIR|perm, 0)
}

func (im *image) data(name string, perm uint32, data []byte) {
	im.parents(name)
	im.header(name, syscall.S_IFREG|perm, int64(len(data)))
	im.write(data)
	im.pad()
}

// file copies a file of the host.
func (im *image) file(name, path string, perm uint32) {
	data, err := os.ReadFile(path)
	if err != nil {
		im.err = errors.Join(im.err, err)
		return
	}
	im.data(name, perm, data)
}

// maxTree bounds what a module's files may take in the guest's memory, bytes.
const maxTree = 256 << 20

// tree copies a directory of the host: files, directories and symbolic links,
// but for what version control keeps.
func (im *image) tree(name, root string) {
	start := im.n
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		at, perm := filepath.Join(name, rel), uint32(info.Mode().Perm())
		switch {
		case d.Name() == ".git":
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.IsDir():
			im.dir(at, perm)
		case d.Type() == fs.ModeSymlink:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			im.parents(at)
			im.header(at, syscall.S_IFLNK|0o777, int64(len(to)))
			im.write([]byte(to))
			im.pad()
		case info.Mode().IsRegular():
			if im.n-start+info.Size() > maxTree {
				return fmt.Errorf("%s is larger than the %d MiB that a guest takes", root, maxTree>>20)
			}
			im.file(at, path, perm)
		}
		return im.err
	})
	im.err = errors.Join(im.err, err)
}

// close ends the archive.
func (im *image) close() error {
	im.header("TRAILER!!!", 0, 0)
	im.write(bytes.Repeat([]byte{0}, int((512-im.n%512)%512)))
	return im.err
}

// moduleRoot is the directory of the go.mod above dir, or dir itself.
func moduleRoot(dir string) string {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d
		}
		if d == filepath.Dir(d) {
			return dir
		}
	}
}

// quote is s as a word of the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
