package attack

import (
	"path"
	"slices"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// inspect looks at the names that a step may have made.
func (r *run) inspect(i int) {
	s := r.steps[i]
	r.afterIt(s)
	for _, l := range s.lookups {
		a, ok := l.final()
		if !ok {
			continue
		}
		p := a.path()
		switch s.kind {
		case supervise.Check, supervise.Read, supervise.Special:
			r.noteAbsent(a, i)
		case supervise.Open:
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
			if l.makes {
				r.inspectNew(a, i)
			}
		case supervise.Attr:
			r.inspectMode(p, i, false)
			r.inspectOwner(a.node, s)
		case supervise.Mount:
			if l.makes {
				r.inspectMount(a.node, i)
			}
		}
	}
	if s.kind == supervise.Attr && s.object != "" {
		r.inspectMode(s.object, i, false)
		r.inspectOwner(r.disk.stat(s.object), s)
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
	if !r.attacker.owns(dir) || r.scene.hostile[dir.id] {
		return
	}
	if n := r.disk.stat(a.path()); n.exists() && n.id != a.node.id && !r.attacker.owns(n) {
		r.fact(fact{rule: rules.X06, exploit: true, path: a.dir, name: r.nameAt(a.dir), step: r.adopted(a.dir, i, false), fix: r.fixOfAdopted(a.dir, i),
			text: "the attacker's directory was used as the code's own: " + pretty(a.path()) + " was made in it"})
	}
}

// inspectMode notes an object that others can open: its mode is the victim's
// doing, by the mode it asked for or by a chmod.
func (r *run) inspectMode(p string, i int, made bool) {
	n := r.disk.stat(p)
	s := r.steps[i]
	if !n.exists() || n.isLink() || r.attacker.owns(n) || !under(p, dirShared) || r.scene.before[n.id] {
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
			e := &exposure{path: p, step: i, id: n.id}
			r.exposed[n.id] = e
			r.fact(fact{rule: rules.C03, path: p, name: p, step: i, open: e,
				text: pretty(p) + " has mode " + octal(n.perm) + " where others can reach it (the code starts with umask 0: a mode is its own doing)"})
		}
		if e := r.exposed[n.id]; e != nil {
			if len(r.plan.opt.public) > 0 && n.perm&^e.perm&0o044 != 0 && n.regular() {
				e.was = r.digest(p)
			}
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
		r.reads = append(r.reads, fact{rule: rules.X01, exploit: true, path: name, name: r.victimName(), step: i,
			text: pretty(name) + ": a file system was mounted over it, and the code reported success"})
	}
}

// checkExposed sees whether an object that others can open got content.
func (r *run) checkExposed(e *exposure) {
	bits := e.perm & 6
	if r.plan.opt.sameGroup {
		bits |= e.perm >> 3 & 6
	}
	if bits &^= e.told; bits == 0 {
		return
	}
	n := r.disk.stat(e.path)
	if !n.regular() || r.exposed[n.id] != e || n.size == 0 {
		return
	}
	if r.attacker.tampered[n.id] != "" {
		return
	}
	e.told |= bits
	for _, can := range []struct {
		bit  uint32
		rule rules.Rule
		verb string
	}{{4, rules.X04, "read"}, {2, rules.X09, "changed"}} {
		if bits&can.bit != 0 {
			r.fact(fact{rule: can.rule, exploit: true, path: e.path, name: e.path, step: e.step, open: e,
				text: pretty(e.path) + " with mode " + octal(e.perm) + " could be " + can.verb + " by others when it had content"})
		}
	}
}

// judgePublic takes back what was said of files that others may read: they had
// all of their content when others could first read them, and nobody else can
// write them.
func (r *run) judgePublic() {
	if len(r.plan.opt.public) == 0 {
		return
	}
	r.facts = slices.DeleteFunc(r.facts, func(f fact) bool {
		return f.open != nil && (f.rule == rules.C03 || f.rule == rules.X04) && r.isPublic(f.open) && f.open.perm&0o022 == 0
	})
	for i, f := range r.facts {
		if f.open != nil && f.rule == rules.X04 && r.becomesPublic(f.open) {
			r.facts[i].text = pretty(f.path) + " with mode " + octal(f.open.perm) + " could be read by others before it was whole"
			r.facts[i].fix = fixPublic
		}
	}
}

// isPublic reports whether others may read what they could.
func (r *run) isPublic(e *exposure) bool {
	n, at := r.find(e.id, e.path)
	switch {
	case !r.becomesPublic(e):
		return false
	case !n.exists() || n.isDir():
		return true
	}
	return !n.regular() || r.digest(at) == e.was
}

// becomesPublic reports whether an object ends under a name of Public, or would
// have without the attack.
func (r *run) becomesPublic(e *exposure) bool {
	n, at := r.find(e.id, e.path)
	if !n.exists() {
		return r.plan.mayBePublic(e.path) || r.plan.publishes[r.plan.names.shape(r.exposedAs(e))]
	}
	if r.plan.mayBePublic(at) {
		r.public = append(r.public, r.exposedAs(e))
		return true
	}
	return r.plan.publishes[r.plan.names.shape(r.exposedAs(e))]
}

// exposedAs is the name under which others could first open an object.
func (r *run) exposedAs(e *exposure) string { return r.steps[e.step].topic() }

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
		r.fact(fact{rule: rules.C01, path: p, name: p, step: i, fix: r.fixOfCreate(p),
			text: s.call + " creates " + pretty(p) + " without O_EXCL in a directory where others may create it first"})
		if at, ok := r.absent[p]; ok {
			r.fact(fact{rule: rules.C10, path: p, name: p, step: i,
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
		s := r.steps[i]
		f := fact{rule: rules.C06, path: p, name: p, step: i, fix: fixOfName(s), known: s.exclusive() && meantToBeKnown(why),
			text: pretty(p) + " can be foretold: " + why}
		if pat, ok := r.plan.names.pattern(a.name); ok && pat.few {
			f.rule, f.fix, f.known, f.text = rules.C08, fixOfRule, false, pretty(p)+" can be guessed: "+why
		}
		r.fact(f)
	}
}
