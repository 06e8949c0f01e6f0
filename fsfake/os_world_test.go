package fsfake_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// What package os and a view have in common, for calls of the differential
// test that are more than one system call.

// osResult has the error's errno, and what the error says of the operation and
// the names.
func osResult(err error) (int64, string, error) {
	var e syscall.Errno
	switch p, l := (*fs.PathError)(nil), (*os.LinkError)(nil); {
	case err == nil:
		return 0, "", nil
	case !errors.As(err, &e):
		return 0, "no errno: " + err.Error(), nil
	case errors.As(err, &p):
		return 0, fmt.Sprintf("%s %q: %v", p.Op, p.Path, e), nil
	case errors.As(err, &l):
		return 0, fmt.Sprintf("%s %q %q: %v", l.Op, l.Old, l.New, e), nil
	}
	return 0, "", err
}

// osDir is an open directory of either side.
type osDir interface {
	io.Closer
	Readdir(n int) ([]fs.FileInfo, error)
	ReadDir(n int) ([]fs.DirEntry, error)
}

// osReadDir lists a directory with what package os tells of its entries, if lazy
// when it is asked for each.
func osReadDir[F io.Closer](lazy bool, f F, err error) (int64, string, error) {
	if err != nil {
		return osResult(err)
	}
	defer f.Close()
	dir := any(f).(osDir)
	var lines []string
	if lazy {
		var entries []fs.DirEntry
		entries, err = dir.ReadDir(-1)
		for _, e := range entries {
			info, err := e.Info()
			_, text, _ := osResult(err)
			if err == nil {
				text = fmt.Sprint(info.Mode())
			}
			lines = append(lines, fmt.Sprint(e.Name(), e.Type(), text))
		}
	} else {
		var infos []fs.FileInfo
		infos, err = dir.Readdir(-1)
		for _, fi := range infos {
			lines = append(lines, fmt.Sprint(fi.Name(), fi.Mode()))
		}
	}
	slices.Sort(lines)
	if p := (*fs.PathError)(nil); errors.As(err, &p) { // without the path: Go 1.27 has the entry's
		lines = append(lines, p.Op, p.Err.Error())
	}
	return int64(len(lines)), strings.Join(lines, " "), nil
}

// osFile is an open file of either side.
type osFile interface {
	io.ReadWriteCloser
	io.ReaderAt
	io.WriterAt
	io.StringWriter
}

// osEmpty reads or writes no bytes.
func osEmpty(f osFile, c call) (int64, string, error) {
	var n int
	var err error
	switch c.flag {
	case 0:
		n, err = f.Read(nil)
	case 1:
		n, err = f.ReadAt(nil, c.m)
	case 2:
		n, err = f.Write(nil)
	case 3:
		n, err = f.WriteAt(nil, c.m)
	case 4:
		n, err = f.WriteString("")
	}
	if k, ok := f.(*os.File); ok {
		defer k.Close()
	}
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		p.Path = "" // each side has its own
	}
	_, text, _ := osResult(err)
	return int64(n), text, nil
}

func roomText(blocks, free, files, freeFiles int64) string {
	return fmt.Sprint(blocks, free, files, freeFiles)
}

// osRemoveAll has the error at the name itself in full. Below it, which error
// is the first depends on the order of the directory, which is the disk's.
func osRemoveAll(name string, err error) (int64, string, error) {
	p := (*fs.PathError)(nil)
	base := "/" + lastName(name)
	if errors.As(err, &p) && p.Path != name && p.Path != "."+base && p.Path != parentName(name)+base {
		return 0, "something stays", nil
	}
	return osResult(err)
}

// lastName and parentName are the two parts of a name, slashes at its end aside.
func lastName(name string) string {
	name = strings.TrimRight(name, "/")
	return name[strings.LastIndexByte(name, '/')+1:]
}

func parentName(name string) string {
	name = strings.TrimRight(name, "/")
	return name[:max(strings.LastIndexByte(name, '/'), 0)]
}

const waits = "it would wait at a FIFO"

// wouldWait reports whether package os opens a FIFO at a name, or in its place
// a directory's: such an open waits for the other end, and the fake's says so
// otherwise.
func wouldWait(stat func(name string) (fs.FileMode, error), c call) bool {
	if !strings.HasPrefix(c.name, "os") || c.name == "osempty" {
		return false
	}
	for _, name := range []string{c.a, parentName(c.a)} {
		if mode, err := stat(name); err == nil && mode&fs.ModeNamedPipe != 0 {
			return true
		}
	}
	return false
}

// tooLong reports whether a file is one that a test does not read whole.
func tooLong(size func(name string) int64, name string) bool { return size(name) > 8<<20 }
