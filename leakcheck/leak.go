package leakcheck

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/tmpproof/tmpproof/internal/leftover"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// kind says what was left behind.
type kind int

const (
	entry      kind = iota // a name in the root
	source                 // a name in the package's directory
	descriptor             // open, by name, deleted or never named
	mapping                // of a file
	process
	elsewhere // an open descriptor of something that is not in the root
)

// leak is one thing that was left behind.
type leak struct {
	kind  kind
	name  string // below the root or the package's directory; of the program for a process
	pid   int
	fd    int
	what  string // "file", "directory (3 entries)", "open file (deleted)"
	typ   fs.FileMode
	perm  fs.FileMode
	size  int64
	birth time.Time // zero when not known
	file  string    // tells it from others that had its name, "" when not known

	window *span // the only test that ran when it appeared, nil when not known

	// of the explanation
	test    string
	line    string
	renamed string   // the line that gave it its name, where that is another
	via     string   // the program that made the call
	masked  string   // the name without what differs from run to run
	doubt   string   // why the test is not named
	guess   string   // what the sources say
	likely  []string // tests that have the literal of its name

	taken   bool // a test was found to have made it
	foreign bool // no test was seen to make it: perhaps another program did

	// of a trial
	elems   []leftover.Elem // of the name, where parts of it differ from run to run
	call    string          // the system call that made it
	seq     int             // its order among those calls
	claimed int             // leaks that it explains
	shaped  string          // see shape
}

// rule is the rule of the rule book that a leak breaks.
func (l *leak) rule() rules.Rule {
	switch l.kind {
	case descriptor, elsewhere:
		return rules.R03
	case mapping:
		return rules.R04
	case process:
		return rules.R13
	}
	return rules.R01
}

// title is what must hold, in the words that fit what was left.
func (l *leak) title() string {
	switch l.kind {
	case elsewhere:
		return "no descriptor that the test opened stays open"
	case process:
		return leftover.NoProcess
	}
	return l.rule().Title()
}

var random = regexp.MustCompile(`[0-9]+`)

// shape is the name less what differs between two runs: numbers, of which the
// random part of os.CreateTemp consists.
func (l *leak) shape() string {
	if l.shaped == "" {
		l.shaped = fmt.Sprintf("%d %v %s", l.kind, l.typ, random.ReplaceAllString(l.name, "*"))
	}
	return l.shaped
}

// describe fills a leak from the file's attributes.
func (l *leak) describe(path string, st fs.FileInfo) {
	l.typ, l.perm, l.birth, l.file = st.Mode().Type(), st.Mode().Perm(), birthTime(path, st), identity(path)
	thing := leftover.Look(path, st)
	l.what, l.size = thing.What, thing.Size
}

// entries describes names of a directory, in order of their birth.
func entries(dir string, names []string, k kind, o *options) []*leak {
	var list []*leak
	for _, name := range names {
		if o.ignored(filepath.ToSlash(name)) {
			continue
		}
		path := filepath.Join(dir, name)
		st, err := os.Lstat(path)
		if err != nil {
			continue // it has gone meanwhile
		}
		l := &leak{kind: k, name: filepath.ToSlash(name)}
		l.describe(path, st)
		list = append(list, l)
	}
	sortLeaks(list)
	return list
}

func sortLeaks(list []*leak) {
	slices.SortFunc(list, func(a, b *leak) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), a.birth.Compare(b.birth), cmp.Compare(a.name, b.name), cmp.Compare(a.pid, b.pid))
	})
}
