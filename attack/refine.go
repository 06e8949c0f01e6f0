package attack

import (
	"fmt"
	"slices"
	"strings"
)

// What a run shows of the victim is known at the boundary at which the attacker
// has moved in it: what it looks for in the directory that was put there, and
// that it uses an entry in another way than the call at the boundary does. So
// the same move is tried with what the run has shown: with those names in the
// directory, and with other kinds of things. That goes on until no run shows a
// call that none has shown before. All of it is one act of the attacker's, which
// builds aside and renames.

// Bounds. What lies beyond them is named.
const (
	maxThings  = 8    // in one directory
	maxLevels  = 12   // below it
	maxRefined = 4096 // schedules that come of it
)

// site is a call as often as it has come.
type site struct {
	call, shape string
	n           int
}

// base is a directory into which a move leads the victim.
type base struct {
	move int    // of the schedule
	dir  string // where it is
	link string // below the directory of the move; "" for that itself
	step int    // at which it came
}

// want is what the victim looked for there and did not find.
type want struct {
	move int
	way
	from int // the length of the path to what was missing, of the names
}

// root is a directory that the attacker puts at an entry at a boundary, whatever
// it holds.
type root struct {
	seen  map[site]bool
	tried map[string]bool // what it held, or has been planned to hold
	names map[string]bool // wanted so far
}

// leads notes where a move leads the victim. step is the index of the step at
// which it is made.
func (r *run) leads(move int, m move, dest string, step int) {
	add := func(dir, link string) { r.bases = append(r.bases, base{move, dir, link, step}) }
	switch {
	case m.family == Dir:
		add(dest, "")
		for _, t := range m.things() {
			switch t.kind {
			case "symlink-dir":
				add(vaultDir, t.at)
			case mirrored:
				add(r.attacker.mirrors[t.at], t.at)
			}
		}
	case m.family != Symlink:
	case m.variant == "dir":
		add(vaultDir, "")
	case m.variant == "mirror":
		add(r.attacker.mirrors[""], "")
	case m.variant == "owndir":
		add(atticDir, "")
	}
}

// inBase finds the directory in which a name lies, and its path below that of
// the move.
func (r *run) inBase(name string) (b base, rel string, ok bool) {
	for _, b := range r.bases {
		if name != b.dir && under(name, b.dir) {
			rel = name[len(b.dir)+1:]
			if b.link != "" {
				rel = b.link + "/" + rel
			}
			return b, rel, true
		}
	}
	return base{}, "", false
}

// noteWants notes what the call at hand looks for in directories that the
// attacker has put in its way, and does not find, when it does so for the first
// time.
func (r *run) noteWants(b *boundary, s *step) {
	for _, a := range s.accesses() {
		if a.node.exists() {
			continue
		}
		in, rel, ok := r.inBase(a.path())
		if !ok || r.asked[a.path()] {
			continue
		}
		if r.asked == nil {
			r.asked = map[string]bool{}
		}
		r.asked[a.path()] = true
		if up := r.disk.stat(a.dir); a.dir != in.dir && !r.attacker.owns(up) && !r.isCanary(up) {
			continue // the victim has made the directory
		}
		if in.step == len(r.steps) || !r.attacker.knows(a.path()) || !r.disk.stat(a.dir).isDir() {
			continue // the move was made with it in mind, the name is chance, or nothing can be there
		}
		for _, w := range b.waysTo(a, rel, r.attacker.knows) {
			s.wants = append(s.wants, want{move: in.move, way: w, from: len(rel)})
		}
	}
}

// waysTo are what a call makes of an entry of a directory that the attacker has put
// in its way, whose path there is rel: it ends there, or goes on.
func (b *boundary) waysTo(a access, rel string, knows func(path string) bool) (all []way) {
	if a.last || !a.parent {
		all = append(all, way{names: rel, use: b.endUse(a.path())})
	}
	if !a.parent {
		return all
	}
	on := b.way(a).knownPart(a.path(), knows)
	if on.names == "" {
		return append(all, way{names: rel, use: goesOn})
	}
	return append(all, way{names: rel + "/" + on.names, use: on.use})
}

// foretold is a want up to the first name that is chance; ok is false where what
// was missing is chance itself.
func (w want) foretold(predictable func(name string) bool) (known want, ok bool) {
	parts := strings.Split(w.names, "/")
	i := slices.IndexFunc(parts, func(name string) bool { return !predictable(name) })
	if i < 0 {
		return w, true
	}
	w.names, w.use = strings.Join(parts[:i], "/"), goesOn
	return w, i > 0 && len(w.names) >= w.from
}

// endUse is what the call does with the entry at which one of its paths ends.
func (b *boundary) endUse(name string) use {
	for i, l := range b.lookups {
		if a, ok := l.final(); ok && a.path() == name {
			return b.useOf(i)
		}
	}
	return anyUse
}

// wanted reports whether the call at hand was the first to look for an entry, so
// that it might as well have been in its directory from the beginning.
func (s *step) wanted(r *run, a access) bool {
	_, rel, ok := r.inBase(a.path())
	return ok && !a.node.exists() && slices.ContainsFunc(s.wants, func(w want) bool { return under(w.names, rel) })
}

// refine adds the schedules with moves as they are when what a run has shown is
// known. It reports whether the run showed a call that no run has shown in which
// the attacker put a like directory there.
func (s *search) refine(r *run, schedule []placed, broken bool) (news bool) {
	if len(schedule) == 0 || r.plan.opt.verb.injects() {
		return true
	}
	s.otherUses(r, schedule)
	if len(r.bases) == 0 {
		return true
	}
	root, first := s.rootOf(schedule)
	novel := root.learn(r)
	news = first || len(novel) > 0
	if len(schedule) > 1 && (broken || !first) {
		return news // after a second move only the first directory is tried with more in it
	}
	s.askEntries(r, schedule, root)
	var all []want
	last, _ := r.madeAt()
	for i, st := range r.steps {
		isNew := slices.Contains(novel, i) && !first
		for _, w := range st.wants {
			if w.move < len(schedule)-1 && i <= last {
				continue // it would lead to other calls than those that the later move is about
			}
			if isNew || !root.names[w.names] || alone(schedule[w.move].move) {
				all = append(all, w)
				s.add(r, schedule, root, w, nil)
			}
		}
		if isNew {
			s.otherKinds(r, schedule, root, st)
		}
	}
	for _, w := range all {
		root.names[w.names] = true
	}
	if first && len(schedule) == 1 && len(all) > 1 {
		for _, w := range all {
			s.add(r, schedule, root, w, all)
		}
	}
	return news
}

// alone reports whether a directory holds one thing: of two, each kind is tried
// with each of the other, for what the code does later can need both.
func alone(m move) bool { return len(m.things()) == 1 }

// rootOf is the root of a schedule, and whether this is its first run.
func (s *search) rootOf(schedule []placed) (*root, bool) {
	plain := slices.Clone(schedule)
	plain[len(plain)-1].move.inside = ""
	k := scheduleString(plain)
	if known := s.roots[k]; known != nil {
		return known, false
	}
	fresh := &root{seen: map[site]bool{}, tried: map[string]bool{}, names: map[string]bool{}}
	s.roots[k] = fresh
	return fresh, true
}

// learn takes the calls of a run over, and gives the steps that were new.
func (k *root) learn(r *run) (novel []int) {
	counts := map[site]int{}
	for i, st := range r.steps {
		at := site{call: st.call, shape: st.key.shape}
		counts[at]++
		at.n = counts[at]
		if !k.seen[at] {
			k.seen[at] = true
			novel = append(novel, i)
		}
	}
	return novel
}

// add adds the schedules in which a directory holds what was looked for, of each
// kind that makes a difference; with all else that was, where that is given.
func (s *search) add(r *run, schedule []placed, k *root, w want, all []want) {
	p := schedule[w.move]
	list := p.move.things()
	for _, o := range all {
		if o.names != w.names && o.move == w.move && o.use != makesNew && o.use != makesDir {
			list = with(list, o.plain(p.move))
		}
	}
	for _, more := range w.variants(p.move) {
		s.change(r, schedule, k, w.move, with(list, more...))
	}
}

// plain is a want that is met by the plainest thing.
func (w want) plain(m move) thing {
	if w.use == goesOn {
		return thing{w.names, "dir"}
	}
	return thing{w.names, "file"}
}

// variants are the things that can lie at what was looked for.
func (w want) variants(m move) [][]thing {
	if m.family == Symlink && m.variant != "owndir" || inLink(m.things(), w.names) {
		return w.theirs()
	}
	var all [][]thing
	for _, kind := range w.use.kinds() {
		all = append(all, []thing{{w.names, kind}})
	}
	if up, ok := w.allButLast(w.from); ok {
		all = append(all, []thing{up})
	}
	return append(all, w.links(w.from)...)
}

// inLink reports whether a name lies behind a link of a list.
func inLink(list []thing, name string) bool {
	return slices.ContainsFunc(list, func(t thing) bool {
		return under(name, t.at) && name != t.at && (t.kind == mirrored || t.kind == "symlink-dir")
	})
}

// change adds the schedule with another list of things in the directory of one
// of its moves.
func (s *search) change(r *run, schedule []placed, k *root, i int, list []thing) {
	m := schedule[i].move
	if m.family == Symlink && m.variant == "dir" {
		m.variant = "mirror"
	}
	for j, t := range list {
		if t.kind == "symlink-dir" && slices.ContainsFunc(list, func(o thing) bool { return o.at != t.at && under(o.at, t.at) }) {
			list[j].kind = mirrored
		}
	}
	m.inside = insideString(list)
	if m = r.shaped(m); m.inside != insideString(list) {
		return // a name that is another one in each run, and is known too late
	}
	if slices.ContainsFunc(list, circles) {
		return
	}
	if !fits(m, m.things()) || !allowedInside(m, s.e.opt.allows) || k.tried[fmt.Sprint(i, m.name(), m.inside)] {
		return
	}
	k.tried[fmt.Sprint(i, m.name(), m.inside)] = true
	if slices.ContainsFunc(list, func(t thing) bool { return strings.Count(t.at, "/") >= maxLevels }) {
		s.e.problem("the code looks for names more than %d levels below %s: deeper ones were not tried", maxLevels, pretty(m.target))
		return
	}
	if len(list) > maxThings {
		s.e.problem("the code looks for more than %d names in a directory that the attacker can put at %s: more at once were not tried", maxThings, pretty(m.target))
		return
	}
	s.refined(r, schedule, i, m)
}

// circles reports whether a thing lies below three of one name: code that removes a
// tree goes down as far as there is one, and looks for the same everywhere.
func circles(t thing) bool {
	parts := strings.Split(t.at, "/")
	for i := 3; i < len(parts); i++ {
		if parts[i] == parts[i-1] && parts[i] == parts[i-2] && parts[i] == parts[i-3] {
			return true
		}
	}
	return false
}

// refined adds a schedule with another move in the place of one.
func (s *search) refined(r *run, schedule []placed, i int, m move) {
	if s.more++; s.more > maxRefined {
		s.e.problem("what the attacked runs have shown led to more than %d further schedules, of which the rest was not tried", maxRefined)
		return
	}
	next := slices.Clone(schedule)
	next[i].move = m
	s.queue(job{schedule: next, refined: true, follows: true, taught: s.e.taught(r)})
}

// otherKinds adds the schedules in which a thing of a directory that a new call
// has used is of another kind.
func (s *search) otherKinds(r *run, schedule []placed, k *root, st *step) {
	for _, a := range st.accesses() {
		in, rel, ok := r.inBase(a.path())
		if !ok || st == r.steps[in.step] || in.move < len(schedule)-1 {
			continue
		}
		m := schedule[in.move].move
		list := m.things()
		at := slices.IndexFunc(list, func(t thing) bool { return t.at == rel })
		if at < 0 {
			continue
		}
		for _, w := range st.waysTo(a, rel, r.attacker.knows) {
			if w.names == rel && w.use == goesOn {
				continue
			}
			for _, more := range (want{move: in.move, way: w, from: len(rel)}).variants(m) {
				s.change(r, schedule, k, in.move, with(list, more...))
			}
		}
	}
}

// otherUses adds the schedules in which the last move puts other kinds of things
// at its entry, which a call that no undisturbed run makes uses in another way
// than the one at the boundary.
func (s *search) otherUses(r *run, schedule []placed) {
	at, entry := r.madeAt()
	if at < 0 {
		return
	}
	goesOn := func(st *step) bool { return st.uses(entry, false) }
	if !goesOn(r.steps[at]) && slices.ContainsFunc(r.steps[at:], goesOn) && s.e.opt.allows(Symlink) {
		s.otherUse(r, schedule, move{family: Symlink, variant: "owndir"})
	}
	if r.steps[at].uses(entry, true) {
		return
	}
	counts := map[site]int{}
	for i, st := range r.steps {
		k := site{call: st.call, shape: st.key.shape}
		counts[k]++
		if i <= at || counts[k] <= s.e.plan.sites[k] || !st.uses(entry, true) {
			continue
		}
		for _, p := range lastPlants {
			if !slices.Contains(st.endUse(entry).kinds(), p.name()) || !s.e.opt.allows(p.family) {
				continue
			}
			if p.name() != "dir" && p.name() != "symlink-dir" {
				s.otherUse(r, schedule, p)
			}
		}
	}
}

// otherUse adds the schedule with another thing at the last move's entry.
func (s *search) otherUse(r *run, schedule []placed, p move) {
	last := len(schedule) - 1
	m := schedule[last].move
	p.target = m.target
	next := slices.Clone(schedule)
	next[last].move = p
	if k := scheduleString(next); !s.uses[k] && !(p.family == m.family && p.variant == m.variant) {
		s.uses[k] = true
		s.refined(r, schedule, last, p)
	}
}

// madeAt is the step at which a run's last move was made, and the entry.
func (r *run) madeAt() (int, string) {
	for i, st := range slices.Backward(r.steps) {
		if n := len(st.moves); n > 0 {
			return i, st.moves[n-1].path
		}
	}
	return -1, ""
}

// uses reports whether a call looks an entry up at the end of a path, or on the
// way.
func (s *step) uses(entry string, last bool) bool {
	return slices.ContainsFunc(s.accesses(), func(a access) bool {
		return a.path() == entry && (last && a.last || !last && a.parent)
	})
}

// sites counts the calls of a run.
func (r *run) sites() map[site]int {
	n := map[site]int{}
	for _, st := range r.steps {
		n[site{call: st.call, shape: st.key.shape}]++
	}
	return n
}
