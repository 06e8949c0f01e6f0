package attack

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/tmpproof/tmpproof/internal/leftover"
	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/tmptest"
)

// guard holds the canaries: entries that nothing may touch. They bear odd
// modes and times of long ago, so that a chmod, chown or utimes through a
// link shows, and so does a read, by the access time.
type guard struct {
	disk    disk
	want    map[string]node
	lists   map[string][]string
	touched bool // something differs: the scene must be built anew
	coarse  bool // how far a write of another goroutine or program has come is chance
	told    map[string]bool
	chowned map[string]bool // by calls whose effect cannot be seen: to the owner it has
	// standing is what every scene has, kept from run to run.
	standing *snapshot
	shares   bool // want and lists are standing's own
}

// snapshot is how canaries should be.
type snapshot struct {
	want  map[string]node
	lists map[string][]string
}

func newGuard(d disk, standing *snapshot) *guard {
	g := &guard{disk: d, told: map[string]bool{}, chowned: map[string]bool{}, standing: standing}
	if standing != nil {
		g.want, g.lists, g.shares = standing.want, standing.lists, true
	} else {
		g.want, g.lists = map[string]node{}, map[string][]string{}
	}
	return g
}

func (g *guard) snapshot() *snapshot { return &snapshot{maps.Clone(g.want), maps.Clone(g.lists)} }

// watch takes entries as they are now for what they should be. Directories
// are watched with all that is in them.
func (g *guard) watch(names ...string) {
	if g.shares {
		g.want, g.lists, g.shares = maps.Clone(g.want), maps.Clone(g.lists), false
	}
	for _, name := range names {
		n := g.disk.stat(name)
		g.want[name] = n
		if name == "." {
			g.lists[name], _ = g.disk.list(name)
		}
		if n.isDir() && under(name, dirVault) || n.isDir() && under(name, dirHome) {
			list, _ := g.disk.list(name)
			g.lists[name] = list
			for _, e := range list {
				if at := path.Join(name, e); g.want[at].id == (id{}) {
					g.watch(at)
				}
			}
		}
	}
}

// check compares each canary with what it was. Writing and the like is damage
// at once; reading is only noted, since it is damage only if the victim then
// reports success.
func (g *guard) check() (changed, read []damage) {
	for name, want := range g.want {
		got := g.disk.stat(name)
		if got == want && !g.chowned[name] {
			continue
		}
		g.touched = true
		if text := g.difference(name, want, got); text != "" {
			if !g.told[name] {
				g.told[name] = true
				changed = append(changed, damage{name, text})
			}
			continue
		}
		if !g.told["r"+name] && name != "." {
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
func (g *guard) difference(name string, want, got node) string {
	var d []string
	say := func(format string, args ...any) { d = append(d, fmt.Sprintf(format, args...)) }
	switch {
	case !got.exists():
		return "was removed"
	case got.id != want.id:
		return "was replaced by another " + got.kindName()
	}
	told := want.regular() && (got.size != want.size || g.coarse && got.mtime != want.mtime)
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
	if got.mtime != want.mtime {
		if want.isDir() {
			if now, err := g.disk.list(name); err == nil {
				added, gone := diff(g.lists[name], now)
				for _, e := range added {
					say("%q appeared in it", e)
				}
				for _, e := range gone {
					say("%q disappeared from it", e)
				}
			}
			if len(d) == 0 {
				say("its entries or times were changed")
			}
		} else if !told {
			say("its content or times were changed")
		}
	}
	return strings.Join(d, ", ")
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

// fact is one broken rule in one run, before findings are grouped.
type fact struct {
	rule    tmptest.Rule
	exploit bool
	path    string // the object
	name    string // the victim's name for it
	step    int    // index into the trace, -1 for the end of the run
	text    string
}

// judgePlants looks at what became of the attacker's entries.
func (r *run) judgePlants() {
	for oid, p := range r.attacker.own {
		name := p.name
		if r.scene.hostile[oid] {
			continue // not planted in this run: it is the attacker's input
		}
		n, at := r.find(oid, name)
		if !n.exists() {
			continue
		}
		r.judgePlant(p, n, at)
	}
	for oid, name := range r.attacker.tampered {
		n, at := r.find(oid, name)
		if n.exists() && n.atime != oldTime && r.outcome.success() && !r.hostileName(name) {
			r.fact(fact{rule: tmptest.X03, exploit: true, path: at, name: name, step: r.opened(name, forReading),
				text: "the content that the attacker wrote into " + pretty(name) + " was read, and the code reported success"})
		}
	}
}

// judgeGoing looks at a file of the attacker's, or of its content, that the
// call at hand takes away: at the end of the run there is nothing to be seen
// of its having been read.
func (r *run) judgeGoing(s *step) {
	if s.kind != supervise.Unlink && s.kind != supervise.Rename || len(s.lookups) == 0 {
		return
	}
	a, ok := s.lookups[len(s.lookups)-1].final() // of a rename, what stands at the new name
	if !ok || !a.node.regular() {
		return
	}
	name, was := r.nameAt(a.path()), oldTime
	text := "the content that the attacker wrote into " + pretty(name) + " was read"
	if r.attacker.tampered[a.node.id] == "" {
		p := r.attacker.own[a.node.id]
		if p == nil || r.scene.hostile[a.node.id] {
			return
		}
		was, text = p.node.atime, "the attacker's content was read"
	}
	if n := r.disk.stat(a.path()); n.id == a.node.id && n.atime != was && !r.hostileName(name) && !r.timed(name) {
		r.reads = append(r.reads, fact{rule: tmptest.X03, exploit: true, path: a.path(), name: name, step: r.opened(name, forReading),
			text: text + " before " + s.call + " took it away, and the code reported success"})
	}
}

// hostileName says that a name is the attacker's own to begin with: reading
// there is what the code is for.
func (r *run) hostileName(name string) bool {
	for dir := path.Dir(name); dir != "." && dir != "/" && len(r.scene.hostile) > 0; dir = path.Dir(dir) {
		if r.scene.hostile[r.disk.stat(dir).id] {
			return true // wherever it was moved
		}
	}
	return slices.ContainsFunc(r.plan.opt.hostile, func(h string) bool { return under(name, dirShared+"/"+h) })
}

// timed says that the victim may have set an entry's times itself, which then
// tell nothing of reading.
func (r *run) timed(name string) bool {
	return slices.ContainsFunc(r.steps, func(s *step) bool {
		return s.kind == supervise.Attr && (s.object == name || slices.ContainsFunc(s.accesses(), func(a access) bool { return a.path() == name }))
	})
}

func (r *run) judgePlant(p *plant, n node, at string) {
	name := p.name
	victimName := r.nameAt(name)
	input := r.hostileName(victimName)
	switch {
	case under(at, dirHome) && r.outcome.success():
		r.fact(fact{rule: tmptest.X03, exploit: true, path: at, name: victimName, step: r.maker(at),
			text: "the attacker's " + n.kindName() + " was put at " + pretty(at) + ", and the code reported success"})
	case p.dir:
		called := victimName
		if !r.listed(called) {
			called = at // moved first
		}
		if !input && n.atime != p.node.atime && r.outcome.success() && r.listed(called) && !r.timed(victimName) {
			r.fact(fact{rule: tmptest.X03, exploit: true, path: at, name: victimName, step: r.lastUse(called),
				text: "the attacker's directory was listed, and the code reported success"})
		}
	case n.regular():
		if n.size != p.node.size || n.mtime != p.node.mtime {
			if r.wrote(at, p.data) > 0 {
				r.fact(fact{rule: tmptest.X04, exploit: true, path: at, name: victimName, step: r.opened(victimName, forWriting),
					text: leftover.Count(int(n.size), "byte was", "bytes were") + " written to the attacker's file"})
			}
		} else if !input && n.atime != p.node.atime && r.outcome.success() {
			step, what := r.opened(victimName, forReading), "content was read"
			if step >= 0 && r.steps[step].kind == supervise.Exec {
				what = "program was run"
			}
			r.fact(fact{rule: tmptest.X03, exploit: true, path: at, name: victimName, step: step, text: "the attacker's " + what + ", and the code reported success"})
		}
	}
}
