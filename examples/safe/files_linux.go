package safe

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

var content = []byte("the code's own data\n")

// finish writes the content, closes the file, and removes its name if that
// failed.
func finish(f *os.File) error {
	_, err := f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// createTempRename is the usual atomic write.
func createTempRename(dir, _ string) error {
	f, err := os.CreateTemp(dir, "out-*")
	if err != nil {
		return err
	}
	if err := finish(f); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, "out")); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// createTempSyncRename adds what a crash needs.
func createTempSyncRename(dir, _ string) (err error) {
	f, err := os.CreateTemp(dir, ".out.*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, werr := f.Write(content)
	if err := errors.Join(werr, f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, "out")); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil // the data is in place
	}
	return errors.Join(d.Sync(), d.Close())
}

// createTempRemove is a NamedTemporaryFile: the name lives as long as the
// work.
func createTempRemove(dir, _ string) (err error) {
	f, err := os.CreateTemp(dir, "work-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := f.Write(content); err != nil {
		return err
	}
	return sameContent(f)
}

func sameContent(f *os.File) error {
	got, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err == nil && !bytes.Equal(got, content) {
		err = errors.New("what was read is not what was written")
	}
	return err
}

// createTempUnlink is a TemporaryFile: the name is gone before the data
// comes.
func createTempUnlink(dir, _ string) error {
	f, err := os.CreateTemp(dir, "")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	return sameContent(f)
}

// spooled stays in memory up to a size.
func spooled(dir, home string) error {
	var small bytes.Buffer
	small.Write(content)
	if small.Len() <= 8 {
		return nil
	}
	return createTempUnlink(dir, home)
}

// inMemory has no name at all.
func inMemory(string, string) error {
	fd, err := unix.MemfdCreate("work", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "work")
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		return err
	}
	return sameContent(f)
}

// exclusiveLoop does by hand what os.CreateTemp does.
func exclusiveLoop(dir, _ string) error {
	for range 100 {
		name := filepath.Join(dir, "work-"+rand.Text())
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		return errors.Join(finish(f), os.Remove(name))
	}
	return errors.New("no free name in 100 tries")
}

// exclusiveNumbered counts up: a name that can be foretold, created by nobody
// else.
func exclusiveNumbered(dir, _ string) error {
	for i := range 5 {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("report.%d", i)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		return finish(f)
	}
	return errors.New("all names are taken")
}

// tmpfile has no name until its data is whole, and gets one that nothing else
// has.
func tmpfile(dir, _ string) error {
	f, err := openTmpfile(dir, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		return err
	}
	from := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	return unix.Linkat(unix.AT_FDCWD, from, unix.AT_FDCWD, filepath.Join(dir, "out"), unix.AT_SYMLINK_FOLLOW)
}

// tmpfileHidden never gets a name: O_EXCL forbids it.
func tmpfileHidden(dir, _ string) error {
	f, err := openTmpfile(dir, unix.O_EXCL)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		return err
	}
	return sameContent(f)
}

func openTmpfile(dir string, flags int) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC|flags, 0o600)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), filepath.Join(dir, "(no name)")), nil
}

// noReplace takes a name only if it is free.
func noReplace(dir, _ string) error {
	f, err := os.CreateTemp(dir, "out-*")
	if err != nil {
		return err
	}
	if err := finish(f); err != nil {
		return err
	}
	err = unix.Renameat2(unix.AT_FDCWD, f.Name(), unix.AT_FDCWD, filepath.Join(dir, "out"), unix.RENAME_NOREPLACE)
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// linkName does the same where renameat2 is missing.
func linkName(dir, _ string) error {
	f, err := os.CreateTemp(dir, "out-*")
	if err != nil {
		return err
	}
	if err := finish(f); err != nil {
		return err
	}
	return errors.Join(os.Link(f.Name(), filepath.Join(dir, "out")), os.Remove(f.Name()))
}

// readOwn opens what it has written earlier, and only that: not through a
// link, no FIFO, nobody else's file, no second name.
func readOwn(dir, _ string) error {
	f, err := os.OpenFile(filepath.Join(dir, "state"), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := ownFile(f); err != nil {
		return err
	}
	return sameContent(f)
}

// appendOwn writes to such a file.
func appendOwn(dir, _ string) error {
	f, err := os.OpenFile(filepath.Join(dir, "state"), os.O_WRONLY|os.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	if err := ownFile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

func ownFile(f *os.File) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	st := fi.Sys().(*syscall.Stat_t)
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

// readByRecheck is lstat, open, fstat: POS35-C's way without O_NOFOLLOW.
func readByRecheck(dir, _ string) error {
	name := filepath.Join(dir, "state")
	before, err := os.Lstat(name)
	if err != nil {
		return err
	}
	if !before.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	after, err := f.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(before, after) {
		return errors.New("the file was replaced")
	}
	if err := ownFile(f); err != nil {
		return err
	}
	return sameContent(f)
}
