package attack

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
)

// Move is one kind of act of the attacker: atomic, and within its powers.
type Move string

// The attacker's moves. Where an entry exists already and the directory lets
// the attacker remove it (no sticky bit, or its own entry), planting replaces
// it by an atomic exchange.
const (
	Symlink  Move = "symlink"  // a symbolic link: to a canary, to a protected name that does not exist, to the attacker's own file or directory
	Hardlink Move = "hardlink" // a hard link to a canary
	File     Move = "file"     // a file of the attacker's, a program, that all may read, write and run
	Dir      Move = "dir"      // a directory of the attacker's, open to all
	FIFO     Move = "fifo"     // a named pipe that nobody else opens; where the code writes to it, also one that the attacker reads
	Socket   Move = "socket"   // a unix socket at which the attacker listens, whatever its type has to be
	Remove   Move = "remove"   // the entry is renamed away
	Tamper   Move = "tamper"   // the content of a file whose mode lets others write
)

var allMoves = []Move{Symlink, Hardlink, File, Dir, FIFO, Socket, Remove, Tamper}

// move is a Move with its variant, aimed at an entry.
type move struct {
	family  Move
	variant string
	inside  string // what a directory holds: see thing
	target  string // shape of the entry's path
}

func (m move) name() string {
	if m.variant == "" {
		return string(m.family)
	}
	return string(m.family) + "-" + m.variant
}

func (m move) String() string {
	inside := ""
	if m.inside != "" {
		inside = "{" + m.inside + "}"
	}
	return m.name() + inside + "=" + escape(m.target)
}

// things are what the directory of the move holds.
func (m move) things() []thing {
	list, _ := parseInside(m.inside) // which was written by insideString, or read before
	return list
}

func parseMove(s string) (move, error) {
	wrong := func(err error) (move, error) {
		return move{}, fmt.Errorf("move %q is not of the form move=path or move{name=thing,...}=path with one of %s: %w", s, strings.Join(moveNames(), ", "), err)
	}
	name, target, ok := strings.Cut(s, "=")
	inside := ""
	if head, rest, found := strings.Cut(s, "{"); found {
		name = head
		if inside, target, ok = strings.Cut(rest, "}="); inside == "" {
			ok = false
		}
	}
	if !ok {
		return wrong(errors.New("it has no path"))
	}
	target, err := url.PathUnescape(target)
	if err != nil {
		return wrong(err)
	}
	list, err := parseInside(inside)
	if err != nil {
		return wrong(err)
	}
	family, variant, _ := strings.Cut(name, "-")
	m := move{Move(family), variant, insideString(list), target}
	switch {
	case !validMove(m):
		return wrong(errors.New("there is no such move"))
	case !fits(m, list):
		return wrong(fmt.Errorf("%q cannot be in it", inside))
	}
	return m, nil
}

// lastPlants are what can be put at the name with which a path ends. The first
// variant of each family comes first in reports.
var lastPlants = []move{
	{family: Symlink, variant: "file"},   // to a canary
	{family: Symlink, variant: "absent"}, // to a name in a protected directory that does not exist
	{family: Symlink, variant: "dir"},    // to a canary directory
	{family: Symlink, variant: "own"},    // to a file of the attacker's
	{family: Hardlink},
	{family: File},
	{family: Dir},
	{family: FIFO},
	{family: Socket},
}

// onWay are the moves that lead a path on, beside those.
var onWay = []move{
	{family: Symlink, variant: "mirror"}, // to a protected directory that has what the victim looks for
	{family: Symlink, variant: "owndir"}, // to a directory of the attacker's
}

func everyMove() []move {
	return append(slices.Concat(lastPlants, onWay, livelyMoves), entriesMove, move{family: Remove}, move{family: Tamper})
}

func validMove(m move) bool {
	return slices.ContainsFunc(everyMove(), func(v move) bool { return v.family == m.family && v.variant == m.variant })
}

func moveNames() []string {
	var names []string
	for _, m := range everyMove() {
		names = append(names, m.name())
	}
	return names
}

// reach is what the attacker can do to an entry at one moment: what the mode
// bits allow, and what it knows.
type reach struct {
	plant   bool  // the name is free, the directory is open, and the name is known
	replace bool  // the entry can be removed, replaced and exchanged
	tamper  bool  // the file's mode lets others write
	theirs  bool  // the entry is the attacker's own
	names   bool  // the entry's name is known
	shows   bool  // it exists where the attacker can list it
	ways    []way // how the call goes on below it, as far as the attacker knows
}

// moves lists what the attacker can do to an entry right before a call that
// looks it up.
func moves(a access, r reach, allowed func(Move) bool) []move {
	var list []move
	add := func(m move) {
		m.target = a.path()
		if able(m, a, r, allowed) && !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	if r.plant || r.replace {
		if a.last || !a.parent {
			for _, m := range lastPlants {
				add(m)
			}
		}
		if a.parent {
			for _, w := range append(r.ways[:len(r.ways):len(r.ways)], way{}) {
				for _, m := range parentPlants(w) {
					add(m)
				}
			}
		}
	}
	add(move{family: Remove})
	add(move{family: Tamper})
	return list
}

// able reports whether a move can be made on an entry.
func able(m move, a access, r reach, allowed func(Move) bool) bool {
	if !allowed(m.family) && m.variant != variantEntries || r.theirs && same(m, a.node) {
		return false
	}
	switch m.family {
	case Remove:
		return r.replace
	case Tamper:
		return r.tamper
	}
	return (r.plant || r.replace) && allowedInside(m, allowed)
}

// allowedInside reports whether the kinds of things in a directory are within
// the option Moves. Files and links always are: they say what the directory is.
func allowedInside(m move, allowed func(Move) bool) bool {
	if m.inside == "" || m.family == Symlink {
		return true
	}
	for _, t := range m.things() {
		family, _, _ := strings.Cut(t.kind, "-")
		if t.kind != "file" && t.kind != entriesMove.name() && t.kind != "symlink-file" && !allowed(Move(family)) {
			return false
		}
	}
	return true
}

// same says that the move would put a thing of the kind that is there already.
func same(m move, n node) bool {
	switch m.family {
	case FIFO:
		return n.typ&fs.ModeNamedPipe != 0
	case Socket:
		return n.typ&fs.ModeSocket != 0
	}
	return false
}
