package attack

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/tmpproof/tmpproof/internal/supervise"
)

// A directory that the attacker puts in the victim's way holds what the victim
// looks for below it: it is built aside, with all that is in it, and one rename
// puts it in place. So does the directory of another user's to which the
// attacker's link leads: of all that lie on a system, the attacker takes one
// that has the names.

// thing is one entry of such a directory.
type thing struct {
	at   string // its name, or its path below the directory
	kind string // the name of a move that plants such a thing; plain words in another user's directory
}

// inMirror are the kinds of things in another user's directory.
var inMirror = []string{"file", "dir", "symlink-file", entriesMove.name()}

// mirrored is the kind of a link to another user's directory, which holds what
// is listed below it.
const mirrored = "symlink-mirror"

// insideString writes a list as a schedule names it: {app/conf=file,x=dir}.
func insideString(list []thing) string {
	parts := make([]string, len(list))
	for i, t := range list {
		parts[i] = escape(t.at) + "=" + t.kind
	}
	return strings.Join(parts, ",")
}

// parseInside reads what insideString wrote.
func parseInside(s string) ([]thing, error) {
	if s == "" {
		return nil, nil
	}
	var list []thing
	for part := range strings.SplitSeq(s, ",") {
		at, kind, _ := strings.Cut(part, "=")
		at, err := url.PathUnescape(at)
		if err != nil || at == "" || path.Clean(at) != at || path.IsAbs(at) || at == "." || at == ".." || strings.HasPrefix(at, "../") {
			return nil, fmt.Errorf("%q is not of the form name=thing, with a name below the directory", part)
		}
		list = append(list, thing{at, kind})
	}
	return list, nil
}

// with is the list with one more thing, or with another one in the place of what
// it has at that name; what cannot lie below the new one is left out.
func with(list []thing, more ...thing) []thing {
	list = slices.Clone(list)
	for _, t := range more {
		list = slices.DeleteFunc(list, func(o thing) bool {
			return o.at == t.at || under(o.at, t.at) && t.kind != "dir" && t.kind != mirrored || under(t.at, o.at) && o.kind != "dir" && o.kind != mirrored
		})
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b thing) int { return cmp.Compare(a.at, b.at) })
	return list
}

// fits reports whether the things of a list can lie in the directory of a move.
func fits(m move, list []thing) bool {
	if len(list) == 0 {
		return true
	}
	foreign := m.family == Symlink && m.variant == "mirror"
	if !foreign && !(m.family == Dir && m.plain().variant == "") && !(m.family == Symlink && m.variant == "owndir") {
		return false
	}
	for i, t := range list {
		theirs := foreign
		for _, o := range list[:i] {
			if !under(t.at, o.at) {
				continue
			}
			theirs = theirs || o.kind == mirrored
			if t.at == o.at || o.kind != "dir" && o.kind != mirrored {
				return false
			}
		}
		if theirs && !slices.Contains(inMirror, t.kind) || !theirs && t.kind != mirrored && !slices.ContainsFunc(slices.Concat(lastPlants, livelyMoves, []move{entriesMove}), func(p move) bool { return p.name() == t.kind }) {
			return false
		}
	}
	return slices.IsSortedFunc(list, func(a, b thing) int { return cmp.Compare(a.at, b.at) })
}

// use is what a call makes of the entry that its path ends at. It decides which
// kinds of things there can make a difference.
type use uint8

const (
	anyUse    use = iota // it opens or changes what is there
	asks                 // it asks what is there
	takesAway            // it takes what is there away, or replaces it
	makesNew             // it fails where anything is there
	makesDir             // so does mkdir
	goesOn               // the names that are known go on with one that is not
)

// usesOf are the kinds of things that each use tells apart.
var usesOf = map[use][]string{
	asks:      {"symlink-file", "file", "hardlink", "dir"},
	takesAway: {"file", "dir"},
	makesNew:  {"file"},
	makesDir:  {"dir", "file"},
	goesOn:    {"dir", "symlink-dir"},
}

// kinds are those that can make a difference at the end of a path.
func (u use) kinds() []string {
	if u != anyUse {
		return usesOf[u]
	}
	var all []string
	for _, p := range lastPlants {
		all = append(all, p.name())
	}
	return all
}

// useOf is what the call does at the end of one of its paths.
func (b *boundary) useOf(lookup int) use {
	newer := lookup == len(b.lookups)-1
	switch b.kind {
	case supervise.Open:
		if b.excl {
			return makesNew
		}
	case supervise.Mkdir:
		return makesDir
	case supervise.Mknod, supervise.Symlink:
		return makesNew
	case supervise.Link:
		if newer {
			return makesNew
		}
	case supervise.Rename:
		if newer && b.call != "renameat2" {
			return takesAway
		}
	case supervise.Unlink, supervise.Rmdir:
		return takesAway
	case supervise.Check:
		return asks
	}
	return anyUse
}

// way is how a call goes on below an entry.
type way struct {
	names string // as the path has them, "" where nothing is known
	use   use
	node  node // what stands at the end
	// beside is what must be there as well: at the other name of a call that has
	// two.
	beside thing
}

// way is how the call goes on below an entry: the names are in the call, also
// those that it does not come to.
func (b *boundary) way(a access) way {
	if all := b.ways(a); len(all) > 0 {
		return all[0]
	}
	return way{}
}

// ways are those of each of its paths.
func (b *boundary) ways(a access) (all []way) {
	if !a.parent || a.rest == "" {
		return nil
	}
	at := a.path()
	for i, l := range b.lookups {
		for _, s := range l.steps {
			if s.path() != at || !s.parent {
				continue
			}
			w := way{names: namesIn(s.rest), use: b.useOf(i)}
			if end := l.steps[len(l.steps)-1]; end.last && end.path() == at+"/"+w.names {
				w.node = end.node
			}
			all = append(all, w)
			break
		}
	}
	if len(all) != 2 || all[0].names == "" || all[1].names == "" {
		return all
	}
	all[1].beside = thing{all[0].names, "file"}
	if up := path.Dir(all[1].names); b.exchange {
		all[0].beside = thing{all[1].names, "file"}
	} else if up != "." {
		all[0].beside = thing{up, "dir"}
	}
	return all
}

// namesIn are the names of a path, up to the first "..": what lies behind that
// is not below.
func namesIn(rest string) string {
	var names []string
	for name := range strings.SplitSeq(rest, "/") {
		if name == ".." {
			break
		}
		if name != "" && name != "." {
			names = append(names, name)
		}
	}
	return strings.Join(names, "/")
}

// knownPart cuts a way off before the first name that the attacker does not know.
func (w way) knownPart(dir string, knows func(path string) bool) way {
	for i := 0; i < len(w.names); {
		end := len(w.names)
		if j := strings.IndexByte(w.names[i:], '/'); j >= 0 {
			end = i + j
		}
		if !knows(dir + "/" + w.names[:end]) {
			return way{names: strings.TrimSuffix(w.names[:i], "/"), use: goesOn}
		}
		i = end + 1
	}
	return w
}

// parentPlants are what the attacker can put at an entry below which a call goes
// on: directories in which the call finds its way.
func parentPlants(w way) []move {
	inside := func(list []thing) string {
		if at := w.beside.at; at != "" && !slices.ContainsFunc(list, func(t thing) bool { return under(t.at, at) || under(at, t.at) }) {
			list = with(list, w.beside)
		}
		return insideString(list)
	}
	dir := func(list ...thing) move { return move{family: Dir, inside: inside(list)} }
	mirror := func(list ...thing) move {
		return move{family: Symlink, variant: "mirror", inside: inside(list)}
	}
	all := []move{{family: Symlink, variant: "dir"}}
	if w.names == "" {
		return append(all, move{family: Symlink, variant: "owndir"}, move{family: Dir})
	}
	for _, list := range w.theirs() {
		all = append(all, mirror(list...))
	}
	all = append(all, move{family: Symlink, variant: "owndir"}, move{family: Dir})
	for _, kind := range w.use.kinds() {
		all = append(all, dir(thing{w.names, kind}))
	}
	if up, ok := w.allButLast(0); ok {
		all = append(all, dir(up))
	}
	for _, list := range w.links(0) {
		all = append(all, dir(list...))
	}
	return all
}

// allButLast is the directory in which the call would make its last name, where
// it may make one, unless it is one of the first so many bytes of the way.
func (w way) allButLast(from int) (thing, bool) {
	up := path.Dir(w.names)
	makes := w.use == anyUse || w.use == makesNew || w.use == makesDir
	return thing{up, "dir"}, makes && up != "." && len(up) >= from
}

// links are the lists with a link to another user's directory on the way, at
// the end of the first so many bytes of it or later.
func (w way) links(from int) [][]thing {
	var all [][]thing
	for i, c := range []byte(w.names) {
		if c != '/' || i < from {
			continue
		}
		link := w.names[:i]
		all = append(all, []thing{{link, "symlink-dir"}})
		below := way{names: w.names[i+1:], use: w.use, node: w.node}
		for _, list := range below.theirs() {
			for j := range list {
				list[j].at = link + "/" + list[j].at
			}
			all = append(all, append([]thing{{link, mirrored}}, list...))
		}
	}
	return all
}

// theirs are the directories of another user's in which a way can be gone.
func (w way) theirs() [][]thing {
	end := func(kind string) []thing { return []thing{{w.names, kind}} }
	switch {
	case w.node.isDir():
		return [][]thing{end("dir"), end("file")}
	case w.node.exists(): // what the code does with a file, it may do with a directory
		return [][]thing{end("file"), end("dir")}
	case w.use == makesNew || w.use == makesDir || w.use == goesOn:
		if up := path.Dir(w.names); up != "." {
			return [][]thing{{{up, "dir"}}, end(map[bool]string{true: "file", false: "dir"}[w.use == makesNew])}
		}
		return [][]thing{end(map[bool]string{true: "file", false: "dir"}[w.use == makesNew])}
	}
	return [][]thing{end("file"), end("dir")}
}
