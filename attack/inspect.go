package attack

import (
	"path"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/tmptest"
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
		r.fact(fact{rule: tmptest.X06, exploit: true, path: a.dir, name: r.nameAt(a.dir), step: i,
			text: "the attacker's directory was used as the code's own: " + pretty(a.path()) + " was made in it"})
	}
}

// inspectMode notes an object that others can open: its mode is the victim's
// doing, by the mode it asked for or by a chmod.
func (r *run) inspectMode(p string, i int, made bool) {
	n := r.disk.stat(p)
	s := r.steps[i]
	if !n.exists() || n.isLink() || r.attacker.owns(n) || !under(p, dirShared) || r.scene.initial[p] {
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
			r.exposed[n.id] = &exposure{path: p, step: i, perm: n.perm}
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
	if e.told || bits == 0 {
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
