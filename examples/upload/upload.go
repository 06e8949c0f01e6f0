// Package upload is an HTTP handler that takes files. What is larger than a
// few kilobytes goes through a temporary file.
package upload

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
)

// memory is what net/http keeps of a form before it makes temporary files.
const memory = 4 << 10

var errNotText = errors.New("the file is no text")

// Handler stores each file of a form in Dir.
type Handler struct{ Dir string }

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseMultipartForm(memory); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	defer func() { _ = r.MultipartForm.RemoveAll() }()
	for _, part := range r.MultipartForm.File["file"] {
		if err := h.take(part); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
	}
}

func (h *Handler) take(part *multipart.FileHeader) error {
	from, err := part.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	return Store(h.Dir, filepath.Base(part.Filename), from)
}

// Store checks a file and puts it under its name, as a whole or not at all. A
// file of that name that is there already is an error.
func Store(dir, name string, from io.Reader) (err error) {
	tmp, err := os.CreateTemp(dir, ".upload-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tmp.Close(), os.Remove(tmp.Name())) }()
	if err := check(tmp, from); err != nil {
		return err
	}
	return os.Link(tmp.Name(), filepath.Join(dir, name))
}

// check copies text and refuses anything else.
func check(to io.Writer, from io.Reader) error {
	b := make([]byte, 512)
	for {
		n, err := from.Read(b)
		for _, c := range b[:n] {
			if c == 0 {
				return errNotText
			}
		}
		if _, err := to.Write(b[:n]); err != nil {
			return err
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// StreamHandler is another way, without ParseMultipartForm: it makes its
// temporary files itself, and forgets the one that it refuses.
type StreamHandler struct{}

func (*StreamHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts, err := r.MultipartReader()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			return
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		tmp, err := os.CreateTemp("", "stream-*")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		err = check(tmp, part)
		tmp.Close()
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		os.Remove(tmp.Name())
	}
}
