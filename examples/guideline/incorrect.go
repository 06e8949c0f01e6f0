package guideline

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// existsThenOpen is the guideline's first incorrect snippet:
//
//	tmp = os.path.join(tempfile.gettempdir(), filename)
//	if not os.path.exists(tmp):
//	    with open(tmp, "w") file:
//	        file.write("defaults")
//
// Between the question and the answer's use, anybody may put something at a
// name that everybody knows.
func existsThenOpen(filename string) error {
	tmp := filepath.Join(os.TempDir(), filename)
	if _, err := os.Stat(tmp); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.Create(tmp)
	if err != nil {
		return err
	}
	_, err = file.WriteString("defaults")
	return errors.Join(err, file.Close())
}

// mktemp is Python's tempfile.mktemp: a name that nobody has at the moment,
// and no file.
func mktemp() string {
	for {
		name := filepath.Join(os.TempDir(), "tmp"+strings.ToLower(rand.Text()[:8]))
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name
		}
	}
}

// mktempThenOpen is the guideline's second incorrect snippet:
//
//	open(tempfile.mktemp(), "w")
//
// The name cannot be guessed, but the file is opened whether or not it is
// there already, and with a mode that lets others in.
func mktempThenOpen() (*os.File, error) {
	return os.Create(mktemp())
}

// pidName is the guideline's third incorrect snippet:
//
//	filename = "{}/{}.tmp".format(tempfile.gettempdir(), os.getpid())
//	open(filename, "w")
//
// Process ids are public and are handed out in order.
func pidName() (*os.File, error) {
	return os.Create(fmt.Sprintf("%s/%d.tmp", os.TempDir(), os.Getpid()))
}

// reliesOnUmask is what the guideline's last correct snippet warns of when it
// sets the umask first: all is right with this file but its mode, which is
// 0600 only where somebody else has taken care of that.
func reliesOnUmask() (*os.File, error) {
	name := filepath.Join(os.TempDir(), "report-"+rand.Text())
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

// removesWhenAllGoesWell breaks the guideline's "we also must take care to
// cleanup our temporary files even in the face of errors": the early return
// leaves the file behind.
func removesWhenAllGoesWell(fill func(*os.File) error) error {
	tmp, err := os.CreateTemp("", "report-*")
	if err != nil {
		return err
	}
	defer tmp.Close()
	if err := fill(tmp); err != nil {
		return err
	}
	return os.Remove(tmp.Name())
}
