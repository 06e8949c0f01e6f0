package attack

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/tmpproof/tmpproof/internal/supervise"
)

// Code that lists a directory goes on with the names that it finds. Where
// others may make names there, and in a directory of the attacker's, he chooses
// them, and the code says which it takes: by an ending, a pattern, a kind. So
// it is asked: a schedule of its own puts many entries in the directory, of
// which nothing is judged. What the code then does with some of them is known, as
// what any run shows, and each kind of thing is tried at such a name alone, by one
// act before the call that opens the directory.

const (
	variantEntries = "entries" // of File: many entries
	anyEntry       = "+"       // stands for their names
)

// entriesMove is no part of lastPlants.
var entriesMove = move{family: File, variant: variantEntries}

// entry is one of the many.
type entry struct{ name, kind string }

// usualEndings are those that code looks for in a directory that others can
// write: of its work, of what it keeps, of what it is told.
var usualEndings = []string{"", ".tmp", ".temp", ".json", ".log", ".txt", ".lock", ".pid", ".bak", ".old", ".new", ".orig", ".part", ".swp",
	".conf", ".cfg", ".ini", ".env", ".yaml", ".yml", ".toml", ".xml", ".csv", ".tsv", ".sql", ".db", ".sqlite", ".sock", ".socket",
	".go", ".c", ".py", ".sh", ".js", ".so", ".html", ".md", ".tmpl", ".gz", ".zip", ".tar", ".tgz", ".pem", ".key", ".crt",
	".dat", ".data", ".bin", ".out", ".err", ".msg", ".eml", ".job", ".task", ".cache", ".state", ".session", ".service", ".png", ".jpg", ".pdf", ".d"}

// entryKinds are the kinds of the many, each under names of its own.
var entryKinds = []string{"file", "dir", "symlink-own"}

// maxEntriesLike bounds the names of the code's to which there are like ones, and
// maxTaken the ways in which code takes entries.
const (
	maxEntriesLike = 24
	maxTaken       = 16
)

// learnEntries chooses the names: with each ending, and like those that the code
// uses itself.
func (n *names) learnEntries(used []string) {
	n.entries, n.isEntry = nil, map[string]bool{}
	add := func(called func(i int) string) {
		for i, kind := range entryKinds {
			name := called(i + 1)
			if _, other := n.pattern(name); n.isEntry[name] || n.fixed[name] || other && !n.isChance(name) || slices.Contains(used, name) {
				continue
			}
			n.entries = append(n.entries, entry{name, kind})
		}
		for _, e := range n.entries {
			n.isEntry[e.name] = true
		}
	}
	for _, ending := range usualEndings {
		add(func(i int) string { return strconv.Itoa(i) + ending })
	}
	add(func(i int) string { return "entry" + strings.Repeat("s", i-1) })
	add(func(i int) string { return "." + strconv.Itoa(i) })
	slices.Sort(used)
	for _, name := range slices.Compact(used)[:min(len(slices.Compact(used)), maxEntriesLike)] {
		if p, ok := n.pattern(name); ok {
			add(p.another)
			continue
		}
		ext := path.Ext(name)
		add(func(i int) string { return strings.TrimSuffix(name, ext) + strconv.Itoa(i) + ext })
	}
}

// isChance reports whether a name looks like one that chance makes: the attacker
// can choose one of its kind.
func (n *names) isChance(name string) bool {
	p, ok := n.pattern(name)
	return ok && p.why == "" && !p.few
}

// another is a name of a pattern, the same in each run although chance is not.
func (p pattern) another(i int) string {
	lengths := []int{9, 10, 8}
	for length := max(p.min, 1); length <= p.max+1; length++ {
		lengths = append(lengths, length)
	}
	for _, filling := range []string{"1", "a", "A"} {
		for _, length := range lengths {
			star := strings.Repeat(filling, length)
			if filling == "1" {
				star = star[:length-1] + strconv.Itoa(i)
			} else {
				star = star[:length-1] + string(filling[0]+byte(i))
			}
			if name := p.prefix + star + p.suffix; p.match(name) {
				return name
			}
		}
	}
	return p.prefix + strconv.Itoa(i) + p.suffix
}

// lists gives the directory that a call opens, and can list then.
func (b *boundary) lists(d disk) (dir string, ok bool) {
	if b.kind != supervise.Open || !b.read || b.create || len(b.lookups) == 0 {
		return "", false
	}
	l := b.lookups[0]
	if a, ok := l.final(); ok {
		return a.path(), a.node.isDir()
	}
	return l.given, len(l.steps) == 0 && under(l.given, dirShared) && d.stat(l.given).isDir()
}

// entryIn is a name that the attacker chooses in the directory that a call opens.
func (r *run) entryIn(b *boundary, name string) (access, bool) {
	dir, ok := b.lists(r.disk)
	if !ok || name != anyEntry && !r.plan.names.isEntry[name] {
		return access{}, false
	}
	return access{dir: dir, name: name, node: r.disk.stat(dir + "/" + name), last: true}, true
}

// noteListed notes the directory that the call at hand opens, and whether the
// attacker may make names in it. What he has put there himself is furnished
// before.
func (r *run) noteListed(b *boundary, s *step) {
	a, ok := r.entryIn(b, anyEntry)
	if !ok {
		return
	}
	_, _, ours := r.inBase(a.path())
	s.listed, s.open = a.dir, !ours && r.extends() && r.attacker.reach(a).plant
}

// asks says that a schedule is there to see which entries the code takes.
func (m move) asks() bool {
	return m.variant == variantEntries || slices.ContainsFunc(m.things(), func(t thing) bool { return t.kind == entriesMove.name() })
}

// asking says that a run is of such a schedule.
func (r *run) asking() bool { n := len(r.schedule); return n > 0 && r.schedule[n-1].move.asks() }

// plantEntries puts the many entries in a directory.
func (a *attacker) plantEntries(dir string, b *boundary) (string, error) {
	for _, e := range a.names.entries {
		at := dir + "/" + e.name
		if a.disk.stat(at).exists() {
			continue
		}
		src := a.place("entry")
		if err := errors.Join(a.buildEntry(e, src, at, b), a.disk.rename(src, at)); err != nil {
			return "", err
		}
		for _, p := range a.own {
			if under(p.name, src) {
				p.name = at + p.name[len(src):]
			}
		}
	}
	return "plants files, directories and links in " + pretty(dir), nil
}

func (a *attacker) buildEntry(e entry, src, dest string, b *boundary) error {
	family, variant, _ := strings.Cut(e.kind, "-")
	_, err := a.build(move{family: Move(family), variant: variant}, src, dest, b)
	return err
}

// furnishEntries makes the many in a directory that he builds, but for what is
// there already.
func (a *attacker) furnishEntries(dir, dest string, b *boundary) error {
	for _, e := range a.names.entries {
		if at := dir + "/" + e.name; !a.disk.stat(at).exists() {
			if err := a.buildEntry(e, at, dest+"/"+e.name, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// taken is a way in which the code takes entries: the first name that it takes
// so, and what it does there.
type taken struct {
	access
	rel   string // in the directory of the move that the entry lies in
	way   way
	kinds []string // that its calls tell apart where a path ends there
}

// takes are the entries that the code took, one for each way.
func (r *run) takes(inDir func(a access) (rel string, ok bool)) (all []taken) {
	ways, by := map[string]string{}, map[string]*taken{}
	at, _ := r.madeAt()
	for _, s := range r.steps[max(at, 0):] {
		for _, a := range s.accesses() {
			rel, ok := inDir(a)
			if !ok || !r.plan.names.isEntry[a.name] {
				continue
			}
			t := by[rel]
			if t == nil {
				t = &taken{access: access{dir: a.dir, name: a.name}, rel: rel}
				by[rel] = t
			}
			t.last, t.parent = t.last || a.last, t.parent || a.parent
			if a.last {
				t.kinds = append(t.kinds, s.endUse(a.path()).kinds()...)
			}
			if on := s.way(a); a.parent && t.way.names == "" {
				t.way = on.knownPart(a.path(), r.attacker.knows)
			}
			how := s.call + s.line
			for _, is := range []bool{a.last, a.parent, s.write, s.create, s.trunc} {
				how += strconv.FormatBool(is)[:1]
			}
			if !strings.Contains(ways[rel], how) { // once, however often
				ways[rel] += how + " "
			}
		}
	}
	told := map[string]bool{}
	for _, rel := range sortedKeys(by) {
		if !told[ways[rel]] {
			told[ways[rel]] = true
			all = append(all, *by[rel])
		}
	}
	return all
}

// askEntries adds the schedules that ask which entries the code takes from the
// directories into which the attacker has led it.
func (s *search) askEntries(r *run, schedule []placed, k *root) {
	times := map[string]int{}
	for _, st := range r.steps {
		site := st.call + "@" + st.line + " " + st.key.shape
		times[site]++
		in, rel, ok := r.inBase(st.listed + "/" + anyEntry)
		if !ok || st.listed == "" || in.move < len(schedule)-1 {
			continue
		}
		list := schedule[in.move].move.things()
		chosen := func(at string) bool {
			return slices.ContainsFunc(strings.Split(at, "/"), func(name string) bool { return r.plan.names.isEntry[name] })
		}
		if chosen(rel) || slices.ContainsFunc(list, func(t thing) bool { return chosen(t.at) }) {
			continue // this is an answer: one level is asked for
		}
		// Once for each call as often as it comes, after each of the moves before,
		// at the first boundary; beside what leads there and what the code may want
		// to find before it lists, in its plainest form.
		if slices.ContainsFunc(list, func(t thing) bool { return t.kind != "file" && !under(rel, t.at) }) {
			continue
		}
		if call := fmt.Sprint(scheduleString(schedule[:in.move]), " ", site, times[site], " ", rel); !s.asked[call] {
			s.asked[call] = true
			s.change(r, schedule, k, in.move, with(list, thing{rel, entriesMove.name()}))
		}
	}
}

// answer takes in what a run shows that asked: each kind of thing is tried at the
// names that the code took.
func (s *search) answer(r *run, schedule []placed) {
	last := len(schedule) - 1
	p := schedule[last]
	var all []taken
	if p.move.variant == variantEntries {
		all = r.takes(func(a access) (string, bool) {
			return a.name, r.plan.names.shape(a.dir)+"/"+anyEntry == p.move.target
		})
	} else {
		all = r.takes(func(a access) (string, bool) {
			in, rel, ok := r.inBase(a.path())
			return rel, ok && in.move == last
		})
	}
	if len(all) > maxTaken {
		s.e.problem("the code uses what it finds in a directory that others can write in more than %d ways, of which the others were not tried: %s", maxTaken, pretty(p.move.target))
		all = all[:maxTaken]
	}
	for _, t := range all {
		if p.move.variant != variantEntries {
			s.answerBelow(r, schedule, t)
			continue
		}
		for _, m := range moves(t.access, reach{plant: true, names: true, ways: []way{t.way}}, s.e.opt.allows) {
			if t.last && !t.parent && !slices.Contains(t.kinds, m.name()) {
				continue
			}
			m = r.shaped(m)
			next := slices.Clone(schedule)
			next[last].move = m
			if k := scheduleString(next); !s.uses[k] {
				s.uses[k] = true
				s.refined(r, schedule, last, m)
			}
		}
	}
}

// answerBelow is the part for a directory that the attacker has put there.
func (s *search) answerBelow(r *run, schedule []placed, t taken) {
	k, _ := s.rootOf(schedule)
	last := len(schedule) - 1
	m := schedule[last].move
	list := slices.DeleteFunc(m.things(), func(t thing) bool { return t.kind == entriesMove.name() })
	w := want{move: last, way: way{names: t.rel}, from: len(t.rel)}
	if t.last {
		for _, more := range w.variants(m) {
			if len(more) > 1 || slices.Contains(t.kinds, more[0].kind) || more[0].kind == mirrored {
				s.change(r, schedule, k, last, with(list, more...))
			}
		}
	}
	if t.way.names != "" {
		w.names, w.use = t.rel+"/"+t.way.names, t.way.use
		for _, more := range w.variants(m) {
			s.change(r, schedule, k, last, with(list, more...))
		}
	}
}
