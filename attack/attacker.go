package attack

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// attacker is another local user without privilege. Its powers follow from
// mode bits and from who created what; what the test's own uid could do is
// no matter.
type attacker struct {
	disk      disk
	sameGroup bool
	names     *names
	own       map[id]*plant   // what it made in this run, and the hostile entries
	tampered  map[id]string   // files whose content it changed in place
	away      map[id]string   // what it renamed away, by the former name
	seen      map[string]bool // names that existed where it can list them
	made      int
	powers    map[string]powers // by directory, at the boundary at hand
	mirrored  string            // the directory of another user's that the last link leads to
	mirrors   map[string]string // and those to which the last move leads: by the link below its directory, "" for itself
}

// powers are what the attacker may do in a directory.
type powers struct{ list, search, create, removeOthers bool }

// plant is an entry that the attacker made.
type plant struct {
	name string // where it was put
	node node   // as it was when put there
	data string
	dir  bool

	locked bool // the attacker holds its locks
	heard  bool // he reads what is written to it
}

func (a *attacker) reset() {
	a.own, a.tampered, a.away, a.seen, a.made = map[id]*plant{}, map[id]string{}, map[id]string{}, map[string]bool{}, 0
	a.powers, a.mirrors, a.mirrored = map[string]powers{}, map[string]string{}, ""
}

// owns says that the attacker is the object's owner.
func (a *attacker) owns(n node) bool { return n.exists() && a.own[n.id] != nil }

// bits gives the permission bits that the attacker has on a node.
func (a *attacker) bits(n node) uint32 {
	b := n.perm & 7
	if a.sameGroup {
		b |= n.perm >> 3 & 7
	}
	if a.owns(n) {
		b = 7
	}
	return b
}

// look forgets what was known of the directories: the victim has acted.
func (a *attacker) look() { clear(a.powers) }

// inDir says what the attacker may do in a directory: list it, look names up,
// create names, and remove those of others.
func (a *attacker) inDir(dir string) (list, search, create, removeOthers bool) {
	p, ok := a.powers[dir]
	if !ok {
		p.list, p.search, p.create, p.removeOthers = a.lookIn(dir)
		a.powers[dir] = p
	}
	return p.list, p.search, p.create, p.removeOthers
}

func (a *attacker) lookIn(dir string) (list, search, create, removeOthers bool) {
	switch {
	case under(dir, dirAttic):
		d := a.disk.stat(dir).isDir() // a path can go on below a file of his
		return d, d, d, d
	case !under(dir, dirShared):
		return false, false, false, false // Home, the vault, and the scene's root
	}
	search = true
	for d := dir; ; d = path.Dir(d) {
		n := a.disk.stat(d)
		b := a.bits(n)
		if b&1 == 0 || !n.isDir() {
			return false, false, false, false
		}
		if d == dir {
			list, create = b&4 != 0, b&2 != 0
			removeOthers = create && (n.perm&0o1000 == 0 || a.owns(n))
		}
		if d == dirShared {
			return list, search, create, removeOthers
		}
	}
}

// see notes a name that exists where the attacker can list it, and reports
// whether it does.
func (a *attacker) see(acc access) bool {
	if !acc.node.exists() || acc.dir != dirShared && !under(acc.dir, dirShared) {
		return false
	}
	if acc.dir != dirShared { // which is open to all
		if list, search, _, _ := a.inDir(acc.dir); !list || !search {
			return false
		}
	}
	a.seen[acc.path()] = true
	return true
}

// knows reports whether the attacker knows a name: it has seen it, can foretell
// it, or can make it of one that it has seen.
func (a *attacker) knows(name string) bool {
	last := path.Base(name)
	return a.seen[name] || last == anyEntry || a.names.predictable(last) || a.derives(last)
}

// derives reports whether a name consists of one that the attacker has seen, or
// of that without its extension, and of what is the same in every run: seen.d,
// .seen, lock.seen, stem.log. Other ways to make one name of another are not
// looked for.
func (a *attacker) derives(name string) bool {
	p, ok := a.names.pattern(name)
	if !ok {
		return false
	}
	covers := func(part string) bool {
		i := strings.Index(name, part)
		return part != "" && i >= 0 && i <= len(p.prefix) && i+len(part) >= len(name)-len(p.suffix)
	}
	for at := range a.seen {
		if last := path.Base(at); covers(last) || covers(strings.TrimSuffix(last, path.Ext(last))) {
			return true
		}
	}
	return false
}

// reach judges one entry.
func (a *attacker) reach(acc access) reach {
	_, search, create, removeOthers := a.inDir(acc.dir)
	if !search {
		return reach{}
	}
	r := reach{names: a.knows(acc.path())}
	if !r.names {
		return r
	}
	if !acc.node.exists() {
		r.plant = create
		return r
	}
	r.theirs = a.owns(acc.node)
	r.replace = create && (removeOthers || r.theirs)
	r.tamper = acc.node.regular() && !r.theirs && a.bits(acc.node)&2 != 0
	return r
}

// make carries a move out and says what it did.
func (a *attacker) make(m move, b *boundary, acc access) (string, error) {
	dest := acc.path()
	defer a.look()
	switch m.family {
	case Remove:
		a.away[acc.node.id] = dest
		to := a.place("away")
		for _, p := range a.own {
			if under(p.name, dest) {
				p.name = to + p.name[len(dest):]
			}
		}
		return "renames " + pretty(dest) + " away", a.disk.rename(dest, to)
	case Tamper:
		a.tampered[acc.node.id] = dest
		if err := a.disk.write(dest, attackerData, 0); err != nil {
			return "", err
		}
		err := a.disk.age(dest)
		if err == nil {
			err = a.disk.watch(dest, a.disk.stat(dest))
		}
		return "writes into " + pretty(dest) + " (mode " + octal(acc.node.perm) + ")", err
	}
	if m.variant == variantEntries {
		return a.plantEntries(acc.dir, b)
	}
	src := a.place(string(m.family))
	clear(a.mirrors)
	a.mirrored = ""
	what, err := a.build(m, src, acc.path(), b)
	a.mirrors[""] = a.mirrored
	if err != nil {
		return "", fmt.Errorf("building %s: %w", m.name(), err)
	}
	if parent := a.disk.stat(acc.dir); a.owns(parent) {
		defer func() { _ = a.disk.age(acc.dir) }() // its own act is not the victim's
	}
	text := "plants " + what + " at " + pretty(dest)
	if acc.node.exists() {
		text = "replaces " + pretty(dest) + " by " + what
		if !a.owns(acc.node) {
			a.away[acc.node.id] = dest
		}
		err = a.disk.exchange(src, dest)
	} else {
		err = a.disk.rename(src, dest)
	}
	if err != nil {
		return "", err
	}
	for _, p := range a.own {
		switch {
		case under(p.name, dest) && acc.node.exists(): // what it exchanged lies in the attic now
			p.name = src + p.name[len(dest):]
		case under(p.name, src):
			p.name = dest + p.name[len(src):]
		}
	}
	return text, nil
}

func (a *attacker) place(what string) string {
	a.made++
	return dirAttic + "/" + what + strconv.Itoa(a.made)
}

// build makes the thing in the attic, which is to come to dest; putting it in
// place is then one atomic rename.
func (a *attacker) build(m move, src, dest string, b *boundary) (string, error) {
	switch m.family {
	case Symlink:
		target, what := vaultFile, "another user's file"
		switch m.variant {
		case "absent":
			target, what = vaultAbsent, "a name in another user's directory"
		case "dir":
			target, what = vaultDir, "another user's directory"
		case "mirror":
			target, what = a.mirrorFor(m.things()), "another user's directory"+existing(m.things())
			if err := a.mirror(target, m.things()); err != nil {
				return "", err
			}
			a.mirrored = target
		case "own":
			target, what = atticFile, "the attacker's file"
		case "owndir":
			target, what = atticDir, "the attacker's directory"
			if err := a.furnish(m, atticDir, atticDir, b); err != nil {
				return "", err
			}
			what += holding(m.things())
		}
		return "a symlink to " + pretty(target) + " (" + what + ")", a.put(src, "", a.disk.symlink(a.linkTo(target, path.Dir(dest), b), src))
	case Hardlink:
		return "a hard link to " + vaultFile + " (another user's file)", a.disk.link(vaultFile, src)
	case File:
		data := attackerData
		if b.loadsFrom(dest) {
			data = loaderProgram()
		}
		err := a.put(src, data, a.disk.write(src, data, attackerPerm))
		if m.variant == variantLocked {
			return "the attacker's file, which he holds the locks of,", errors.Join(err, a.lock(src))
		}
		return "the attacker's file", err
	case FIFO:
		err := a.put(src, "", a.disk.mkfifo(src))
		if m.variant == variantRead {
			err = errors.Join(err, a.listen(src))
			return "a FIFO that the attacker reads", err
		}
		return "a FIFO", err
	case Socket:
		return "a socket", a.put(src, "", a.disk.mksock(src))
	case Dir:
		err := a.disk.mkdir(src, 0o777)
		if err == nil {
			err = a.furnish(m, src, dest, b)
		}
		what := "the attacker's directory" + holding(m.things())
		err = a.put(src, "", err)
		if m.variant == variantLocked {
			what += ", which he holds the lock of,"
			err = errors.Join(err, a.lock(src))
		}
		return what, err
	}
	return "", fmt.Errorf("unknown move %s", m.family)
}

// furnish makes what a directory of the attacker's holds, and the directories
// above that. The directory is to come to dest.
func (a *attacker) furnish(m move, src, dest string, b *boundary) error {
	var made, many []string // directories, and those with many entries
	mkdir := func(at string) error {
		for i := 0; i <= len(at); i++ {
			if dir := src + "/" + at[:i]; i > 0 && (i == len(at) || at[i] == '/') && !a.disk.stat(dir).exists() {
				if err := a.disk.mkdir(dir, 0o777); err != nil {
					return err
				}
				made = append(made, dir)
			}
		}
		return nil
	}
	theirs := map[string][]thing{} // by the link that leads there
	for _, t := range m.things() {
		if link, rest, ok := below(theirs, t.at); ok {
			theirs[link] = append(theirs[link], thing{rest, t.kind})
		} else if t.kind == mirrored {
			theirs[t.at] = []thing{}
		}
	}
	for _, t := range m.things() {
		if _, _, ok := below(theirs, t.at); ok {
			continue
		}
		up, kind := path.Dir(t.at), t.kind
		if kind == string(Dir) {
			up = t.at
		}
		if up != "." {
			if err := mkdir(up); err != nil {
				return err
			}
		}
		if kind == string(Dir) {
			continue
		}
		if kind == entriesMove.name() {
			many = append(many, up)
			continue
		}
		family, variant, _ := strings.Cut(kind, "-")
		if _, err := a.build(move{family: Move(family), variant: variant, inside: insideString(theirs[t.at])}, src+"/"+t.at, dest+"/"+t.at, b); err != nil {
			return err
		}
		if kind == mirrored {
			a.mirrors[t.at] = a.mirrored
		}
	}
	for _, up := range many {
		if err := a.furnishEntries(path.Join(src, up), path.Join(dest, up), b); err != nil {
			return err
		}
	}
	for _, dir := range slices.Backward(made) {
		if err := a.put(dir, "", nil); err != nil {
			return err
		}
	}
	if src == atticDir {
		return errors.Join(a.disk.age(atticDir), a.disk.age(dirAttic))
	}
	return nil
}

// below finds the link of a list below which a name lies, and what follows it.
func below(links map[string][]thing, at string) (link, rest string, ok bool) {
	for i := range at {
		if _, found := links[at[:i]]; found && at[i] == '/' {
			return at[:i], at[i+1:], true
		}
	}
	return "", "", false
}

// holding says what a directory of the attacker's holds.
func holding(list []thing) string {
	names := map[string]string{
		"symlink-file": "a symlink to " + vaultFile, "symlink-absent": "a symlink to " + vaultAbsent, "symlink-dir": "a symlink to " + vaultDir,
		"symlink-own": "a symlink to " + atticFile, "hardlink": "a hard link to " + vaultFile, "file": "a file", "dir": "a directory",
		"fifo": "a FIFO", "fifo-read": "a FIFO that the attacker reads", "file-locked": "a file, which the attacker holds the locks of,", "socket": "a socket", entriesMove.name(): "many entries", mirrored: "a symlink to " + vaultMirror}
	var parts []string
	links := map[string][]thing{}
	for _, t := range list {
		if link, rest, ok := below(links, t.at); ok {
			links[link] = append(links[link], thing{rest, t.kind})
			continue
		}
		if t.kind == mirrored {
			links[t.at] = nil
		}
	}
	for _, t := range list {
		if _, _, ok := below(links, t.at); ok {
			continue
		}
		text := names[t.kind] + " at " + strconv.Quote(t.at)
		if theirs := links[t.at]; theirs != nil {
			text += " (another user's directory" + existing(theirs) + ")"
		}
		parts = append(parts, text)
	}
	if parts == nil {
		return ""
	}
	return ", with " + andList(parts)
}

// existing says what another user's directory holds.
func existing(list []thing) string {
	if len(list) == 0 {
		return ""
	}
	var parts []string
	for _, t := range list {
		text := strconv.Quote(t.at)
		switch t.kind {
		case "dir":
			text = "the directory " + text
		case "symlink-file":
			text = "the symlink " + text
		}
		parts = append(parts, text)
	}
	verb := "exists"
	if len(parts) > 1 {
		verb = "exist"
	}
	return ", where " + andList(parts) + " " + verb
}

func andList(parts []string) string {
	if n := len(parts) - 1; n > 0 {
		return strings.Join(parts[:n], ", ") + " and " + parts[n]
	}
	return parts[0]
}

// linkTo is what a symlink in dir has to contain to lead to target. It is
// absolute unless the victim has changed its root: then "/" is somewhere else,
// while ".." still leads out where the working directory was left outside.
func (a *attacker) linkTo(target, dir string, b *boundary) string {
	if !b.rooted {
		return a.disk.abs(target)
	}
	return strings.Repeat("../", strings.Count(dir, "/")+1) + target
}

// put makes a new thing old and notes it as the attacker's.
func (a *attacker) put(name, data string, err error) error {
	if err != nil {
		return err
	}
	_ = a.disk.stat(name) // so that the disk knows what its times are about
	if err := a.disk.age(name); err != nil {
		return err
	}
	n := a.disk.stat(name)
	a.own[n.id] = &plant{name: name, node: n, data: data, dir: n.isDir()}
	return a.disk.watch(name, n)
}

// lock takes the locks of what was just made.
func (a *attacker) lock(name string) error {
	a.own[a.disk.stat(name).id].locked = true
	return a.disk.lock(name)
}

// listen begins to read a FIFO that was just made.
func (a *attacker) listen(name string) error {
	a.own[a.disk.stat(name).id].heard = true
	return a.disk.listen(name)
}

// mirrorFor is the place of a protected directory that can have what is listed:
// that of an earlier move of this run, unless it has another kind of thing there.
func (a *attacker) mirrorFor(list []thing) string {
	dir := vaultMirror
	for i := 2; slices.ContainsFunc(list, func(t thing) bool { return a.clashes(dir, t) }); i++ {
		dir = vaultMirror + strconv.Itoa(i)
	}
	return dir
}

func (a *attacker) clashes(dir string, t thing) bool {
	for i, c := range []byte(t.at) {
		if n := a.disk.stat(dir + "/" + t.at[:i]); c == '/' && n.exists() && !n.isDir() {
			return true
		}
	}
	n := a.disk.stat(dir + "/" + t.at)
	return n.exists() && n.isDir() != (t.kind == "dir") || n.isLink() != (t.kind == "symlink-file") && n.exists()
}

// mirrorsNow are the directories of another user's to which the last move leads.
func (a *attacker) mirrorsNow() []string {
	all := slices.DeleteFunc(slices.Sorted(maps.Values(a.mirrors)), func(dir string) bool { return dir == "" })
	return slices.Compact(all)
}

// mirror makes a protected directory that has what the victim looks for below
// the entry that leads there.
func (a *attacker) mirror(dir string, list []thing) error {
	var made []string
	add := func(at string, make func() error) error {
		if a.disk.stat(at).exists() { // from an earlier move of this run
			return nil
		}
		made = append(made, at)
		return make()
	}
	mkdir := func(at string) error {
		return add(at, func() error { return a.disk.mkdir(at, 0o705) })
	}
	err := mkdir(dir)
	for _, t := range list {
		for i, c := range []byte(t.at) {
			if c == '/' && err == nil {
				err = mkdir(dir + "/" + t.at[:i])
			}
		}
		at := dir + "/" + t.at
		switch {
		case err != nil:
		case t.kind == entriesMove.name():
			for _, e := range a.names.entries {
				at := path.Join(path.Dir(at), e.name)
				switch {
				case err != nil:
				case e.kind == "dir":
					err = mkdir(at)
				case e.kind == "file":
					err = add(at, func() error { return a.disk.write(at, canaryData, 0o604) })
				}
			}
		case t.kind == "dir":
			err = mkdir(at)
		case t.kind == "file":
			err = add(at, func() error { return a.disk.write(at, canaryData, 0o604) })
		default:
			err = add(at, func() error { return a.disk.symlink(a.disk.abs(vaultFile), at) })
		}
	}
	for _, at := range slices.Backward(made) {
		if err == nil {
			err = errors.Join(a.disk.age(at), a.disk.age(path.Dir(at))) // its own act is not the victim's
		}
	}
	return err
}

func octal(perm uint32) string { return fmt.Sprintf("%04o", perm) }
