package fsfaketest

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"

	"github.com/tmpproof/tmpproof/fsfake"
)

func TestFake(t *testing.T) {
	for _, u := range []fsfake.User{{}, {UID: 1000, GID: 1000}} {
		t.Run(map[bool]string{true: "root", false: "user"}[u.UID == 0], func(t *testing.T) {
			Run(t, func(t *testing.T) (afero.Fs, string) {
				d := fsfake.New()
				t.Cleanup(func() {
					if d.As(fsfake.User{}).RemoveAll("/tmp") != nil {
						t.Error("the disk cannot be emptied")
					}
				})
				return d.As(u), "/tmp"
			})
		})
	}
}

// osFs is the system's own file system, on tmpfs, with hard links.
type osFs struct{ afero.OsFs }

func (osFs) Link(oldname, newname string) error { return os.Link(oldname, newname) }

func TestSystem(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the contracts are Linux's")
	}
	old := umask(0)
	defer umask(old)
	Run(t, func(t *testing.T) (afero.Fs, string) {
		dir, err := os.MkdirTemp("/dev/shm", "fsfaketest-")
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		return &osFs{}, dir
	})
}

// brokenByMemMapFs has what afero 1.15's MemMapFs does otherwise.
const brokenByMemMapFs = `
AppendGoesToTheEnd Chtimes CreateNeedsParent CreateSetsDirectoryMtime DotDotIsWalked EmptyName
ErrorTypes ExclusiveWithoutCreate HugeTruncate LongName MkdirAllBelowFile MkdirNeedsParent NULInName
OpenBelowFile OpenDirectoryForWriting ReadAtEnd ReadDirectory ReadWriteOnlyHandle ReaddirInSteps
ReaddirOfFile RemoveFullDirectory RenameIntoItself RenameKeepsHandleName RenameMissing
RenameOntoDirectory SeekErrors StatIsASnapshot TrailingSlash TruncateGrowsWithZeros UseAfterClose
WriteReadOnlyHandle
`

// TestMemMapFs shows that the contracts find something, and what.
func TestMemMapFs(t *testing.T) {
	var failed, unsupported []string
	for _, name := range Names() {
		m := afero.NewMemMapFs()
		if err := m.MkdirAll("/tmp", 0o777); err != nil {
			t.Fatal(err)
		}
		switch err := All[name].Check(m, "/tmp"); {
		case errors.Is(err, errors.ErrUnsupported):
			unsupported = append(unsupported, name)
		case err != nil:
			failed = append(failed, name)
			text, _, _ := strings.Cut(err.Error(), "\n")
			t.Logf("%s (%s): %s", name, All[name].Source, text)
		}
	}
	assert.Equal(t, strings.Fields(brokenByMemMapFs), failed)
	t.Logf("%d contracts, %d broken, %d about links that it has not", len(All), len(failed), len(unsupported))
}
