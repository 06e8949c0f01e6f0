// Package render makes previews by way of temporary files. Its tests are a
// testify suite that package leakcheck looks after.
package render

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrFormat says that a picture has a format that is not known.
var ErrFormat = errors.New("unknown format")

// Preview copies the picture to a temporary file, for a program that wants a
// name, and gives what the program makes of it.
func Preview(picture io.Reader, program func(path string) (string, error)) (_ string, err error) {
	f, err := os.CreateTemp("", "preview-*")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := io.Copy(f, picture); err != nil {
		return "", err
	}
	return program(f.Name())
}

// HastyPreview is the same as somebody wrote it in a hurry: each error leaves
// the file behind, open.
func HastyPreview(picture io.Reader, program func(path string) (string, error)) (string, error) {
	f, err := os.CreateTemp("", "preview-*")
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(f, picture); err != nil {
		return "", err
	}
	out, err := program(f.Name())
	if err != nil {
		return "", fmt.Errorf("preview: %w", err)
	}
	return out, errors.Join(f.Close(), os.Remove(f.Name()))
}
