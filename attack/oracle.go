package attack

import (
	"path"
	"slices"

	"github.com/tmpproof/tmpproof/internal/leftover"
	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// fact is one broken rule in one run, before findings are grouped.
type fact struct {
	rule    rules.Rule
	exploit bool
	path    string // the object
	name    string // the victim's name for it
	step    int    // index into the trace, -1 for the end of the run
	text    string
	fix     fix
	cause   string    // what findings of the rule have in common that are one, wherever they show; "": their line
	against against   // what it rests on
	known   bool      // C06 of a name that is meant to be known: see explorer.finish
	open    *exposure // C03 or X04 of what may be public: see judgePublic
}

// against is what a fact rests on, besides what the run itself showed.
type against uint8

const (
	byItself   against = iota
	byPresence         // undisturbed runs leave as many targets
	byContent          // and with the same content
)

// judgePlants looks at what became of the attacker's entries.
func (r *run) judgePlants() {
	for oid, p := range r.attacker.own {
		name := p.name
		if r.scene.hostile[oid] {
			continue // not planted in this run: it is the attacker's input
		}
		n, at := r.find(oid, name)
		if !n.exists() {
			r.judgeWritten(oid, p, "")
			continue
		}
		r.judgePlant(p, n, at)
	}
	for oid, name := range r.attacker.tampered {
		n, at := r.find(oid, name)
		if n.exists() && r.disk.touched(oid)&wasRead != 0 && r.outcome.success() && !r.hostileName(name) {
			r.fact(fact{rule: rules.X03, exploit: true, path: at, name: name, step: r.opened(name, forReading),
				text: "the content that the attacker wrote into " + pretty(name) + " was read, and the code reported success"})
		}
	}
}

// judgeGoing looks at a file of the attacker's, or of its content, that the
// call at hand takes away: at the end of the run there is nothing to be seen
// of its having been read.
func (r *run) judgeGoing(s *step) {
	if s.kind != supervise.Unlink && s.kind != supervise.Rename || len(s.lookups) == 0 || s.exchange {
		return
	}
	a, ok := s.lookups[len(s.lookups)-1].final() // of a rename, what stands at the new name
	if !ok || !a.node.regular() {
		return
	}
	name := r.nameAt(a.path())
	if p := r.attacker.own[a.node.id]; p != nil && !r.scene.hostile[a.node.id] && r.judgeWritten(a.node.id, p, a.path()) {
		return
	}
	text := "the content that the attacker wrote into " + pretty(name) + " was read"
	if r.attacker.tampered[a.node.id] == "" {
		p := r.attacker.own[a.node.id]
		if p == nil || r.scene.hostile[a.node.id] {
			return
		}
		text = "the attacker's content was read"
	}
	if r.disk.touched(a.node.id)&wasRead != 0 && !r.hostileName(name) {
		r.reads = append(r.reads, fact{rule: rules.X03, exploit: true, path: a.path(), name: name, step: r.opened(name, forReading),
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

// judgeWritten sees what was written to a file of the attacker's: by what is in
// it, or by the calls that wrote where it is not there any more. at is where the
// file is, "" when it is gone. True when that is told.
func (r *run) judgeWritten(o id, p *plant, at string) bool {
	if r.gone[o] || !p.node.regular() {
		return r.gone[o]
	}
	name := r.nameAt(p.name)
	say := func(text string) bool {
		r.gone[o] = true
		if at == "" {
			at = name
		}
		r.fact(fact{rule: rules.X10, exploit: true, path: at, name: name, step: r.opened(name, forWriting), text: text})
		return true
	}
	if at != "" && r.wrote(at, p.data) > 0 {
		return say(leftover.Count(int(r.disk.stat(at).size), "byte was", "bytes were") + " written to the attacker's file")
	}
	if r.disk.touched(o)&wasWritten == 0 {
		return false
	}
	n, seen := r.writes[o]
	switch {
	case seen && n > 0:
		return say(leftover.Count(int(n), "byte was", "bytes were") + " written to the attacker's file, and taken back")
	case seen || r.near && !r.cuts[o] && !r.plan.opt.fake && r.outcome != nil:
		return say("content was written to the attacker's file, and taken back")
	case !r.near && r.outcome != nil:
		r.unclear = r.plan.opt.verb == prove
	}
	return false
}

// judgeHeard sees what came to the attacker through a FIFO or a socket of his.
func (r *run) judgeHeard(n node, at, name string) {
	bytes, answered := r.disk.heard(n.id)
	what := "bytes were written to the attacker's FIFO"
	one := "byte was written to the attacker's FIFO"
	if n.kindName() == "socket" {
		what, one = "bytes were sent to the attacker's socket", "byte was sent to the attacker's socket"
	}
	if bytes > 0 {
		r.fact(fact{rule: rules.X10, exploit: true, path: at, name: name, step: r.lastUse(name), text: leftover.Count(int(bytes), one, what)})
	}
	if answered && r.outcome.success() {
		r.fact(fact{rule: rules.X03, exploit: true, path: at, name: name, step: r.lastUse(name),
			text: "what the attacker answered at his socket was read, and the code reported success"})
	}
}

// beforeIt notes, before a call, what could not be told from its effect after
// it: times that it sets look like reading, and the name of a hard link that it
// removes is one of a canary.
func (r *run) beforeIt(s *step) {
	if !s.changesLinks() && !s.times {
		return
	}
	for _, n := range r.objects(s) {
		switch {
		case s.changesLinks() && r.isCanary(n):
			r.checkCanaries()
			return
		case s.times && (r.isCanary(n) || r.attacker.own[n.id] != nil || r.attacker.tampered[n.id] != ""):
			s.before = append(s.before, before{n.id, r.disk.touched(n.id)})
		}
	}
}

// afterIt takes off again what was no doing of the kind that it looks like.
func (r *run) afterIt(s *step) {
	for _, b := range s.before {
		if now := r.disk.touched(b.id); now != b.touch {
			r.disk.setTouched(b.id, b.touch|wasSet)
			if name := r.guard.canary(node{id: b.id}); name != "" {
				r.guard.timed[name] = true
			}
		}
	}
	if !s.changesLinks() {
		return
	}
	for _, n := range r.objects(s) {
		if name := r.guard.canary(n); name != "" {
			r.guard.relink(name, s.kind == supervise.Link && s.linksOwn(name))
		}
	}
}

// before is what had been done to an object before a call.
type before struct {
	id    id
	touch touch
}

// changesLinks reports whether a call removes a name, or gives an object
// another.
func (s *step) changesLinks() bool {
	return s.kind == supervise.Unlink || s.kind == supervise.Rename || s.kind == supervise.Link
}

// linksOwn reports whether a call gives a further name to an object that it
// names by its own, and by nothing that the attacker could have put there.
func (s *step) linksOwn(name string) bool {
	if len(s.lookups) == 0 {
		return false
	}
	a, ok := s.lookups[0].entry()
	return ok && a.path() == name
}

// objects are what the paths of a call end at, and what its descriptor refers
// to.
func (r *run) objects(s *step) (all []node) {
	for _, l := range s.lookups {
		if a, ok := l.final(); ok && a.node.exists() {
			all = append(all, a.node)
		}
	}
	if s.object != "" && len(s.lookups) == 0 {
		all = append(all, r.disk.stat(s.object))
	}
	return all
}

func (r *run) judgePlant(p *plant, n node, at string) {
	name := p.name
	victimName := r.nameAt(name)
	input := r.hostileName(victimName)
	switch {
	case under(at, dirHome) && r.outcome.success():
		r.fact(fact{rule: rules.X03, exploit: true, path: at, name: victimName, step: r.maker(at),
			text: "the attacker's " + n.kindName() + " was put at " + pretty(at) + ", and the code reported success"})
	case p.dir:
		called := victimName
		if !r.listed(called) {
			called = at // moved first
		}
		if !input && r.disk.touched(n.id)&wasRead != 0 && r.outcome.success() && r.listed(called) {
			r.fact(fact{rule: rules.X03, exploit: true, path: at, name: victimName, step: r.listedAt(called),
				text: "the attacker's directory was listed, and the code reported success"})
		}
	case n.kindName() == "FIFO" || n.kindName() == "socket":
		r.judgeHeard(n, at, victimName)
	case n.regular():
		if r.judgeWritten(n.id, p, at) {
			return
		} else if !input && r.disk.touched(n.id)&wasRead != 0 && r.outcome.success() {
			step, what := r.opened(victimName, forReading), "content was read"
			if step >= 0 && r.steps[step].kind == supervise.Exec {
				what = "program was run"
			}
			r.fact(fact{rule: rules.X03, exploit: true, path: at, name: victimName, step: step, text: "the attacker's " + what + ", and the code reported success"})
		}
	}
}
