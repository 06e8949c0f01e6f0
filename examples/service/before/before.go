// Package before has the code as it is usually written.
package before

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// WritePID lets others know which process the program is.
func WritePID(name string) error {
	return os.WriteFile(name, []byte(strconv.Itoa(os.Getpid())), 0o644)
}

// Publish writes a page that everybody may read.
func Publish(name string, page []byte) error {
	return os.WriteFile(name, page, 0o644)
}

// Locked runs the work, if nobody else is at it.
func Locked(name string, work func() error) error {
	if _, err := os.Stat(name); err == nil {
		return errors.New("another process is at work")
	}
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		return err
	}
	defer os.Remove(name)
	return work()
}

// Extract unpacks an archive into a directory, which it makes.
func Extract(dir string, archive []byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return err
	}
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			return err
		}
		content, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Send hands a token to the server.
func Send(socket, token string) error {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte(token))
	return err
}

// Append adds lines to the log.
func Append(name string, lines ...string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	for _, line := range lines {
		if _, err := f.WriteString(line + "\n"); err != nil {
			return err
		}
	}
	return f.Close()
}

// Lines are those of the log, each of which begins with "line".
func Lines(name string) ([]string, error) {
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

// Count counts a visitor: in the store, and in a file for those who only read.
func Count(store, total, visitor string) error {
	db, err := bolt.Open(store, 0o600, nil)
	if err != nil {
		return err
	}
	var n int
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte("visitors"))
		if err != nil {
			return err
		}
		if err := b.Put([]byte(visitor), nil); err != nil {
			return err
		}
		err = b.ForEach(func([]byte, []byte) error { n++; return nil })
		if err != nil {
			return err
		}
		return os.WriteFile(total, []byte(strconv.Itoa(n)), 0o600)
	})
	if err != nil {
		return err
	}
	return db.Close()
}

// Report makes a report by way of a shell script.
func Report(name string) error {
	script := exec.Command("/bin/sh", "-c", `
		umask 077
		tmp=${TMPDIR:-/tmp}/report.$$
		echo "disk: full" >"$tmp"
		echo "load: low" >>"$tmp"
		cp "$tmp" "$1"
		rm "$tmp"
	`, "report", name)
	return script.Run()
}
