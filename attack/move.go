package attack

import (
	"fmt"
	"io/fs"
	"net/url"
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
	FIFO     Move = "fifo"     // a named pipe that nobody else opens
	Socket   Move = "socket"   // a unix socket that nobody listens at
	Remove   Move = "remove"   // the entry is renamed away
	Tamper   Move = "tamper"   // the content of a file whose mode lets others write
)

var allMoves = []Move{Symlink, Hardlink, File, Dir, FIFO, Socket, Remove, Tamper}

// move is a Move with its variant, aimed at an entry.
type move struct {
	family  Move
	variant string
	target  string // shape of the entry's path
}

func (m move) name() string {
	if m.variant == "" {
		return string(m.family)
	}
	return string(m.family) + "-" + m.variant
}

func (m move) String() string { return m.name() + "=" + escape(m.target) }

func parseMove(s string) (move, error) {
	name, target, ok := strings.Cut(s, "=")
	family, variant, _ := strings.Cut(name, "-")
	target, err := url.PathUnescape(target)
	m := move{Move(family), variant, target}
	if !ok || err != nil || !validMove(m) {
		return move{}, fmt.Errorf("move %q is not of the form move=path with one of %s", s, strings.Join(moveNames(), ", "))
	}
	return m, nil
}

// Variants of planted things. The first of each family comes first in
// reports.
var (
	lastPlants = []move{
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
	parentPlants = []move{
		{family: Symlink, variant: "dir"},
		{family: Symlink, variant: "mirror"}, // to a protected directory that has an entry of the name the victim goes on to
		{family: Symlink, variant: "owndir"}, // to a directory of the attacker's
		{family: Dir},
		{family: Dir, variant: "link"}, // with a symlink to a canary at the name the victim goes on to
		{family: Dir, variant: "file"}, // with a file of the attacker's there
	}
)

func everyMove() []move {
	all := append(lastPlants[:len(lastPlants):len(lastPlants)], parentPlants...)
	return append(all, move{family: Remove}, move{family: Tamper})
}

func validMove(m move) bool {
	for _, v := range everyMove() {
		if v.family == m.family && v.variant == m.variant {
			return true
		}
	}
	return false
}

func moveNames() []string {
	var names []string
	seen := map[string]bool{}
	for _, m := range everyMove() {
		if n := m.name(); !seen[n] {
			seen[n] = true
			names = append(names, n)
		}
	}
	return names
}

// reach is what the attacker can do to an entry at one moment: what the mode
// bits allow, and what it knows.
type reach struct {
	plant   bool // the name is free, the directory is open, and the name is known
	replace bool // the entry can be removed, replaced and exchanged
	tamper  bool // the file's mode lets others write
	names   bool // the entry's name is known
}

// moves lists what the attacker can do to an entry right before a call that
// looks it up.
func moves(a access, r reach, allowed func(Move) bool) []move {
	var list []move
	eachMove(a, r, allowed, func(m move) bool {
		m.target = a.path()
		list = append(list, m)
		return true
	})
	return list
}

// able says that a move is among those.
func able(m move, a access, r reach, allowed func(Move) bool) bool {
	found := false
	eachMove(a, r, allowed, func(c move) bool {
		found = c.family == m.family && c.variant == m.variant
		return !found
	})
	return found
}

var (
	removal   = []move{{family: Remove}}
	tampering = []move{{family: Tamper}}
)

func eachMove(a access, r reach, allowed func(Move) bool, yield func(move) bool) {
	kinds := [3][]move{}
	if r.plant || r.replace {
		if kinds[0] = lastPlants; a.parent {
			kinds[0] = parentPlants
		}
	}
	if r.replace {
		kinds[1] = removal
	}
	if r.tamper {
		kinds[2] = tampering
	}
	for _, kind := range kinds {
		for _, m := range kind {
			if allowed(m.family) && !same(m, a.node) && !yield(m) {
				return
			}
		}
	}
}

// same says that the move would put what is there already.
func same(m move, n node) bool {
	switch m.family {
	case FIFO:
		return n.typ&fs.ModeNamedPipe != 0
	case Socket:
		return n.typ&fs.ModeSocket != 0
	}
	return false
}
