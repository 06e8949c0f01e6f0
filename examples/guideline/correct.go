package guideline

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// createNew is existsThenOpen put right, as Python's open(tmp, "x") is: the
// kernel creates the file only if there is nothing of that name, not even a
// dangling link.
func createNew(filename string) error {
	tmp := filepath.Join(os.TempDir(), filename)
	file, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString("defaults")
	return errors.Join(err, file.Close())
}

// temporaryFile is the guideline's first correct snippet, the one to use
// whenever possible: the file has no name, so nobody can get at it and
// nothing stays behind.
//
//	with tempfile.TemporaryFile() as tmp:
//	    tmp.write('stuff')
func temporaryFile(use func(*os.File) error) error {
	tmp, err := openUnnamed(os.TempDir())
	if errors.Is(err, errors.ErrUnsupported) {
		return createAndUnlink(use)
	}
	if err != nil {
		return err
	}
	return errors.Join(use(tmp), tmp.Close())
}

// createAndUnlink is what TemporaryFile does where the system or the file
// system has no unnamed files: it removes the name at once.
func createAndUnlink(use func(*os.File) error) (err error) {
	tmp, err := os.CreateTemp("", "unnamed-*")
	if err != nil {
		return err
	}
	if os.Remove(tmp.Name()) != nil { // Windows keeps the name of an open file
		defer func() { err = errors.Join(err, os.Remove(tmp.Name())) }()
	}
	defer func() { err = errors.Join(err, tmp.Close()) }()
	return use(tmp)
}

// namedTemporaryFile is the guideline's second correct snippet: the file has
// a name for as long as it is open.
//
//	tmp = tempfile.NamedTemporaryFile(delete=True)
//	try:
//	    tmp.write('stuff')
//	finally:
//	    tmp.close()  # deletes the file
func namedTemporaryFile(use func(*os.File) error) (err error) {
	tmp, err := os.CreateTemp("", "named-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tmp.Close(), os.Remove(tmp.Name())) }()
	return use(tmp)
}

// spooledFile is SpooledTemporaryFile of the guideline's table of what to
// use: data is held in memory up to a limit, and in a temporary file beyond.
type spooledFile struct {
	limit  int // in bytes
	memory bytes.Buffer
	file   *os.File
}

// Write appends to what is held.
func (s *spooledFile) Write(p []byte) (int, error) {
	if s.file == nil && s.memory.Len()+len(p) <= s.limit {
		return s.memory.Write(p)
	}
	if err := s.rollOver(); err != nil {
		return 0, err
	}
	return s.file.Write(p)
}

// rollOver moves what is held from memory to a file.
func (s *spooledFile) rollOver() error {
	if s.file != nil {
		return nil
	}
	tmp, err := os.CreateTemp("", "spooled-*")
	if err != nil {
		return err
	}
	if _, err := tmp.Write(s.memory.Bytes()); err != nil {
		return errors.Join(err, tmp.Close(), os.Remove(tmp.Name()))
	}
	s.memory, s.file = bytes.Buffer{}, tmp
	return nil
}

// WriteTo writes all that is held, from its beginning.
func (s *spooledFile) WriteTo(w io.Writer) (int64, error) {
	if s.file == nil {
		n, err := w.Write(s.memory.Bytes())
		return int64(n), err
	}
	size, err := s.file.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	return io.Copy(w, io.NewSectionReader(s.file, 0, size))
}

// Close gives the memory, or the file, back.
func (s *spooledFile) Close() error {
	s.memory = bytes.Buffer{}
	if s.file == nil {
		return nil
	}
	tmp := s.file
	s.file = nil
	return errors.Join(tmp.Close(), os.Remove(tmp.Name()))
}

// mkstemp is the guideline's third correct snippet, for a file that somebody
// else opens by name: the removal is the caller's, on every way out.
//
//	fd, path = tempfile.mkstemp()
//	try:
//	    with os.fdopen(fd, 'w') as tmp:
//	        tmp.write('stuff')
//	finally:
//	    os.remove(path)
func mkstemp(fill func(*os.File) error, consume func(path string) error) (err error) {
	tmp, err := os.CreateTemp("", "stuff-*")
	if err != nil {
		return err
	}
	path := tmp.Name()
	defer func() { err = errors.Join(err, os.Remove(path)) }()
	if err := errors.Join(fill(tmp), tmp.Close()); err != nil {
		return err
	}
	return consume(path)
}

// mkdtemp is the guideline's last correct snippet: in a directory of one's
// own, a file may have any name. The mode is asked for when the file is made;
// the umask, which the guideline sets, belongs to all goroutines of a Go
// program at once (see umaskThenMkdtemp).
//
//	tmpdir = tempfile.mkdtemp()
//	predictable_filename = 'myfile'
//	saved_umask = os.umask(0077)
//	path = os.path.join(tmpdir, predictable_filename)
//	try:
//	    with open(path, "w") as tmp:
//	        tmp.write("secrets!")
//	except IOError as e:
//	    print 'IOError'
//	else:
//	    os.remove(path)
//	finally:
//	    os.umask(saved_umask)
//	    os.rmdir(tmpdir)
func mkdtemp(use func(*os.File) error) (err error) {
	dir, err := os.MkdirTemp("", "stuff-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	tmp, err := os.OpenFile(filepath.Join(dir, "myfile"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(use(tmp), tmp.Close())
}
