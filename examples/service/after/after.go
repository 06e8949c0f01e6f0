// Package after has the same code, mended.
package after

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// WritePID lets others know which process the program is. A file that is there
// already is an error.
func WritePID(name string) error {
	return aside(name, []byte(strconv.Itoa(os.Getpid())), func(tmp string) error {
		return errors.Join(os.Link(tmp, name), os.Remove(tmp))
	})
}

// Publish writes a page that everybody may read, once it is whole.
func Publish(name string, page []byte) error {
	return aside(name, page, func(tmp string) error { return os.Rename(tmp, name) })
}

// aside writes a file for everybody to read under a name of its own, which put
// takes away.
func aside(name string, content []byte, put func(tmp string) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err = f.Write(content); err == nil {
		err = f.Chmod(0o644)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	err = put(f.Name())
	done = err == nil
	return err
}

// Locked runs the work, if nobody else is at it.
func Locked(name string, work func() error) (err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("another process is at work: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(name)) }()
	return work()
}

// Extract unpacks an archive into a directory, which it makes: all of it, and
// nothing elsewhere.
func Extract(dir string, archive []byte) (err error) {
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return errors.Join(err, os.Remove(dir))
	}
	for _, f := range r.File {
		if err = extract(root, f); err != nil {
			break
		}
	}
	if err = errors.Join(err, root.Close()); err != nil {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

func extract(root *os.Root, f *zip.File) (err error) {
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	content, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	return root.WriteFile(f.Name, content, 0o600)
}

// Append adds lines to the log, behind the last one that is whole.
func Append(name string, lines ...string) (err error) {
	if err := mend(name); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for _, line := range lines {
		if _, err := f.WriteString(line + "\n"); err != nil {
			return err
		}
	}
	return nil
}

// Lines are those of the log, each of which begins with "line".
func Lines(name string) ([]string, error) {
	if err := mend(name); err != nil {
		return nil, err
	}
	all, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(string(all), "\n"), "\n")
	for i, line := range lines {
		if len(line) != len("line n") {
			return nil, fmt.Errorf("%s:%d: %q is no line", filepath.Base(name), i+1, line)
		}
	}
	return lines, nil
}

// mend cuts off what a write that did not come to its end has left.
func mend(name string) error {
	all, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if end := bytes.LastIndexByte(all, '\n') + 1; err == nil && end < len(all) {
		err = os.Truncate(name, int64(end))
	}
	return err
}

// patient gives another process a second with the store.
var patient = &bolt.Options{Timeout: time.Second}

// Count counts a visitor. How many there are stands in the store, and nowhere
// else.
func Count(store, visitor string) (err error) {
	if err := create(store); err != nil {
		return err
	}
	db, err := bolt.Open(store, 0o600, patient)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte("visitors"))
		if err != nil {
			return err
		}
		return b.Put([]byte(visitor), nil)
	})
}

// create makes the store under another name, where there is none: bbolt dies of
// one whose first pages are not whole.
func create(store string) (err error) {
	if _, err := os.Stat(store); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(store), filepath.Base(store)+".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := f.Close(); err != nil {
		return err
	}
	db, err := bolt.Open(f.Name(), 0o600, patient)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), store)
}

// Report makes a report by way of a shell script. One that is there already is an
// error.
func Report(name string) error {
	script := exec.Command("/bin/sh", "-c", `
		set -e
		umask 077
		dir=$(mktemp -d "$1.XXXXXXXXXX")
		trap 'rm -rf "$dir"' EXIT
		{ echo "disk: full"; echo "load: low"; } >"$dir/report"
		ln -T "$dir/report" "$1"
	`, "report", name)
	return script.Run()
}
