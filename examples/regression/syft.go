package regression

import (
	"errors"
	"io"
	"os"
)

// Syft before 1.42.3 unpacked archives into temporary storage and removed that
// after the scan, but not when the scan ended with an error because the
// storage was full. It stayed full then.
//
// GO-2026-4809, CVE-2026-33481, GHSA-rjcw-vg7j-m9rc

var errFull = errors.New("no space left on device")

func scan(archive io.Reader, limit int64) error {
	tmp, err := os.CreateTemp("", "scan-*")
	if err != nil {
		return err
	}
	if err := unpack(tmp, archive, limit); err != nil {
		return err
	}
	return errors.Join(tmp.Close(), os.Remove(tmp.Name()))
}

// The fix: one way out, and the file is removed on it.
func scanFixed(archive io.Reader, limit int64) (err error) {
	tmp, err := os.CreateTemp("", "scan-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tmp.Close(), os.Remove(tmp.Name())) }()
	return unpack(tmp, archive, limit)
}

// unpack writes at most limit bytes.
func unpack(w io.Writer, archive io.Reader, limit int64) error {
	n, err := io.Copy(w, io.LimitReader(archive, limit))
	if err == nil && n == limit {
		err = errFull
	}
	return err
}
