package hunt

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Act is one thing that the attacker did: before which call of the victim's
// that takes a name, where, and what.
type Act struct {
	Gap  int
	Name string
	What string
}

// String says before which call, counted from 1, and what.
func (a Act) String() string {
	return fmt.Sprintf("before call %d, at %s: %s", a.Gap+1, a.Name, a.What)
}

// Verdict is what a program came to: for each rule that broke the acts that
// broke it, none where it needed none.
type Verdict struct {
	Broken map[string][]Act
	Runs   int
	Fails  bool // the undisturbed program returns an error, and so proves nothing
	Idle   bool // it makes no call that takes a name
}

// Rules are the ids of what broke, sorted.
func (v *Verdict) Rules() []string { return slices.Sorted(maps.Keys(v.Broken)) }

// reference is the second attacker at work on one program.
type reference struct {
	g        Ground
	p        *Program
	names    []string
	verdict  *Verdict
	before   map[string]Thing  // everything outside, undisturbed
	content  map[string]string // and what is in it
	left     map[string]bool   // what the undisturbed program leaves
	depth    int
	machine  Machine
	now      *one
	touched  bool    // another user's files are not what they were
	asked    []found // what is wanted of other users, by the vault's names
	mirrors  int     // directories among it to which links lead
	confirms bool    // a schedule of package attack's
}

// one is one run.
type one struct {
	acts     []planned
	done     []Act
	gap      int
	op       Op
	own      map[ID]string        // the attacker's objects, and where he put them
	data     map[ID]string        // what he wrote
	written  map[ID]bool          // files of his that the victim has written its data to
	within   map[ID]map[string]ID // what is in his directories, as he made them
	read     []ID
	listed   map[ID]string   // directories, and the names that they were listed by
	perm     map[ID]uint32   // of the victim's files: all bits that they ever had
	made     map[string]ID   // directories that the victim has made
	making   string          // the one that it is about to make
	replaced map[ID]bool     // what the attacker has put something of his in the place of
	adopted  map[string]bool // directories of the attacker's
	broken   map[string]bool
	aside    int
	links    uint64 // of the file that hard links are made to
	nothing  bool   // a planned act could not be made
}

type planned struct {
	gap  int
	name string
	what plant
}

// Judge tries a program on a ground, up to a number of acts in one run.
func Judge(g Ground, p *Program, unsticky bool, depth int) (*Verdict, error) {
	r := &reference{g: g, p: p, names: p.Names(), verdict: &Verdict{Broken: map[string][]Act{}}, depth: depth}
	if err := g.Stage(p.bases(), unsticky); err != nil {
		return nil, err
	}
	if err := r.undisturbed(); err != nil {
		return nil, err
	}
	if r.verdict.Fails || r.verdict.Idle {
		return r.verdict, nil
	}
	return r.verdict, r.extend(nil)
}

// undisturbed takes stock.
func (r *reference) undisturbed() error {
	o, err := r.run(nil)
	if err != nil {
		return err
	}
	r.left = map[string]bool{}
	for _, n := range r.leftovers() {
		r.left[r.shape(n)] = true
	}
	r.verdict.Idle = o.gap == 0
	return nil
}

// extend tries each further act after those. With one act each kind is tried;
// with more, few of them.
func (r *reference) extend(acts []planned) error {
	o, err := r.run(acts)
	if err != nil || o.nothing || len(acts) == r.depth || len(acts) > 0 && len(o.broken) > 0 {
		return err
	}
	from := 0
	if len(acts) > 0 {
		if from = acts[len(acts)-1].gap; !few(acts[len(acts)-1].what) {
			return nil
		}
	}
	for gap := from; gap < o.gap; gap++ {
		for _, name := range r.names {
			for _, what := range append(plantsAt(name, r.names), removal) {
				if len(acts) > 0 && !few(what) {
					continue
				}
				if err := r.extend(append(slices.Clone(acts), planned{gap, name, what})); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// run carries the program out once.
func (r *reference) run(acts []planned) (*one, error) {
	g := r.g
	rebuilt, err := g.Reset(r.touched)
	r.touched = false
	if err != nil {
		return nil, err
	}
	if rebuilt || r.before == nil {
		r.before, r.content = r.outside()
	}
	o := &one{acts: acts, own: map[ID]string{}, data: map[ID]string{}, within: map[ID]map[string]ID{}, perm: map[ID]uint32{},
		made: map[string]ID{}, replaced: map[ID]bool{}, adopted: map[string]bool{}, listed: map[ID]string{}, written: map[ID]bool{}, broken: map[string]bool{}}
	r.now = o
	r.verdict.Runs++
	for _, n := range tree(g, attic) {
		r.note(n)
	}
	o.links = g.Look(vault + "/file").Links
	r.machine.Sys = g.System(func(Call) {}, func(ID) {})
	if err := r.machine.Prepare(r.p); err != nil {
		return nil, fmt.Errorf("program %s: %w", r.p, err)
	}
	initial := map[ID]bool{}
	for _, f := range walk(g, shared) {
		initial[f.ID] = true
	}
	var failed error
	r.machine.Sys = g.System(func(c Call) {
		r.look(initial)
		if len(c.Paths) == 0 {
			return
		}
		for len(o.acts) > 0 && o.acts[0].gap == o.gap && failed == nil && !o.nothing {
			failed = r.act(o.acts[0])
			o.acts = o.acts[1:]
		}
		o.gap++
		r.adopts(c)
		r.empties(c)
	}, func(read ID) {
		switch {
		case r.confirms, o.op.Do == ReadFile, o.op.Do == ReadMine, o.op.Do == ReadDir, o.op.Do == Exec:
			o.read = append(o.read, read)
			if o.op.Do == ReadDir {
				o.listed[read] = shared + "/" + r.machine.name(o.op.A)
			}
		}
	})
	r.machine.Each = func(op Op) { o.op = op }
	err = r.machine.Run(r.p)
	if failed != nil {
		return nil, failed
	}
	if len(o.acts) > 0 {
		o.nothing = true // the program was over before
	}
	if o.nothing {
		return o, nil
	}
	r.look(initial)
	r.end(err == nil, len(acts) > 0)
	if len(acts) == 0 {
		r.verdict.Fails = err != nil
	}
	for rule := range o.broken {
		if r.verdict.Broken[rule] == nil {
			r.verdict.Broken[rule] = append([]Act{}, o.done...)
		}
	}
	return o, nil
}

func (r *reference) note(name string) {
	t := r.g.Look(name)
	r.now.own[t.ID] = name
	switch t.Type {
	case 0:
		r.now.data[t.ID] = attackerData
	case fs.ModeDir:
		r.now.within[t.ID] = r.entries(name)
	}
}

func (r *reference) entries(dir string) map[string]ID {
	in := map[string]ID{}
	for _, e := range r.g.List(dir) {
		in[e] = r.g.Look(dir + "/" + e).ID
	}
	return in
}

// owns notes a thing that was just built, with what is in it.
func (r *reference) owns(name string, _ plant) { r.note(name) }

// act makes one move, if the attacker may.
func (r *reference) act(a planned) error {
	o, g := r.now, r.g
	given := r.machine.name(a.name)
	at := shared + "/" + given
	if !r.may(at, a.what.kind == '-') {
		o.nothing = true
		return nil
	}
	o.done = append(o.done, Act{a.gap, a.name, a.what.String()})
	o.aside++
	aside := fmt.Sprintf("%s/aside%d", attic, o.aside)
	if a.what.kind == '-' {
		return g.Move(at, aside, false)
	}
	if err := r.build(a.what, aside); err != nil {
		return err
	}
	o.links = g.Look(vault + "/file").Links
	there := g.Look(at)
	o.replaced[there.ID] = true
	if err := g.Move(aside, at, there.there()); err != nil {
		return fmt.Errorf("program %s: %w", r.p, err)
	}
	if id := g.Look(parent(at)).ID; o.own[id] != "" {
		o.within[id] = r.entries(parent(at))
	}
	return nil
}

// may says whether mode bits and ownership let the attacker do it.
func (r *reference) may(at string, remove bool) bool {
	dir := parent(at)
	var t Thing
	for d := shared; ; {
		t = r.g.Look(d)
		bits := t.Perm & 7
		if r.now.own[t.ID] != "" {
			bits = 7
		}
		if t.Type != fs.ModeDir || bits&1 == 0 {
			return false
		}
		if d == dir {
			if bits&2 == 0 {
				return false
			}
			break
		}
		next, _, _ := strings.Cut(dir[len(d)+1:], "/")
		d += "/" + next
	}
	there := r.g.Look(at)
	if !there.there() {
		return !remove
	}
	return t.Perm&0o1000 == 0 || r.now.own[t.ID] != "" || r.now.own[there.ID] != ""
}
