package attack

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/tmpproof/tmpproof/internal/supervise"
)

// boundary is the moment before one call of the victim.
type boundary struct {
	call     string
	kind     supervise.Kind
	create   bool // an open that may create
	excl     bool
	write    bool // an open for writing
	read     bool // an open for reading
	nowait   bool // an open that does not block on a FIFO
	trunc    bool
	tmpfile  bool // O_TMPFILE: creates without a name
	onlyDir  bool // O_DIRECTORY
	owner    bool // sets an owner or a group
	times    bool // sets times
	covers   bool // puts a file system over its last path
	exchange bool // of two names: neither object goes
	perm     uint32
	lookups  []lookup
	object   string // of a call on a descriptor: the name it now has, or ""
	fd       descriptor
	thread   int
	line     string // innermost line of the user's code, "file.go:12"
	chain    string // "file.go:12 < main.go:3"
	program  string // a program that the victim started and that made the call
	opaque   string
	repeat   bool
	rooted   bool    // the thread's root is not the system's
	main     bool    // made by the victim's own goroutine, not by one that it started
	point    bool    // no system call: a point at which a panic can be injected
	length   int64   // of a write, in bytes
	asks     request // of a lock or a seek
	answer   answer
	side     bool // made by another goroutine of its process
	// elsewhere are entries that the call does not look up. The explorer
	// makes no moves on them, since they commute with the call; the full
	// search that it is held against does.
	elsewhere []access
	refresh   func()                // looks the paths up again, after a move
	busy      func(thread int) bool // that thread may still be in the call it was let into
	locate    func(*boundary)       // fills line, chain, program and main in; it has its price
}

// access is one name that a call resolves through: an entry of a directory.
type access struct {
	dir, name string
	at        string // the path, where it was known already
	node      node
	last      bool   // the end of the path as given, or of a link that it follows
	parent    bool   // the path goes on below it
	covered   bool   // in the victim's view a file system is mounted over it
	rest      string // what the path has after it, as it is given
}

func (a access) path() string {
	if a.at != "" {
		return a.at
	}
	if a.dir == "." {
		return a.name
	}
	return a.dir + "/" + a.name
}

// lookup is one path argument.
type lookup struct {
	given  string // the path as the victim gave it, below the scene's root; not looked up
	follow bool
	makes  bool     // the call puts an object at the name at its end
	loader bool     // the kernel looks for a program's loader there
	steps  []access // in the order in which the kernel looks them up
}

// final is the entry that the call ends at, the link itself if it does not
// follow.
func (l lookup) final() (access, bool) {
	if len(l.steps) == 0 {
		return access{}, false
	}
	a := l.steps[len(l.steps)-1]
	return a, a.last && !a.covered
}

// object is the entry of what the call is about: the final one, or the directory
// that the path names with "/." behind it.
func (l lookup) object() (access, bool) {
	a, ok := l.final()
	if !ok && a.node.isDir() && a.rest != "" && path.Clean(a.rest) == "." {
		return a, !a.covered
	}
	return a, ok
}

// entry is the first last component: the name as the victim gave it.
func (l lookup) entry() (access, bool) {
	for _, s := range l.steps {
		if s.last {
			return s, true
		}
	}
	return access{}, false
}

// key identifies a boundary across runs. Goroutines reorder, so that the
// position in the run is no part of it.
type key struct {
	call  string
	shape string // the first path with its random parts replaced
	line  string
	n     int // n-th of that call, shape and line in the run
}

// String is the boundary as a replay names it.
func (k key) String() string {
	return k.call + ":" + escape(k.shape) + ":" + escapeBut(k.line, ":") + ":" + strconv.Itoa(k.n)
}

// escape makes a name safe for a schedule and for a shell's single quotes.
func escape(s string) string { return escapeBut(s, "") }

func escapeBut(s, spare string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; digit(c) || letter(c) || strings.IndexByte("/._-*+~"+spare, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// parseKey reads what String wrote.
func parseKey(s string) (key, error) {
	f := strings.Split(s, ":")
	if len(f) < 4 {
		return key{}, fmt.Errorf("boundary %q has not the form call:path:line:n", s)
	}
	shape, err := url.PathUnescape(f[1])
	if err != nil {
		return key{}, fmt.Errorf("boundary %q: %w", s, err)
	}
	line, err := url.PathUnescape(strings.Join(f[2:len(f)-1], ":"))
	if err != nil {
		return key{}, fmt.Errorf("boundary %q: %w", s, err)
	}
	n, err := strconv.Atoi(f[len(f)-1])
	if err != nil || n < 1 {
		return key{}, fmt.Errorf("boundary %q: %q is no occurrence", s, f[len(f)-1])
	}
	return key{f[0], shape, line, n}, nil
}

// step is one boundary as it was in one run, with what was learnt of it.
type step struct {
	boundary
	key     key
	moves   []appliedMove // made right before the call
	damage  []damage
	newName bool     // it makes a name that others could make as well
	before  []before // of objects whose times it sets
	reach   []reach  // by access, in the order of accesses()
	shown   string   // a name that it made, and that others see
	wants   []want   // what it looked for in the attacker's directories, for the first time
	listed  string   // the directory that it opens
	open    bool     // where others may make names
}

// appliedMove is a move as it was carried out.
type appliedMove struct {
	move move
	path string // of the entry
	over bool   // something stood there
	text string
}

// damage is something that an oracle saw right after the step.
type damage struct {
	path, text string
}

// accesses lists the entries a call resolves through, each once.
func (b *boundary) accesses() []access {
	if len(b.lookups) == 1 && len(b.elsewhere) == 0 && len(b.lookups[0].steps) == 1 {
		return b.lookups[0].steps
	}
	var all []access
	add := func(steps []access) {
		for _, a := range steps {
			p := a.path()
			if i := slices.IndexFunc(all, func(o access) bool { return o.path() == p }); i < 0 {
				all = append(all, a)
			} else if o := &all[i]; a.parent && !o.parent { // one path ends at it, and another one goes on
				o.parent, o.rest = true, a.rest
			} else {
				o.last = o.last || a.last
			}
		}
	}
	for _, l := range b.lookups {
		add(l.steps)
	}
	add(b.elsewhere)
	return all
}

// names is true for a call that takes a path: a point for moves.
func (b *boundary) names() bool { return len(b.lookups) > 0 }
