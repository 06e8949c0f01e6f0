// Package goleak has a worker that keeps what it is given in a temporary file,
// and its tests under goleak and leakcheck.
package goleak

import (
	"errors"
	"os"
)

// Worker writes what it is given to a temporary file, in a goroutine.
type Worker struct {
	file *os.File
	in   chan []byte
	done chan error
}

// New starts a worker.
func New() (*Worker, error) {
	f, err := os.CreateTemp("", "worker-*")
	if err != nil {
		return nil, err
	}
	w := &Worker{file: f, in: make(chan []byte), done: make(chan error, 1)}
	go w.run()
	return w, nil
}

func (w *Worker) run() {
	var err error
	for b := range w.in {
		_, e := w.file.Write(b)
		err = errors.Join(err, e)
	}
	w.done <- err
}

// Put hands b to the worker.
func (w *Worker) Put(b []byte) { w.in <- b }

// Close ends the worker and removes its file.
func (w *Worker) Close() error {
	close(w.in)
	return errors.Join(<-w.done, w.file.Close(), os.Remove(w.file.Name()))
}
