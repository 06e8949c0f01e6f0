package leakcheck

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

const (
	// rootPrefix begins the names of private roots. Short, since the names of
	// Unix sockets below have 104 bytes on some systems.
	rootPrefix = "tmpproof-"
	markerName = ".leakcheck" // in the root, locked as long as its process lives
	markerText = "tmpproof leakcheck root\n"
	filesName  = "t" // in the root, what TMPDIR names
	// rootVariable tells a process that it runs below a checked one.
	rootVariable = "TMPPROOF_LEAKCHECK"
)

// tempVariables lead to the directory for temporary files: os.TempDir reads the
// first three, t.TempDir the last.
var tempVariables = []string{"TMPDIR", "TMP", "TEMP", "GOTMPDIR"}

// root is a private directory, TMPDIR of the process while it is checked.
//
//	/tmp/tmpproof-123456789/    0700
//	    .leakcheck              locked
//	    t/                      0700, TMPDIR
type root struct {
	path   string // of the whole
	files  string // of filesName
	marker *os.File
	dir    *os.File // files, held open
	fd     int      // of dir
	before []setting

	reading sync.Mutex // of dir, which has one position
}

type setting struct {
	name, value string
	set         bool
}

// newRoot makes a root in dir.
func newRoot(dir string) (r *root, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	made, err := os.MkdirTemp(dir, rootPrefix)
	if err != nil {
		return nil, fmt.Errorf("a private directory for temporary files cannot be made (the variable TMPDIR, or the option Dir, says where): %w", err)
	}
	r = &root{path: made, files: filepath.Join(made, filesName)}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.remove())
		}
	}()
	if err := os.Mkdir(r.files, 0o700); err != nil {
		return nil, err
	}
	if err := r.private(); err != nil {
		return nil, err
	}
	if r.dir, err = os.Open(r.files); err != nil {
		return nil, err
	}
	r.fd = int(r.dir.Fd())
	return r, r.mark()
}

// private looks whether the file system keeps what the modes say (E09), and
// that the umask has not taken the owner's own bits (A13).
func (r *root) private() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	for _, name := range []string{r.path, r.files} {
		st, err := os.Lstat(name)
		if err != nil {
			return err
		}
		if perm := st.Mode().Perm(); perm != 0o700 {
			return fmt.Errorf("%s was made with mode 0700 and has %#o: the umask, or a file system without modes, stands against private files", name, perm)
		}
	}
	return nil
}

// mark makes the marker, locked before it bears its name: a sweeper never sees
// one of a living process unlocked.
func (r *root) mark() error {
	name := filepath.Join(r.path, markerName)
	f, err := os.OpenFile(name+"~", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	r.marker = f
	if err := lock(f); err != nil {
		return fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	if _, err := f.WriteString(markerText + strconv.Itoa(os.Getpid()) + "\n"); err != nil {
		return err
	}
	return os.Rename(name+"~", name)
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
	return nil
}

// leave takes back what enter did, where a test has not changed it since.
func (r *root) leave() {
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
	if _, err := r.dir.Seek(0, 0); err != nil {
		return nil, err
	}
	return r.dir.Readdirnames(-1)
}

// lost says why what is seen in the root is not what the tests do.
func (r *root) lost() error {
	a, err := r.dir.Stat()
	if err != nil {
		return err
	}
	b, err := os.Lstat(r.files)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(a, b) {
		return fmt.Errorf("a test removed or replaced %s, the directory that TMPDIR names: what was in it cannot be known", r.files)
	}
	return err
}

// remove removes the root with all that is in it.
func (r *root) remove() error {
	if r.dir != nil {
		r.dir.Close()
	}
	err := removeTree(r.path, nil)
	if r.marker != nil { // last: whoever sees the lock free may remove the rest
		r.marker.Close()
	}
	return err
}

// keep leaves the root as it is, and without its marker, so that no sweeper
// takes it.
func (r *root) keep() error {
	r.dir.Close()
	err := os.Remove(filepath.Join(r.path, markerName))
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

// removeTree removes a directory through os.Root, so that no link leads out of
// it. Directories without write permission get it first (R12). check, when
// given, is asked once the directory is open, and an error leaves all as it is.
func removeTree(path string, check func(*os.Root) error) error {
	dir, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	if check != nil {
		if err := check(dir); err != nil {
			return err
		}
	}
	names, err := readNames(dir, ".")
	if err != nil {
		return err
	}
	// The marker goes last: what a killed removal leaves can be swept.
	for _, name := range names {
		if name != markerName {
			err = errors.Join(err, removeAll(dir, name))
		}
	}
	if err != nil {
		return err
	}
	if err := dir.Remove(markerName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Remove(path)
}

func removeAll(dir *os.Root, name string) error {
	err := dir.RemoveAll(name)
	if err == nil {
		return nil
	}
	unlock(dir, name)
	return dir.RemoveAll(name)
}

// unlock gives the owner all rights on the directories at and below name.
func unlock(dir *os.Root, name string) {
	st, err := dir.Lstat(name)
	if err != nil || !st.IsDir() {
		return
	}
	_ = dir.Chmod(name, 0o700)
	names, _ := readNames(dir, name)
	for _, n := range names {
		unlock(dir, filepath.Join(name, n))
	}
}

func readNames(dir *os.Root, name string) ([]string, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// below is the slash-separated path of name below dir, "" when it is not.
func below(dir, name string) string {
	rel, ok := strings.CutPrefix(name, dir+string(filepath.Separator))
	if !ok {
		return ""
	}
	return filepath.ToSlash(rel)
}
