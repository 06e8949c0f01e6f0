package attack

import (
	"path"
	"slices"
	"strings"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// placed is one move at one boundary; a schedule is a list of them.
type placed struct {
	at     key
	move   move
	inject injection // in the place of a move
}

func (p placed) what() string {
	if p.inject.none() {
		return p.move.String()
	}
	return p.inject.String()
}

// run is one run of the victim under one schedule.
type run struct {
	plan       *plan
	disk       disk
	attacker   *attacker
	guard      *guard
	scene      *sceneState
	first      bool // in its process
	full       bool // every boundary with its line, the canaries looked at before each
	last       bool // no move can follow this schedule's
	schedule   []placed
	next       int // first placement that has not been made
	steps      []*step
	counts     map[key]int
	outcome    *outcome
	facts      []fact
	exposed    map[id]*exposure
	reads      []fact          // canaries read or mounted over: damage if the victim reports success
	absent     map[string]int  // names found absent by a check, and where
	open       []int           // steps whose call may not have run yet, or whose effect was not looked at
	shared     []string        // see listing
	masked     int             // steps whose names mask has seen
	chance     [][2]string     // names that differ from run to run, and their patterns
	struck     []int           // steps at which something was injected by the schedule
	sticky     *injection      // what every call from now on comes to
	tries      int             // for a free name, when there is none
	before     []target        // what Setup left under the targets' names
	left       []target        // what an undisturbed run left under the targets' names
	public     []string        // names of what others could read before it was in its place
	problems   []string        // why it is no ground for a verdict
	pause      func(step int)  // called at each boundary
	bases      []base          // directories into which the attacker has led the victim
	asked      map[string]bool // what it looked for there
	writes     map[id]int64    // bytes written to what the attacker made, where that is seen; -1: unknown
	cuts       map[id]bool     // what got another size, likewise
	near       bool            // it is seen
	goesOn     bool            // Restart is to see what is left
	restarted  *outcome        // what came of that
	unclear    bool            // what was written to the attacker's files cannot be told
	gone       map[id]bool     // files of the attacker's that were judged when they were removed
	writesFIFO int             // step that opens the attacker's FIFO to write, -1 for none
	waitsLock  bool            // the code waits for a lock of the attacker's file
	// improvise, called at each boundary, adds to the schedule what is to be
	// done there.
	improvise func(r *run, b *boundary, at key)
}

// sceneState is what Setup made of the scene.
type sceneState struct {
	hostile map[id]bool
	initial map[string]bool // entries below Dir that were there before the victim
	before  map[id]bool     // the objects
}

// exposure is an object of the victim's that others can open.
type exposure struct {
	path string
	step int
	perm uint32
	told uint32 // the bits of which it is told that they let others at content
	id   id
	was  digest // what it had when others could first read it, where something is to be public
}

func (r *run) fact(f fact) { r.facts = append(r.facts, f) }

// at is called at each boundary.
func (r *run) at(b *boundary) error {
	if b.repeat {
		return nil
	}
	if r.sticky != nil && len(r.steps) >= maxSteps {
		b.answer = r.sticky.follows(b)
		return nil // of a run without end, the beginning tells all
	}
	r.attacker.look()
	r.settle(b)
	r.lookElsewhere(b)
	if r.wantsLine(b) {
		b.locate(b)
	}
	s := &step{boundary: *b}
	s.key = r.keyOf(b)
	if r.plan.opt.verb.injects() {
		r.inject(b, s)
	}
	if r.improvise != nil {
		r.improvise(r, b, s.key)
	}
	for r.next < len(r.schedule) && r.schedule[r.next].at == s.key && r.schedule[r.next].inject.none() {
		m := r.schedule[r.next].move
		applied, err := r.apply(m, b, s)
		if err != nil {
			return err
		}
		if !applied {
			break
		}
		r.next++
		if b.refresh != nil {
			b.refresh()
			r.lookElsewhere(b)
		}
		s.lookups, s.elsewhere = b.lookups, b.elsewhere
	}
	for _, a := range s.accesses() {
		shows := r.attacker.see(a)
		if r.extends() {
			can := r.reach(b, a)
			can.shows = shows
			s.reach = append(s.reach, can)
		}
	}
	if len(r.bases) > 0 {
		r.noteWants(b, s)
	}
	r.noteListed(b, s)
	r.open = append(r.open, len(r.steps))
	r.steps = append(r.steps, s)
	if s.kind == supervise.Open && s.trunc || s.call == "truncate" {
		for _, n := range r.objects(s) {
			r.cuts[n.id] = true
		}
	}
	if r.attacker.opensToWrite(b) {
		r.writesFIFO = len(r.steps) - 1
	}
	r.judgeGoing(s)
	r.beforeIt(s)
	if r.pause != nil {
		r.pause(len(r.steps) - 1)
	}
	return nil
}

// lookElsewhere is for the full search.
func (r *run) lookElsewhere(b *boundary) {
	b.elsewhere = nil
	for _, p := range r.plan.everywhere {
		b.elsewhere = append(b.elsewhere, access{dir: path.Dir(p), name: path.Base(p), node: r.disk.stat(p), last: true})
	}
}

// extends says that moves may be placed at the boundary at hand.
func (r *run) extends() bool {
	return r.full || !r.plan.opt.verb.injects() && !r.last && r.next == len(r.schedule)
}

// wantsLine says that the boundary must be told from others: because a move
// is to be placed at it, now or by a longer schedule.
func (r *run) wantsLine(b *boundary) bool {
	if r.full || !r.last {
		return true
	}
	for _, p := range r.schedule[r.next:] {
		if p.at.call == b.call && p.at.shape == r.plan.names.shape(b.subject()) {
			return true
		}
	}
	return false
}

// keyOf counts the boundary's occurrence.
func (r *run) keyOf(b *boundary) key {
	k := key{call: b.call, shape: r.plan.names.shape(b.subject()), line: b.line}
	r.counts[k]++
	k.n = r.counts[k]
	return k
}

// subject is the name that a boundary is about.
func (b *boundary) subject() string {
	for _, l := range b.lookups {
		return l.given
	}
	return b.object
}

func (r *run) apply(m move, b *boundary, s *step) (bool, error) {
	all := b.accesses()
	if a, ok := r.entryIn(b, path.Base(m.target)); ok {
		all = append(slices.Clone(all), a)
	}
	for _, a := range all {
		if r.plan.names.shape(a.path()) != m.target {
			continue
		}
		// A victim that takes another way may have changed what the attacker
		// may do here.
		r.attacker.see(a)
		if !able(m, a, r.reach(b, a), r.plan.opt.allows) {
			return false, nil
		}
		linked := m.family == Hardlink || strings.Contains(m.inside, "=hardlink") || r.isCanary(a.node)
		if linked {
			r.checkCanaries() // before its links change
		}
		concrete := m
		concrete.inside = r.named(m, b, a)
		text, err := r.attacker.make(concrete, b, a)
		if err != nil {
			return false, err
		}
		if linked {
			r.guard.relink(vaultFile, true)
		}
		if under(a.path(), dirAttic) {
			r.guard.touched = true // the attic's own entries may have changed places
		}
		if m.variant == "mirror" || strings.Contains(m.inside, mirrored) {
			if err := r.guard.watch(append([]string{dirVault}, r.attacker.mirrorsNow()...)...); err != nil {
				return false, err
			}
			r.guard.touched = true // the vault has one entry too many for the next run
		}
		r.leads(r.next, concrete, a.path(), len(r.steps))
		s.moves = append(s.moves, appliedMove{move: m, path: a.path(), over: a.node.exists(), text: text})
		return true, nil
	}
	return false, nil
}

// reach is what the attacker can do to an entry that the call at hand looks up.
func (r *run) reach(b *boundary, a access) reach {
	can := r.attacker.reach(a)
	if can.plant || can.replace {
		can.ways = b.ways(a)
		for i, w := range can.ways {
			can.ways[i] = w.knownPart(a.path(), r.attacker.knows)
		}
	}
	return can
}

// shaped is a move with its names as all runs have them.
func (r *run) shaped(m move) move {
	if m.inside != "" {
		list := m.things()
		for i := range list {
			list[i].at = strings.TrimPrefix(r.plan.names.shape(dirShared+"/"+list[i].at), dirShared+"/")
		}
		m.inside = insideString(list)
	}
	m.target = r.plan.names.shape(m.target)
	return m
}

// named is what a directory is to hold by the names that this run has. Those
// whose parts differ from run to run stand in the call.
func (r *run) named(m move, b *boundary, a access) string {
	if !strings.Contains(m.inside, "*") {
		return m.inside
	}
	shape := func(rel string) string {
		return strings.TrimPrefix(r.plan.names.shape(dirShared+"/"+rel), dirShared+"/")
	}
	list := m.things()
	call := b.way(a).names
	for i := range list {
		for j := range len(call) + 1 {
			if (j == len(call) || call[j] == '/') && shape(call[:j]) == list[i].at {
				list[i].at = call[:j]
			}
		}
	}
	return insideString(list)
}

func (r *run) moved() bool { return r.next > 0 }

// settle looks at what the calls before this boundary did; nil is the end of
// the run. A call that was let go has not necessarily run when another thread
// comes to its next one: it is looked at when it surely has.
func (r *run) settle(b *boundary) {
	still := r.open[:0]
	for _, i := range r.open {
		if b == nil || r.over(i, b) {
			r.inspect(i)
			r.show(i)
		} else {
			still = append(still, i)
		}
	}
	r.open = still
	for _, e := range r.exposed {
		r.checkExposed(e)
	}
	if r.full || r.outcome != nil {
		r.checkCanaries()
	}
}

// show lets the attacker see what a call has made, as whoever lists the directory
// does: before the victim names it again, if it does.
func (r *run) show(i int) {
	s := r.steps[i]
	switch s.kind {
	case supervise.Mkdir, supervise.Mknod, supervise.Link, supervise.Symlink, supervise.Rename:
	case supervise.Open:
		if !s.create {
			return
		}
	default:
		return
	}
	if len(s.lookups) == 0 {
		return
	}
	a, ok := s.lookups[len(s.lookups)-1].final()
	if !ok || a.node.exists() {
		return
	}
	if a.node = r.disk.stat(a.path()); a.node.exists() {
		if r.attacker.see(a); r.attacker.seen[a.path()] {
			s.shown = a.path()
		}
	}
}

// over says that the call of step i has run when the victim stands at b.
func (r *run) over(i int, b *boundary) bool {
	s := r.steps[i]
	if s.thread == b.thread || b.busy == nil || !b.busy(s.thread) {
		return true
	}
	for _, l := range s.lookups { // who uses what it made comes after it
		for _, m := range b.lookups {
			if l.given == m.given {
				return true
			}
		}
	}
	return false
}

func (r *run) checkCanaries() {
	changed, read := r.guard.check()
	for _, d := range changed {
		at := r.culprit(d.path)
		if at >= 0 {
			r.steps[at].damage = append(r.steps[at].damage, d)
		}
		fix := fixOfRule
		if !r.moved() { // the code's own input led it there
			fix = fixTraversal
		}
		r.fact(fact{rule: rules.X01, exploit: true, path: d.path, name: r.victimName(), step: at, text: pretty(d.path) + ": " + d.text, fix: fix})
	}
	for _, d := range read {
		r.reads = append(r.reads, fact{rule: rules.X02, exploit: true, path: d.path, name: r.victimName(), step: r.culprit(d.path), text: pretty(d.path) + " " + d.text + ", and the code reported success"})
	}
}

// culprit is the last step that came to a canary, or into it; the last of all
// if none did.
func (r *run) culprit(canary string) int {
	for i := len(r.steps) - 1; i >= 0; i-- {
		for _, a := range r.steps[i].accesses() {
			if a.last && (a.path() == canary || a.dir == canary || a.node.exists() && a.node.id == r.guard.want[canary].id) {
				return i
			}
		}
	}
	return len(r.steps) - 1
}

// victimName is the name under which the victim met the attacker's work: the
// entry of the last move, or what its last call was about.
func (r *run) victimName() string {
	if at := r.injectedAt(); at >= 0 {
		return r.steps[at].subject()
	}
	for i := len(r.steps) - 1; i >= 0; i-- {
		if n := len(r.steps[i].moves); n > 0 {
			return r.steps[i].moves[n-1].path
		}
	}
	if n := len(r.steps); n > 0 {
		return r.steps[n-1].subject()
	}
	return ""
}

// lastUse is the last step that looked an entry up.
func (r *run) lastUse(name string) int {
	for i := len(r.steps) - 1; i >= 0; i-- {
		s := r.steps[i]
		if s.object == name {
			return i
		}
		for _, a := range s.accesses() {
			if a.path() == name {
				return i
			}
		}
	}
	return len(r.steps) - 1
}

// opened is the last step that opened an entry in the way asked for: what is
// then done through the descriptor is that call's doing. Where none did, it is
// the last use.
func (r *run) opened(name string, way func(*step) bool) int {
	for i := len(r.steps) - 1; i >= 0; i-- {
		s := r.steps[i]
		if way(s) && slices.ContainsFunc(s.accesses(), func(a access) bool { return a.path() == name }) {
			return i
		}
	}
	return r.lastUse(name)
}

// listedAt is the last call that listed a directory: one that opened it, and
// not what is in it.
func (r *run) listedAt(name string) int {
	for i := len(r.steps) - 1; i >= 0; i-- {
		s := r.steps[i]
		ends := func(a access) bool { return a.last && a.path() == name }
		if forListing(s) && (s.object == name || slices.ContainsFunc(s.accesses(), ends)) {
			return i
		}
	}
	return r.lastUse(name)
}

func forWriting(s *step) bool { return s.write }
func forReading(s *step) bool { return s.read || s.kind == supervise.Exec }
func forListing(s *step) bool {
	return s.kind == supervise.Open && s.read && !s.create || strings.HasPrefix(s.call, "getdents")
}

// listed says that the victim opened a directory of that name, and not only
// to remove it.
func (r *run) listed(name string) bool {
	listed := false
	for _, s := range r.steps {
		named := s.object == name || slices.ContainsFunc(s.accesses(), func(a access) bool { return a.path() == name })
		switch s.kind {
		case supervise.Open, supervise.Read:
			listed = listed || named
		case supervise.Rmdir, supervise.Unlink:
			listed = listed && !named
		}
	}
	return listed
}

// find looks for an object: where it was last, or anywhere in the scene.
func (r *run) find(oid id, name string) (node, string) {
	if n := r.disk.stat(name); n.id == oid {
		return n, name
	}
	for _, dir := range []string{dirShared, dirHome} {
		if n, at := r.search(oid, dir, 0); n.exists() {
			return n, at
		}
	}
	return node{}, ""
}

func (r *run) search(oid id, dir string, depth int) (node, string) {
	list, err := r.disk.list(dir)
	if err != nil || depth > 16 {
		return node{}, ""
	}
	for _, e := range list {
		at := path.Join(dir, e)
		n := r.disk.stat(at)
		if n.id == oid {
			return n, at
		}
		if n.isDir() {
			if n, at := r.search(oid, at, depth+1); n.exists() {
				return n, at
			}
		}
	}
	return node{}, ""
}

// nameAt is what the victim called one of the attacker's objects.
func (r *run) nameAt(name string) string {
	if strings.HasPrefix(name, dirAttic+"/") {
		return r.victimName()
	}
	return name
}
