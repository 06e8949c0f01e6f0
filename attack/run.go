package attack

import (
	"path"
	"slices"
	"strings"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/tmptest"
)

// placed is one move at one boundary; a schedule is a list of them.
type placed struct {
	at   key
	move move
}

// run is one run of the victim under one schedule.
type run struct {
	plan     *plan
	disk     disk
	attacker *attacker
	guard    *guard
	scene    *sceneState
	full     bool // every boundary with its line, the canaries looked at before each
	last     bool // no move can follow this schedule's
	schedule []placed
	next     int // first placement that has not been made
	steps    []*step
	counts   map[key]int
	outcome  *outcome
	facts    []fact
	exposed  map[id]*exposure
	reads    []fact         // canaries read or mounted over: damage if the victim reports success
	absent   map[string]int // names found absent by a check, and where
	open     []int          // steps whose call may not have run yet, or whose effect was not looked at
	left     []target       // what an undisturbed run left under the targets' names
}

// sceneState is what Setup made of the scene.
type sceneState struct {
	hostile map[id]bool
	initial map[string]bool // entries below Dir that were there before the victim
}

// exposure is an object of the victim's that others can open.
type exposure struct {
	path  string
	step  int
	perm  uint32
	told  bool
	isDir bool
}

func (r *run) fact(f fact) { r.facts = append(r.facts, f) }

// at is called at each boundary.
func (r *run) at(b *boundary) error {
	if b.repeat {
		return nil
	}
	r.attacker.look()
	r.settle(b)
	r.lookElsewhere(b)
	if r.wantsLine(b) {
		b.locate(b)
	}
	s := &step{boundary: *b}
	s.key = r.keyOf(b)
	for r.next < len(r.schedule) && r.schedule[r.next].at == s.key {
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
		r.attacker.see(a)
		if r.extends() {
			s.reach = append(s.reach, r.attacker.reach(a))
		}
	}
	r.open = append(r.open, len(r.steps))
	r.steps = append(r.steps, s)
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
func (r *run) extends() bool { return r.full || !r.last && r.next == len(r.schedule) }

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
	for _, a := range b.accesses() {
		if r.plan.names.shape(a.path()) != m.target {
			continue
		}
		// A victim that takes another way may have changed what the attacker
		// may do here.
		r.attacker.see(a)
		able := slices.ContainsFunc(moves(a, r.attacker.reach(a), r.plan.opt.allows), func(c move) bool {
			return c.family == m.family && c.variant == m.variant
		})
		if !able {
			return false, nil
		}
		text, err := r.attacker.make(m, b, a)
		if err != nil {
			return false, err
		}
		if under(a.path(), dirAttic) {
			r.guard.touched = true // the attic's own entries may have changed places
		}
		if m.variant == "mirror" {
			r.guard.watch(dirVault, vaultMirror)
			r.guard.touched = true // the vault has one entry too many for the next run
		}
		s.moves = append(s.moves, appliedMove{move: m, path: a.path(), text: text})
		return true, nil
	}
	return false, nil
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
		r.fact(fact{rule: tmptest.X01, exploit: true, path: d.path, name: r.victimName(), step: at, text: pretty(d.path) + ": " + d.text})
	}
	for _, d := range read {
		r.reads = append(r.reads, fact{rule: tmptest.X02, exploit: true, path: d.path, name: r.victimName(), step: r.culprit(d.path), text: pretty(d.path) + " " + d.text + ", and the code reported success"})
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

// inspect looks at the names that a step may have made.
func (r *run) inspect(i int) {
	s := r.steps[i]
	if s.kind == supervise.Read && s.object != "" { // getdents
		r.noteUse(s.object, r.disk.stat(s.object))
	}
	for j, l := range s.lookups {
		a, ok := l.final()
		if !ok {
			continue
		}
		p := a.path()
		switch s.kind {
		case supervise.Check, supervise.Read, supervise.Special:
			r.noteAbsent(a, i)
		case supervise.Open:
			r.noteRead(a, s)
			if !s.create {
				r.noteAbsent(a, i)
				continue
			}
			r.weakCreate(a, i)
			r.inspectNew(a, i)
		case supervise.Mkdir, supervise.Mknod:
			r.weakName(a, i)
			r.inspectNew(a, i)
		case supervise.Link, supervise.Rename, supervise.Symlink:
			if j == len(s.lookups)-1 {
				r.inspectNew(a, i)
			}
		case supervise.Attr:
			r.inspectMode(p, i, false)
			r.inspectOwner(a.node, s)
		case supervise.Mount:
			if j == len(s.lookups)-1 {
				r.inspectMount(a.node, i)
			}
		}
	}
	if s.kind == supervise.Attr && s.object != "" {
		r.inspectMode(s.object, i, false)
		r.inspectOwner(r.disk.stat(s.object), s)
	}
}

// noteRead stands in for access times where the scene's file system has none:
// a file that was opened for reading counts as read.
func (r *run) noteRead(a access, s *step) {
	if s.read && a.node.regular() {
		r.noteUse(a.path(), a.node)
	}
}

func (r *run) noteUse(name string, n node) {
	if !r.disk.readsShow() && (r.attacker.owns(n) || r.isCanary(n)) {
		_ = r.disk.used(name)
	}
}

// noteAbsent remembers that a check found no such name.
func (r *run) noteAbsent(a access, i int) {
	if _, ok := r.absent[a.path()]; !ok && !a.node.exists() {
		r.absent[a.path()] = i
	}
}

// inspectNew looks at what a creating call left at its name.
func (r *run) inspectNew(a access, i int) {
	r.inspectMode(a.path(), i, true)
	dir := r.disk.stat(a.dir)
	if a.node.exists() || !r.attacker.owns(dir) || r.scene.hostile[dir.id] {
		return
	}
	if n := r.disk.stat(a.path()); n.exists() && !r.attacker.owns(n) {
		r.fact(fact{rule: tmptest.X06, exploit: true, path: a.dir, name: r.nameAt(a.dir), step: i,
			text: "the attacker's directory was used as the code's own: " + pretty(a.path()) + " was made in it"})
	}
}

// inspectMode notes an object that others can open: its mode is the victim's
// doing, by the mode it asked for or by a chmod.
func (r *run) inspectMode(p string, i int, made bool) {
	n := r.disk.stat(p)
	s := r.steps[i]
	if !n.exists() || n.isLink() || r.attacker.owns(n) || !under(p, dirShared) || p == dirShared || r.scene.initial[p] {
		return
	}
	if _, ok := r.guard.want[p]; ok {
		return
	}
	if r.isCanary(n) {
		return // a hard link to a canary: not the victim's object
	}
	if _, search, _, _ := r.attacker.inDir(path.Dir(p)); !search {
		return
	}
	if made || s.kind == supervise.Attr {
		if n.perm&0o077 != 0 && r.exposed[n.id] == nil {
			r.exposed[n.id] = &exposure{path: p, step: i, perm: n.perm, isDir: n.isDir()}
			r.fact(fact{rule: tmptest.C03, path: p, name: p, step: i,
				text: pretty(p) + " has mode " + octal(n.perm) + " where others can reach it (the code starts with umask 0: a mode is its own doing)"})
		}
		if e := r.exposed[n.id]; e != nil {
			e.path, e.perm = p, e.perm|n.perm
		}
	}
}

// inspectOwner notes a chown of a canary. Where both sides and the canary have
// one uid its effect does not show; with the powers that the victim is taken
// to have it would have one.
func (r *run) inspectOwner(n node, s *step) {
	if name := r.guard.canary(n); name != "" && s.owner {
		r.guard.chowned[name] = true
	}
}

// inspectMount notes a mount over a canary: in a mount namespace of the
// victim's own it does not show here.
func (r *run) inspectMount(n node, i int) {
	if name := r.guard.canary(n); name != "" && r.steps[i].covers {
		r.reads = append(r.reads, fact{rule: tmptest.X01, exploit: true, path: name, name: r.victimName(), step: i,
			text: pretty(name) + ": a file system was mounted over it, and the code reported success"})
	}
}

// checkExposed sees whether an object that others can open got content.
func (r *run) checkExposed(e *exposure) {
	bits := e.perm & 6
	if r.plan.opt.sameGroup {
		bits |= e.perm >> 3 & 6
	}
	if e.told || e.isDir || bits == 0 {
		return
	}
	n := r.disk.stat(e.path)
	if !n.regular() || r.exposed[n.id] != e || n.size == 0 {
		return
	}
	if r.attacker.tampered[n.id] != "" {
		return
	}
	e.told = true
	verb := map[uint32]string{2: "changed", 4: "read", 6: "read and changed"}[bits]
	r.fact(fact{rule: tmptest.X04, exploit: true, path: e.path, name: e.path, step: e.step,
		text: pretty(e.path) + " with mode " + octal(e.perm) + " could be " + verb + " by others when it had content"})
}

// weakCreate judges an open that may create.
func (r *run) weakCreate(a access, i int) {
	s := r.steps[i]
	_, _, create, removeOthers := r.attacker.inDir(a.dir)
	if !create || r.attacker.owns(a.node) {
		return
	}
	if a.node.exists() && !removeOthers {
		return // its own entry, under a sticky bit: nobody else can put another there
	}
	p := a.path()
	if !s.excl {
		r.fact(fact{rule: tmptest.C01, path: p, name: p, step: i,
			text: s.call + " creates " + pretty(p) + " without O_EXCL in a directory where others may create it first"})
		if at, ok := r.absent[p]; ok {
			r.fact(fact{rule: tmptest.C10, path: p, name: p, step: i,
				text: pretty(p) + " was found absent by " + r.steps[at].call + " at " + r.steps[at].line + ", then created by a call that takes what is there"})
		}
	}
	r.weakName(a, i)
}

// weakName judges the name of something new.
func (r *run) weakName(a access, i int) {
	p := a.path()
	if _, _, create, _ := r.attacker.inDir(a.dir); !create || a.node.exists() || r.plan.isTarget(p) {
		return
	}
	r.steps[i].newName = true
	r.judgeName(a, i)
}

// judgeName says of a new name that others could have made first whether it
// can be foretold.
func (r *run) judgeName(a access, i int) {
	p := a.path()
	if why := r.plan.names.why(a.name); why != "" && !r.attacker.seen[p] {
		r.fact(fact{rule: tmptest.C06, path: p, name: p, step: i, text: pretty(p) + " can be foretold: " + why})
	}
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
