package attack

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"
)

// mark is a name of the victim's that the attacker can act on.
type mark struct {
	name   string
	next   string // what the victim looks up below it; empty when it is no directory
	exists bool   // at the start, and the attacker may replace it
	others bool   // it may replace what others put there
}

// tactic is one way to race, with its rhythm.
type tactic struct {
	mark  mark
	how   how
	first move // put there before the start, where the tactic has it so
	then  move
	links int // of the maze that the way to the name leads through

	rhythm rhythm
	spent  time.Duration
}

// how is the kind of a tactic.
type how uint8

const (
	plantBefore how = iota // before the start, to stay
	plantOnce              // at a moment during the run
	plantTake              // planted and taken away again and again
	flipOnce               // its own entry is there, and is exchanged at a moment
	flipOften              // the same to and fro
	mazeOnce               // the name leads through a maze, at whose end a thing is exchanged at a moment
	mazeOften              // to and fro, while the name itself comes and goes
	huntNames              // takes whatever name shows up
)

// flips are what a checked thing is exchanged for while it is used.
var flips = [][2]move{
	{{family: File}, {family: Symlink, variant: "file"}},
	{{family: Symlink, variant: "own"}, {family: Symlink, variant: "file"}},
	{{family: File}, {family: Hardlink}},
	{{family: Dir}, {family: Symlink, variant: "dir"}},
	{{}, {family: Symlink, variant: "file"}},
	{{}, {family: Symlink, variant: "absent"}},
	{{}, {family: Hardlink}},
	{{}, {family: File}},
}

func parentFlips(next string) [][2]move {
	file, link := next+"=file", next+"=symlink-file"
	return [][2]move{
		{{family: Dir}, {family: Symlink, variant: "dir"}},
		{{family: Dir, inside: file}, {family: Symlink, variant: "mirror", inside: file}},
		{{family: Dir}, {family: Dir, inside: link}},
	}
}

// tactics lists the ways to race for a mark, the telling ones first.
func tactics(m mark, allowed func(Move) bool) []*tactic {
	var list []*tactic
	add := func(h how, first, then move, links int) {
		for _, mv := range []move{first, then} {
			if mv.family != "" && !allowed(mv.family) {
				return
			}
		}
		if links > 0 && !allowed(Symlink) {
			return
		}
		list = append(list, &tactic{mark: m, how: h, first: first, then: then, links: links})
	}
	plants := lastPlants
	pairs := flips
	if m.next != "" {
		next := escape(m.next)
		for _, inside := range []string{next + "=symlink-file", next + "=file"} {
			plants = append(plants[:len(plants):len(plants)], move{family: Dir, inside: inside})
		}
		plants = append(plants, move{family: Symlink, variant: "mirror", inside: next + "=file"}, move{family: Symlink, variant: "owndir"})
		pairs = append(pairs[:len(pairs):len(pairs)], parentFlips(next)...)
	}
	for _, p := range plants {
		add(plantBefore, p, move{}, 0)
	}
	for _, links := range []int{mazeLinks / 6, mazeLinks} {
		for _, f := range pairs {
			add(mazeOnce, f[0], f[1], links)
		}
	}
	for _, p := range plants {
		add(plantOnce, move{}, p, 0)
		add(plantTake, move{}, p, 0)
	}
	for _, f := range pairs {
		if f[0].family != "" {
			add(flipOnce, f[0], f[1], 0)
			add(flipOften, f[0], f[1], 0)
		}
		add(mazeOften, f[0], f[1], mazeLinks/6)
	}
	return list
}

// hunts are the tactics against names that are not known before.
func hunts(others bool, allowed func(Move) bool) []*tactic {
	var list []*tactic
	for _, p := range []move{{family: Symlink, variant: "file"}, {family: Symlink, variant: "absent"}, {family: File}, {family: Dir}} {
		if allowed(p.family) {
			list = append(list, &tactic{mark: mark{others: others}, how: huntNames, then: p})
		}
	}
	return list
}

// stage is one attempt as it is set up.
type stage struct {
	run    *run
	tactic *tactic
	parts  []part
	before []string // what the attacker did before the start
}

// set builds what the tactic needs, and says what the threads are to do.
func (s *stage) set(rnd *rand.Rand) error {
	t := s.tactic
	once := part{delay: t.rhythm.delay(rnd)}
	often := part{endless: true, pause: max(t.rhythm.length/4, 2*time.Microsecond)}
	if t.how == huntNames {
		src, what, err := s.build(t.then)
		kind := strokePut
		if t.mark.others {
			kind = strokeSwap
		}
		s.parts = []part{{hunts: true, acts: []stroke{{kind: kind, src: src, text: what}}}}
		return err
	}
	if t.how == mazeOnce || t.how == mazeOften {
		return s.setMaze(once, often)
	}
	if t.first.family != "" {
		if err := s.place(t.first); err != nil {
			return err
		}
	}
	if t.how == plantBefore {
		return nil
	}
	src, what, err := s.build(t.then)
	if err != nil {
		return err
	}
	name := pretty(t.mark.name)
	swap := stroke{strokeSwap, src, t.mark.name, "exchanges " + name + " with " + what}
	put := stroke{strokePut, src, t.mark.name, "plants " + what + " at " + name}
	take := stroke{strokeTake, src, t.mark.name, "takes it away from " + name}
	switch {
	case t.how == flipOnce, t.mark.others && t.how == plantOnce, t.mark.exists && t.how == plantOnce:
		once.acts = []stroke{swap}
		s.parts = []part{once}
	case t.how == flipOften, t.mark.others, t.mark.exists:
		often.acts = []stroke{swap}
		s.parts = []part{often}
	case t.how == plantTake:
		often.acts = []stroke{put, take}
		s.parts = []part{often}
	default:
		once.acts = []stroke{put}
		s.parts = []part{once}
	}
	return nil
}

// setMaze leads the name through the maze, with one thread at its end.
func (s *stage) setMaze(once, often part) error {
	t, d, a := s.tactic, s.run.disk, s.run.attacker
	if t.first.family != "" {
		src, _, err := s.build(t.first)
		if err == nil {
			err = d.rename(src, mazeEnd)
		}
		if err != nil {
			return err
		}
		s.moved(src, mazeEnd)
	}
	src, what, err := s.build(t.then)
	if err != nil {
		return err
	}
	end := pretty(mazeEnd)
	swap := stroke{strokeSwap, src, mazeEnd, "exchanges " + end + " with " + what}
	door := a.place("door")
	if err := a.put(door, "", d.symlink(d.abs(mazeDoor(t.links)), door)); err != nil {
		return err
	}
	text := fmt.Sprintf("a symlink into a maze of %d links that ends at %s", t.links, end)
	if t.how == mazeOnce {
		once.acts = []stroke{swap}
		s.parts = []part{once}
		return s.install(door, text)
	}
	often.acts = []stroke{swap}
	s.parts = []part{often}
	if t.mark.others || t.mark.exists {
		return s.install(door, text)
	}
	often.acts = []stroke{{strokePut, door, t.mark.name, "plants " + text + " at " + pretty(t.mark.name)},
		{strokeTake, door, t.mark.name, "takes it away from " + pretty(t.mark.name)}}
	s.parts = append(s.parts, often)
	return nil
}

// build makes a thing in the attic.
func (s *stage) build(m move) (src, what string, err error) {
	a, t := s.run.attacker, s.tactic
	src = a.place(string(m.family))
	what, err = a.build(m, src, t.mark.name, &boundary{})
	if m.variant == "mirror" {
		err = errors.Join(err, s.run.guard.watch(dirVault, a.mirrored))
		s.run.guard.touched = true // the vault has one entry too many for the next run
	}
	return src, what, err
}

// place puts a thing at the name before the victim starts.
func (s *stage) place(m move) error {
	src, what, err := s.build(m)
	if err != nil {
		return err
	}
	return s.install(src, what)
}

func (s *stage) install(src, what string) error {
	d, dest := s.run.disk, s.tactic.mark.name
	err := d.rename(src, dest)
	if err != nil && (s.tactic.mark.exists || s.tactic.mark.others) {
		err = d.exchange(src, dest)
	}
	if err != nil {
		return err
	}
	s.moved(src, dest)
	s.before = append(s.before, "plants "+what+" at "+pretty(dest))
	return nil
}

// moved notes where the attacker's things went.
func (s *stage) moved(src, dest string) {
	for _, p := range s.run.attacker.own {
		switch {
		case under(p.name, dest):
			p.name = src + p.name[len(dest):]
		case under(p.name, src):
			p.name = dest + p.name[len(src):]
		}
	}
}

// settle finds out where the attacker's things lie when its threads have
// stopped.
func (s *stage) settle() {
	d := s.run.disk
	places := []string{s.tactic.mark.name, mazeEnd}
	for _, p := range s.parts {
		for _, a := range p.acts {
			places = append(places, a.src)
		}
	}
	at := map[id]string{}
	for _, p := range places {
		if n := d.stat(p); p != "" && n.exists() {
			at[n.id] = p
		}
	}
	was := map[string]string{} // of what lies elsewhere now
	for oid, p := range s.run.attacker.own {
		if now, ok := at[oid]; ok && now != p.name {
			was[p.name] = now
		}
	}
	for _, p := range s.run.attacker.own {
		for top := p.name; top != "." && top != "/"; top = path.Dir(top) {
			if now, ok := was[top]; ok {
				p.name = now + p.name[len(top):]
				break
			}
		}
	}
}

// literalTargets are those of Target that name one entry.
func literalTargets(patterns []string) []string {
	return slices.DeleteFunc(slices.Clone(patterns), func(p string) bool { return strings.ContainsAny(p, `*?[\`) })
}

// rhythm learns when an act hits the running victim.
type rhythm struct {
	length time.Duration // of an attempt, as of late
	bins   [16]struct{ tries, hits int }
	bin    int
}

// delay draws the moment of the next act, in parts of an attempt's length:
// those that have hit before are drawn more often, none never.
func (r *rhythm) delay(rnd *rand.Rand) time.Duration {
	weight := func(i int) float64 { return float64(r.bins[i].hits+1) / float64(r.bins[i].tries+2) }
	sum := 0.0
	for i := range r.bins {
		sum += weight(i)
	}
	at := rnd.Float64() * sum
	for r.bin = 0; r.bin < len(r.bins)-1; r.bin++ {
		if at -= weight(r.bin); at < 0 {
			break
		}
	}
	u := (float64(r.bin) + rnd.Float64()) / float64(len(r.bins))
	return time.Duration(u * float64(r.length))
}

// learn takes the outcome of an attempt over.
func (r *rhythm) learn(took time.Duration, hit bool) {
	r.bins[r.bin].tries++
	if hit {
		r.bins[r.bin].hits++
	}
	r.length += (min(took, 4*r.length) - r.length) / 8
}
