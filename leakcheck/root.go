package leakcheck

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/tmpproof/tmpproof/internal/sweep"
)

const (
	filesName = "t" // in the root, what TMPDIR names
	// rootVariable tells a process that it runs below a checked one.
	rootVariable = "TMPPROOF_LEAKCHECK"
)

// tempVariables lead to the directory for temporary files: os.TempDir reads the
// first three, t.TempDir the last.
var tempVariables = []string{"TMPDIR", "TMP", "TEMP", "GOTMPDIR"}

// root is a private directory, TMPDIR of the process while it is checked.
//
//	/tmp/tmpproof-123456789/    0700
//	    .tmpproof               locked
//	    t/                      0700, TMPDIR
type root struct {
	path   string // of the whole
	files  string // of filesName
	marker *os.File
	dir    *os.File // files, held open
	fd     int      // of dir
	before []setting
	mark   mark // of what is started meanwhile

	reading sync.Mutex // of dir, which has one position
}

type setting struct {
	name, value string
	set         bool
}

// newRoot makes a root in dir.
func newRoot(dir string) (*root, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	made, marker, err := sweep.Make(dir)
	if err != nil {
		return nil, fmt.Errorf("a private directory for temporary files cannot be made (the variable TMPDIR, or the option Dir, says where): %w", err)
	}
	r := &root{path: made, files: filepath.Join(made, filesName), marker: marker}
	if err := r.furnish(); err != nil {
		return nil, errors.Join(err, r.remove())
	}
	return r, nil
}

// furnish makes what is in the root beside the marker.
func (r *root) furnish() (err error) {
	if err := os.Mkdir(r.files, 0o700); err != nil {
		return err
	}
	if err := private(r.files); err != nil {
		return err
	}
	if r.dir, err = os.Open(r.files); err != nil {
		return err
	}
	r.fd = int(r.dir.Fd())
	return private(r.path)
}

// private looks whether the file system keeps what the modes say (E09), and
// that the umask has not taken the owner's own bits (A13).
func private(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	st, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if perm := st.Mode().Perm(); perm != 0o700 {
		return fmt.Errorf("%s was made with mode 0700 and has %#o: the umask, or a file system without modes, stands against private files", dir, perm)
	}
	return nil
}

// enter makes the root the place for temporary files of this process and of
// what it starts.
func (r *root) enter() error {
	for _, name := range append([]string{rootVariable}, tempVariables...) {
		value, set := os.LookupEnv(name)
		r.before = append(r.before, setting{name, value, set})
		if err := os.Setenv(name, r.files); err != nil {
			return err
		}
	}
	r.mark.set()
	return nil
}

// leave takes back what enter did, where a test has not changed it since.
func (r *root) leave() {
	r.mark.unset()
	for _, s := range r.before {
		switch {
		case os.Getenv(s.name) != r.files:
		case s.set:
			_ = os.Setenv(s.name, s.value)
		default:
			_ = os.Unsetenv(s.name)
		}
	}
}

// environ is the settings that make the root the place for temporary files of
// another process.
func (r *root) environ() []string {
	list := []string{rootVariable + "=" + r.files}
	for _, name := range tempVariables {
		list = append(list, name+"="+r.files)
	}
	return list
}

// changed are the variables that no longer lead to the root (E13).
func (r *root) changed() []string {
	var list []string
	for _, name := range tempVariables {
		if value := os.Getenv(name); value != r.files {
			list = append(list, fmt.Sprintf("%s=%q", name, value))
		}
	}
	return list
}

// nested says that this process was started by a checked one, whose root it
// uses: what it leaves there is found by the other. It is asked for before
// this process makes a root of its own.
var nested = sync.OnceValue(func() bool {
	up := os.Getenv(rootVariable)
	return up != "" && up == os.TempDir()
})

// names are the entries of the root.
func (r *root) names() ([]string, error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	return r.list()
}

// lost says why what is seen in the root is not what the tests do.
func (r *root) lost() error {
	a, err := r.dir.Stat()
	if err != nil {
		return err
	}
	b, err := os.Lstat(r.files)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(a, b) {
		return &lostError{r.files}
	}
	return err
}

// lostError says that the root is gone.
type lostError struct{ dir string }

func (e *lostError) Error() string { return "a test " + e.what() }

func (e *lostError) what() string {
	return "removed or replaced " + e.dir + ", the directory that TMPDIR names: what was in it cannot be known"
}

// remove removes the root with all that is in it.
func (r *root) remove() error {
	if r.dir != nil {
		r.dir.Close()
	}
	err := sweep.Remove(r.path)
	if r.marker != nil { // last: whoever sees the lock free may remove the rest
		r.marker.Close()
	}
	return err
}

// keep leaves the root as it is, and without its marker, so that no sweeper
// takes it.
func (r *root) keep() error {
	r.dir.Close()
	err := os.Remove(filepath.Join(r.path, sweep.Marker))
	r.marker.Close()
	return err
}

// canary proves that a file, a directory and an open descriptor would be seen
// (R17).
func (r *root) canary() error {
	f, err := os.CreateTemp("", "canary-*")
	if err != nil {
		return err
	}
	defer f.Close()
	names, err := r.names()
	if err == nil && (len(names) != 1 || filepath.Base(f.Name()) != names[0]) {
		err = fmt.Errorf("a file that os.CreateTemp made was not seen in %s", r.files)
	}
	if err == nil && !seesDescriptor(r, f) {
		err = errors.New("an open descriptor was not seen")
	}
	f.Close() // before the removal, for Windows
	if e := os.Remove(f.Name()); e != nil {
		err = errors.Join(err, e)
	}
	if left, e := r.names(); err == nil && (e != nil || len(left) > 0) {
		err = errors.Join(errors.New("a file that was removed is still seen"), e)
	}
	if err != nil {
		return fmt.Errorf("the checker does not find a leak of its own: %w", err)
	}
	return nil
}

// below is the slash-separated path of name below dir, "" when it is not.
func below(dir, name string) string {
	rel, ok := strings.CutPrefix(name, dir+string(filepath.Separator))
	if !ok {
		return ""
	}
	return filepath.ToSlash(rel)
}
