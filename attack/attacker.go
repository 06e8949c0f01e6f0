package attack

import (
	"fmt"
	"path"
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
}

// powers are what the attacker may do in a directory.
type powers struct{ list, search, create, removeOthers bool }

// plant is an entry that the attacker made.
type plant struct {
	name string // where it was put
	node node   // as it was when put there
	data string
	dir  bool
}

func (a *attacker) reset() {
	a.own, a.tampered, a.away, a.seen, a.made = map[id]*plant{}, map[id]string{}, map[id]string{}, map[string]bool{}, 0
	a.powers = map[string]powers{}
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

// see notes a name that exists where the attacker can list it.
func (a *attacker) see(acc access) {
	if !acc.node.exists() || acc.dir != dirShared && !under(acc.dir, dirShared) {
		return
	}
	if acc.dir != dirShared { // which is open to all
		if list, search, _, _ := a.inDir(acc.dir); !list || !search {
			return
		}
	}
	a.seen[acc.path()] = true
}

// reach judges one entry.
func (a *attacker) reach(acc access) reach {
	_, search, create, removeOthers := a.inDir(acc.dir)
	if !search {
		return reach{}
	}
	r := reach{names: a.seen[acc.path()] || a.names.predictable(acc.name)}
	if !r.names {
		return r
	}
	if !acc.node.exists() {
		r.plant = create
		return r
	}
	r.replace = create && (removeOthers || a.owns(acc.node))
	r.tamper = acc.node.regular() && !a.owns(acc.node) && a.bits(acc.node)&2 != 0
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
	src := a.place(string(m.family))
	what, err := a.build(m, src, b, acc)
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

// build makes the thing in the attic; putting it in place is then one atomic
// rename.
func (a *attacker) build(m move, src string, b *boundary, acc access) (string, error) {
	switch m.family {
	case Symlink:
		target, what := vaultFile, "another user's file"
		switch m.variant {
		case "absent":
			target, what = vaultAbsent, "a name in another user's directory"
		case "dir":
			target, what = vaultDir, "another user's directory"
		case "mirror":
			next, n := nextName(b, acc)
			if err := a.mirror(next, n.isDir()); err != nil {
				return "", err
			}
			target, what = vaultMirror, "another user's directory, where "+strconv.Quote(next)+" exists"
		case "own":
			target, what = atticFile, "the attacker's file"
		case "owndir":
			target, what = atticDir, "the attacker's directory"
		}
		return "a symlink to " + pretty(target) + " (" + what + ")", a.put(src, "", a.disk.symlink(a.linkTo(target, acc.dir, b), src))
	case Hardlink:
		return "a hard link to " + vaultFile + " (another user's file)", a.disk.link(vaultFile, src)
	case File:
		return "the attacker's file", a.put(src, attackerData, a.disk.write(src, attackerData, attackerPerm))
	case FIFO:
		return "a FIFO", a.put(src, "", a.disk.mkfifo(src))
	case Socket:
		return "a socket", a.put(src, "", a.disk.mksock(src))
	case Dir:
		if err := a.disk.mkdir(src, 0o777); err != nil {
			return "", err
		}
		what := "the attacker's directory"
		next, _ := nextName(b, acc)
		switch m.variant {
		case "link":
			what += ", with a symlink to " + vaultFile + " at " + strconv.Quote(next)
			if err := a.put(src+"/"+next, "", a.disk.symlink(a.linkTo(vaultFile, acc.path(), b), src+"/"+next)); err != nil {
				return "", err
			}
		case "file":
			what += ", with a file at " + strconv.Quote(next)
			if err := a.put(src+"/"+next, attackerData, a.disk.write(src+"/"+next, attackerData, attackerPerm)); err != nil {
				return "", err
			}
		}
		return what, a.put(src, "", nil)
	}
	return "", fmt.Errorf("unknown move %s", m.family)
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

// mirror makes a protected directory that has the name which the victim will
// use below the swapped one.
func (a *attacker) mirror(next string, dir bool) error {
	if !a.disk.stat(vaultMirror).exists() { // from an earlier move of this run
		if err := a.disk.mkdir(vaultMirror, 0o705); err != nil {
			return err
		}
	}
	var err error
	at := vaultMirror + "/" + next
	switch {
	case a.disk.stat(at).exists():
	case dir:
		err = a.disk.mkdir(at, 0o705)
	default:
		err = a.disk.write(at, canaryData, 0o604)
	}
	if err == nil {
		err = a.disk.age(at)
	}
	if err == nil {
		err = a.disk.age(vaultMirror)
	}
	if err == nil {
		err = a.disk.age(dirVault) // its own act is not the victim's
	}
	return err
}

// nextName is the name that the victim looks up below an entry.
func nextName(b *boundary, acc access) (string, node) {
	for _, l := range b.lookups {
		for i, s := range l.steps {
			if s.path() == acc.path() && i+1 < len(l.steps) {
				return l.steps[i+1].name, l.steps[i+1].node
			}
		}
	}
	return "kept", node{}
}

func octal(perm uint32) string { return fmt.Sprintf("%04o", perm) }
