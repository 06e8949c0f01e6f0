// Package leftover describes what tests leave behind, for the reports of
// leakcheck and tmpleak.
package leftover

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a report.
const (
	MostGroups = 20 // leaks of one cause each
	MostNames  = 3  // of one group
	MostTests  = 8  // that are listed
)

// mostEntries bounds the look into a directory.
const mostEntries = 10_000

// Thing is a file of any kind that was left.
type Thing struct {
	What    string // "file", "directory with 3 entries", `symbolic link to "x"`
	Size    int64  // in bytes, of a directory of all files below it
	Entries int    // below a directory, as far as they were counted
}

// Look describes the file, of which st is known.
func Look(path string, st fs.FileInfo) Thing {
	t := Thing{Size: st.Size()}
	switch st.Mode().Type() {
	case 0:
		t.What = "file"
	case fs.ModeDir:
		n, size, more := weigh(path, mostEntries)
		t.Size, t.Entries = size, n
		switch {
		case more:
			t.What = fmt.Sprintf("directory with more than %d entries", n)
		case n == 0:
			t.What = "empty directory"
		default:
			t.What = "directory with " + Count(n, "entry", "entries")
		}
	case fs.ModeSymlink:
		to, _ := os.Readlink(path)
		t.What = "symbolic link to " + strconv.Quote(to)
	case fs.ModeNamedPipe:
		t.What = "FIFO"
	case fs.ModeSocket:
		t.What = "Unix socket"
	default:
		t.What = "special file"
	}
	return t
}

// weigh counts what is below a directory, up to a number of entries.
func weigh(path string, most int) (n int, size int64, more bool) {
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == path {
			return nil
		}
		if n == most {
			more = true
			return fs.SkipAll
		}
		n++
		if st, err := d.Info(); err == nil && st.Mode().IsRegular() {
			size += st.Size()
		}
		return nil
	})
	return n, size, more
}

// Printable is the name, quoted where it has odd characters.
func Printable(name string) string {
	if q := strconv.Quote(name); q != `"`+name+`"` {
		return q
	}
	return name
}

// Count is "1 file" or "2 files".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// NoProcess is the title of R13 where a process breaks it which the tests
// started and that runs on. The rule book says it of those that use a directory;
// here it holds for all.
const NoProcess = "no process that the tests started outlives them"

// Fixes are the lines that say what to do about each kind of leak, once each.
func Fixes[L any](leaks []L, fix func(L) string) string {
	var said []string
	for _, l := range leaks {
		if line := "  fix: " + fix(l) + "\n"; !slices.Contains(said, line) {
			said = append(said, line)
		}
	}
	return strings.Join(said, "")
}

// EndProcess is what to do about one.
const EndProcess = "end the process and wait for it, in a t.Cleanup: exec.CommandContext(t.Context(), ...) kills what it started itself"
