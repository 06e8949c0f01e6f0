package attack

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"sort"
	"strings"
	"time"
)

// guard holds the canaries: entries that nothing may touch. They are compared
// by all that the kernel tells of them, and by what it tells was done to them:
// a mode that is set to what it is changes nothing, and is a change.
type guard struct {
	disk    disk
	want    map[string]node
	lists   map[string][]string
	extras  map[string]map[string]string
	touched bool // something differs: the scene must be built anew
	coarse  bool // how far a write of another goroutine or program has come is chance
	loose   bool // the attacker acts at the same time: what links to a canary say of it is chance
	told    map[string]bool
	chowned map[string]bool // by calls whose effect cannot be seen: to the owner it has
	timed   map[string]bool // by calls that set times
	began   time.Time       // what the attacker does to them is over
	// standing is what every scene has, kept from run to run.
	standing *snapshot
	shares   bool // want, lists and extras are standing's own
	moved    bool // links to them came or went: they stand otherwise in the next run
}

// snapshot is how canaries should be.
type snapshot struct {
	want   map[string]node
	lists  map[string][]string
	extras map[string]map[string]string
}

func newGuard(d disk, standing *snapshot) *guard {
	g := &guard{disk: d, told: map[string]bool{}, chowned: map[string]bool{}, timed: map[string]bool{}, standing: standing}
	if standing != nil {
		g.want, g.lists, g.extras, g.shares = standing.want, standing.lists, standing.extras, true
	} else {
		g.want, g.lists, g.extras = map[string]node{}, map[string][]string{}, map[string]map[string]string{}
	}
	return g
}

func (g *guard) snapshot() *snapshot {
	return &snapshot{maps.Clone(g.want), maps.Clone(g.lists), maps.Clone(g.extras)}
}

// begin takes the canaries that stand since an earlier run.
func (g *guard) begin() error {
	g.began = time.Now()
	for name, n := range g.want {
		if err := g.disk.watch(name, n); err != nil {
			return err
		}
	}
	return nil
}

func (g *guard) unshare() {
	if s := g.snapshot(); g.shares {
		g.want, g.lists, g.extras, g.shares = s.want, s.lists, s.extras, false
	}
}

// watch takes entries as they are now for what they should be. Directories
// are watched with all that is in them.
func (g *guard) watch(names ...string) error {
	g.unshare()
	g.began = time.Now()
	for _, name := range names {
		n := g.disk.stat(name)
		if err := g.disk.watch(name, n); err != nil {
			return err
		}
		g.want[name], g.extras[name] = n, g.disk.extras(name)
		g.disk.setTouched(n.id, 0)
		if name == "." {
			g.lists[name], _ = g.disk.list(name)
		}
		if n.isDir() && under(name, dirVault) || n.isDir() && under(name, dirHome) {
			list, _ := g.disk.list(name)
			g.lists[name] = list
			for _, e := range list {
				if at := path.Join(name, e); g.want[at].id == (id{}) {
					if err := g.watch(at); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// relink takes the number of links to a canary as it is now, and the change
// time that goes with it: a link to it came, was moved or went, as the attacker
// made it and as anybody may remove it. A victim does not add to them.
func (g *guard) relink(name string, more bool) {
	got := g.disk.stat(name)
	if w := g.want[name]; got.id != w.id || got.nlink > w.nlink && !more {
		return
	}
	g.unshare()
	g.moved, g.began = true, time.Now()
	w := g.want[name]
	w.nlink, w.ctime = got.nlink, got.ctime
	g.want[name] = w
	g.disk.setTouched(w.id, g.disk.touched(w.id)&^wasSet)
}

// check compares each canary with what it was. Writing and the like is damage
// at once; reading is only noted, since it is damage only if the victim then
// reports success.
func (g *guard) check() (changed, read []damage) {
	for name, want := range g.want {
		got, t := g.disk.stat(name), g.disk.touched(want.id)
		if g.loose {
			got.ctime, got.nlink, t = want.ctime, want.nlink, t&^wasSet
		}
		if got == want && t == 0 && !g.chowned[name] && (!g.loose && !young(want, g.began) || maps.Equal(g.disk.extras(name), g.extras[name])) {
			continue
		}
		if !got.exists() && g.hidden(name) {
			continue
		}
		if text := g.difference(name, want, got, t); text != "" {
			g.touched = true
			if !g.told[name] {
				g.told[name] = true
				changed = append(changed, damage{name, text})
			}
			continue
		}
		if t&wasRead != 0 && !g.told["r"+name] && name != "." {
			g.told["r"+name] = true
			what := "was read"
			if want.isDir() {
				what = "was listed"
			}
			read = append(read, damage{name, what})
		}
	}
	byPath := func(a, b damage) int { return strings.Compare(a.path, b.path) }
	slices.SortFunc(changed, byPath)
	slices.SortFunc(read, byPath)
	return changed, read
}

// hidden reports whether the directory of a canary was closed to whoever looks:
// that is the damage, and what is in it may be as it was.
func (g *guard) hidden(name string) bool {
	dir := path.Dir(name)
	_, canary := g.want[dir]
	return canary && name != dir && g.disk.stat(dir).isDir() && g.disk.stat(dir).perm&0o100 == 0
}

// clockTick is more than the coarsest step of a file system's clock: what
// changes an object later than that moves its ctime. What comes sooner may not.
const clockTick = 20 * time.Millisecond

// young reports whether the change time of an object that was looked at at a
// moment may hide a change which came after it.
func young(n node, at time.Time) bool { return at.UnixNano()-n.ctime < int64(clockTick) }

// canary is the name of a canary that a node is; empty for none.
func (g *guard) canary(n node) string {
	for name, c := range g.want {
		if n.exists() && c.id == n.id {
			return name
		}
	}
	return ""
}

// difference describes what happened to a canary, empty for a mere read.
func (g *guard) difference(name string, want, got node, t touch) string {
	switch {
	case !got.exists():
		return "was removed"
	case got.id != want.id:
		return "was replaced by another " + got.kindName()
	}
	var d []string
	say := func(format string, args ...any) { d = append(d, fmt.Sprintf(format, args...)) }
	told := want.regular() && (got.size != want.size || g.coarse && (got.mtime != want.mtime || t&wasWritten != 0))
	switch {
	case told && g.coarse:
		say("its content was changed")
	case told:
		say("its size went from %d to %d", want.size, got.size)
	}
	if got.perm != want.perm {
		say("its mode went from %s to %s", octal(want.perm), octal(got.perm))
	}
	if got.uid != want.uid || got.gid != want.gid || g.chowned[name] {
		say("its owner changed")
	}
	d = append(d, extrasDiffer(g.extras[name], g.disk.extras(name))...)
	switch {
	case want.isDir():
		if got.mtime != want.mtime {
			g.entriesDiffer(name, say)
			if len(d) == 0 {
				say("its entries or times were changed")
			}
		}
	case got.nlink != want.nlink:
		say("the number of its links went from %d to %d", want.nlink, got.nlink)
	}
	if want.regular() && !told && (got.mtime != want.mtime || t&wasWritten != 0) {
		say("its content or times were changed")
	}
	switch {
	case len(d) > 0 || got.ctime == want.ctime && got.flags == want.flags && t&(wasWritten|wasSet) == 0:
	case g.timed[name]:
		say("its times were set")
	default:
		say("its attributes were set, to the values that they had")
	}
	return strings.Join(d, ", ")
}

// entriesDiffer says what came into a directory and what went.
func (g *guard) entriesDiffer(name string, say func(string, ...any)) {
	now, err := g.disk.list(name)
	if err != nil {
		return
	}
	added, gone := diff(g.lists[name], now)
	for _, e := range added {
		say("%q appeared in it", e)
	}
	for _, e := range gone {
		say("%q disappeared from it", e)
	}
}

// extrasDiffer says which extended attributes and the like are others.
func extrasDiffer(want, got map[string]string) (d []string) {
	keys := map[string]string{}
	maps.Copy(keys, want)
	maps.Copy(keys, got)
	for _, key := range sortedKeys(keys) {
		if w, ok := want[key]; ok {
			if g, ok := got[key]; ok && w == g {
				continue
			}
		}
		what := "its extended attribute " + printable(key)
		switch key {
		case "system.posix_acl_access":
			what = "its access control list"
		case "system.posix_acl_default":
			what = "its default access control list"
		case "security.capability":
			what = "its capabilities"
		case flagsExtra:
			what = "its inode flags (chattr)"
		}
		verb := " changed"
		if what == "its capabilities" || strings.HasPrefix(what, "its inode flags") {
			verb = " were changed"
		} else {
			verb = " was" + verb
		}
		d = append(d, what+verb)
	}
	return d
}

func diff(before, after []string) (added, gone []string) {
	for _, e := range after {
		if !slices.Contains(before, e) {
			added = append(added, e)
		}
	}
	for _, e := range before {
		if !slices.Contains(after, e) {
			gone = append(gone, e)
		}
	}
	sort.Strings(added)
	sort.Strings(gone)
	return added, gone
}
