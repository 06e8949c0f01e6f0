package fsfake

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
)

var errSeparator = errors.New("pattern contains path separator")

// TempDir is where CreateTemp and MkdirTemp work if they are given no
// directory: "/tmp", whatever the environment of the process says.
const TempDir = "/tmp"

// CreateTemp is os.CreateTemp on this disk: a new file of mode 0600, opened for
// reading and writing, whose name has a random number for the last "*" of
// pattern.
func (v *FS) CreateTemp(dir, pattern string) (*File, error) {
	var f *File
	_, err := temp("createtemp", dir, pattern, func(name string) (err error) {
		f, err = v.openFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	return f, err
}

// MkdirTemp is os.MkdirTemp on this disk: a new directory of mode 0700.
func (v *FS) MkdirTemp(dir, pattern string) (string, error) {
	return temp("mkdirtemp", dir, pattern, func(name string) error {
		err := v.Mkdir(name, 0o700)
		if errors.Is(err, fs.ErrNotExist) {
			if _, err := v.Stat(parentOf(name)); errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return err
	})
}

// temp tries names until one is free, ten thousand at the most.
func temp(op, dir, pattern string, try func(name string) error) (string, error) {
	if dir == "" {
		dir = TempDir
	}
	if strings.ContainsRune(pattern, '/') || strings.ContainsRune(pattern, os.PathSeparator) {
		return "", &fs.PathError{Op: op, Path: pattern, Err: errSeparator}
	}
	prefix, suffix := pattern, ""
	if i := strings.LastIndexByte(pattern, '*'); i >= 0 {
		prefix, suffix = pattern[:i], pattern[i+1:]
	}
	if !strings.HasSuffix(dir, "/") {
		dir += "/"
	}
	prefix = dir + prefix
	for range 10000 {
		name := prefix + strconv.FormatUint(uint64(rand.Uint32()), 10) + suffix
		if err := try(name); !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
	return "", &fs.PathError{Op: op, Path: prefix + "*" + suffix, Err: fs.ErrExist}
}

func parentOf(name string) string {
	if i := strings.LastIndexByte(name, '/'); i > 0 {
		return name[:i]
	}
	return "/"
}
