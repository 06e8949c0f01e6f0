package attack

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// concerns are the rules that a verb judges by. What the trace of an
// undisturbed run says of names and modes is Prove's affair.
var concerns = map[verb][]rules.Rule{
	faults: {rules.C13, rules.C14, rules.R01, rules.R03, rules.R05, rules.R11, rules.R13, rules.R14, rules.X01, rules.X05, rules.X07},
	kills:  {rules.C05, rules.R01, rules.R05, rules.R06, rules.R07, rules.R13, rules.R14, rules.X01, rules.X05, rules.X07},
}

func (v verb) judges(rule rules.Rule) bool {
	return !v.injects() || slices.ContainsFunc(concerns[v], func(r rules.Rule) bool { return r == rule })
}

// sealInjected judges what is left of a run in which something was injected.
func (r *run) sealInjected() {
	at := r.injectedAt()
	if r.unhandled() {
		r.facts = nil
		return
	}
	switch o := r.outcome; {
	case o.End == hung || o.End == endless && !r.creates(len(r.steps)-1),
		o.End == exited && r.plan.opt.verb == faults,
		o.End == panicked && !strings.Contains(o.Text, injectedPanic):
		r.injectedFact(rules.X07, at, r.steps[at].subject(), "the code "+o.String())
		r.facts[len(r.facts)-1].fix = o.fix()
		return // what it left half done is the consequence
	case o.End == endless:
		r.injectedFact(rules.C13, at, r.steps[at].subject(), "the code "+o.String())
		return
	}
	if r.plan.opt.refuses && r.outcome.success() {
		r.injectedFact(rules.X05, at, r.steps[at].subject(), "and the code returned nil, where an undisturbed run refuses")
	}
	r.goesOn = r.plan.opt.restart != nil
	r.judgeWhole(at)
	r.judgeBehind(at)
	if r.plan.opt.verb == faults {
		r.judgeRetry(at)
		r.judgeSync(at)
	}
}

// unhandled says that a signal ended the process at once, as SIGKILL does:
// the code has no handler, and nothing is to be said that SIGKILL has not. A
// call that came after it is the handler's, which has raised the signal again;
// where the code has goroutines of its own that cannot be told.
func (r *run) unhandled() bool {
	s := r.steps[r.injectedAt()]
	if r.outcome.End != killed || s.answer.sig == syscall.SIGKILL {
		return false
	}
	return r.plan.concurrent || s == r.steps[len(r.steps)-1]
}

// creates says that a step may make a name.
func (r *run) creates(i int) bool {
	switch s := r.steps[i]; s.kind {
	case supervise.Open:
		return s.create || s.tmpfile
	case supervise.Mkdir, supervise.Mknod, supervise.Link, supervise.Symlink:
		return true
	}
	return false
}

// injectedFact is a finding at a step, with what was injected first.
func (r *run) injectedFact(rule rules.Rule, at int, name, text string) {
	var parts []string
	for _, i := range r.struck {
		s := r.steps[i]
		text := s.call + " " + s.answer.text()
		switch s.answer.act {
		case kill:
			text = signalName(s.answer.sig) + " came before " + s.call
		case panics, goexits:
			text = "at " + s.call + " " + s.answer.text()
		}
		parts = append(parts, text)
	}
	what := strings.Join(parts, ", then ")
	if r.sticky != nil {
		what += ", and so do all later calls"
	}
	r.fact(fact{rule: rule, exploit: rule != rules.R07 && rule != rules.C14, path: name, name: name, step: at, text: what + ": " + text, fix: fixOfInjected(rule)})
}

// judgeWhole sees that each target is as it was before, or as an undisturbed
// run leaves it; the latter if the code reported success.
func (r *run) judgeWhole(at int) {
	if len(r.plan.targets) == 0 {
		return
	}
	for i, now := range r.targets() {
		want := r.plan.targets[i]
		var old target
		if i < len(r.before) {
			old = r.before[i]
		}
		if r.outcome.success() {
			r.judgePromise(at, i, now, old)
			continue
		}
		if !r.plan.stableTargets && (r.plan.loose == nil || len(want.entries) == 0) {
			continue
		}
		for _, e := range now.entries {
			how := r.wrongTarget(i, e)
			if len(want.entries) == 0 && r.plan.stableTargets {
				how = describe(e)
			}
			if r.restartJudges(e.rel) {
				continue
			}
			if how != "" && !old.has(e) && !r.passes(e, old, want) {
				r.injectedFact(rules.X05, at, path.Join(dirShared, e.rel), "the code "+r.outcome.String()+
					", and the target "+pretty(e.rel)+" is neither what was there before nor what an undisturbed run leaves: "+how)
			}
		}
		for _, e := range old.entries {
			is := func(n targetEntry) bool { return n.rel == e.rel }
			if !r.restartJudges(e.rel) && !slices.ContainsFunc(now.entries, is) && slices.ContainsFunc(want.entries, is) {
				r.injectedFact(rules.X05, at, path.Join(dirShared, e.rel), "the code "+r.outcome.String()+", and the target "+pretty(e.rel)+" is gone")
			}
		}
	}
}

// judgePromise sees that what a successful run leaves is what an undisturbed
// one does, modes included.
func (r *run) judgePromise(at, i int, now, old target) {
	pattern, want := r.plan.opt.targets[i], r.plan.targets[i]
	say := func(name, text string) {
		r.injectedFact(rules.X05, at, path.Join(dirShared, name), text+", and the code reported success")
	}
	if !r.restartJudges(pattern) && len(now.entries) < len(want.entries) {
		say(pattern, "the target "+pretty(pattern)+" is not there")
		return
	}
	for _, e := range now.entries {
		if r.passes(e, old, want) || r.restartJudges(e.rel) {
			continue // see judgeBehind and judgeRestart
		}
		sameKind := func(w targetEntry) bool { return w.kind == e.kind }
		sameMode := func(w targetEntry) bool { return w.kind == e.kind && w.perm == e.perm }
		how := r.wrongTarget(i, e)
		if len(want.entries) == 0 && r.plan.stableTargets || len(want.entries) > 0 && !slices.ContainsFunc(want.entries, sameKind) {
			how = describe(e)
		}
		switch {
		case how != "":
			say(e.rel, "the target "+pretty(e.rel)+" is not what an undisturbed run leaves: "+how)
		case len(want.entries) > 0 && !slices.ContainsFunc(want.entries, sameMode):
			say(e.rel, "the target "+pretty(e.rel)+" has mode "+octal(e.perm)+", and after an undisturbed run "+octal(want.entries[slices.IndexFunc(want.entries, sameKind)].perm))
		}
	}
}

// passes reports whether an entry was not there before and is gone after an
// undisturbed run: a lock file, a socket. It may stay where the code has named
// it a target, but is not compared.
func (r *run) passes(e targetEntry, old, want target) bool {
	return !old.names(e.rel) && !want.names(e.rel) && r.plan.passing[path.Join(dirShared, e.rel)]
}

func (t target) names(rel string) bool {
	return slices.ContainsFunc(t.entries, func(e targetEntry) bool { return e.rel == rel })
}

func (t target) has(e targetEntry) bool {
	return slices.ContainsFunc(t.entries, e.same)
}

// judgeBehind looks for what the code left in Dir and was not meant to.
func (r *run) judgeBehind(at int) {
	o := r.outcome
	var told []string
	for _, name := range r.listing() {
		n := r.disk.stat(name)
		if r.scene.initial[name] || r.plan.isTarget(name) && !r.unreported(name) || r.holdsTarget(name, n) || r.plan.leaves(r.plan.names.shape(name)) {
			continue
		}
		r.judgePrivate(name, n)
		if slices.ContainsFunc(told, func(t string) bool { return under(name, t) }) {
			continue
		}
		told = append(told, name)
		text := "the code " + o.String() + ", and left " + pretty(name) + " (" + n.kindName() + ", mode " + octal(n.perm) + ") behind"
		switch how := r.steps[at].answer; {
		case how.sig == syscall.SIGKILL:
			if !r.hides(name, n) {
				r.injectedFact(rules.R07, r.maker(name), name, text)
			}
		case how.act != fail && how.act != short: // of which the code could know
			r.injectedFact(rules.R06, r.maker(name), name, text)
		case !r.stuckAt(name):
			r.injectedFact(rules.R05, at, name, text)
		case o.success():
			r.injectedFact(rules.R11, at, name, text+", since its removal failed")
		}
	}
	if o.End == returned {
		for _, name := range o.Open {
			if !r.plan.leftOpen[r.plan.names.shape(name)] {
				r.injectedFact(rules.R03, r.leaked(name), name, "the code "+o.String()+", and left a descriptor of "+pretty(name)+" open")
			}
		}
	}
}

// unreported reports whether a target that the code removes stays since its
// removal failed, and the code reported success.
func (r *run) unreported(name string) bool {
	return r.plan.opt.verb == faults && r.outcome.success() && r.plan.passing[name] && r.stuckAt(name)
}

// judgePrivate sees that others cannot open what a killed process left.
func (r *run) judgePrivate(name string, n node) {
	if n.perm&0o077 == 0 || n.isLink() || n.perm&0o022 == 0 && r.plan.publishes[r.plan.names.shape(name)] {
		return
	}
	if _, search, _, _ := r.attacker.inDir(path.Dir(name)); search {
		r.injectedFact(rules.C05, r.maker(name), name, "the code "+r.outcome.String()+", and left "+pretty(name)+" (mode "+octal(n.perm)+") where others can reach it")
	}
}

// hides says that a file which SIGKILL left was about to lose its name: its
// removal is the very next call. One that was worked on before is told at the
// calls in between.
func (r *run) hides(name string, n node) bool {
	s := r.steps[len(r.steps)-1]
	if s.kind != supervise.Unlink || !n.regular() || len(s.lookups) == 0 {
		return false
	}
	a, _ := s.lookups[0].final()
	return a.path() == name
}

// stuckAt reports whether the code did try to remove a name, and the removal was
// made to fail, or the look that it begins with.
func (r *run) stuckAt(name string) bool {
	tried := false
	for i, s := range r.steps {
		about := s.topic()
		if !under(name, about) && !under(about, name) {
			continue
		}
		if s.answer.act == fail && r.plan.looks.begins(s, slices.Contains(r.struck, i)) {
			return true
		}
		removes := s.kind == supervise.Unlink || s.kind == supervise.Rmdir
		switch {
		case removes && under(name, about):
			tried = true
		case r.creates(i) && s.answer.act != fail && about == name && !s.finds():
			tried = false // what was removed is gone, and this is another
		}
		if (tried || removes) && s.answer.act == fail {
			return true // it, or what it holds
		}
	}
	return false
}

// judgeRetry sees a creation that was tried again after an error for which
// another name is no cure.
func (r *run) judgeRetry(at int) {
	s := r.steps[at]
	if !r.creates(at) {
		return
	}
	switch s.answer.errno {
	case syscall.EEXIST, syscall.EINTR, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM:
		return
	}
	n := 0
	for _, t := range r.steps {
		if t.key.site() == s.key.site() {
			n++
		}
	}
	if was := max(1, r.plan.occurrences[s.key.site()]); n > was {
		more := "once"
		if n-was > 1 {
			more = fmt.Sprintf("%d times", n-was)
		}
		r.injectedFact(rules.C14, at, s.subject(), "the code tried "+more+" more, and "+r.outcome.String())
	}
}

// judgeSync sees an error of fsync or close that was swallowed after data was
// written: the kernel says there, and only there, that it was lost.
func (r *run) judgeSync(at int) {
	if !r.outcome.success() {
		return
	}
	dirty := map[string]bool{}
	lost := map[string]*step{}
	for _, s := range r.steps {
		failed := s.answer.act == fail
		synced := s.call == "fsync" || s.call == "fdatasync" || s.call == "msync"
		switch {
		case (s.kind == supervise.Rename || s.kind == supervise.Link) && !failed && s.movable():
			if from, to := s.ends(); from != "" && to != "" && from != to {
				dirty[to], lost[to] = dirty[from], lost[from]
				if s.kind == supervise.Rename {
					delete(dirty, from)
					delete(lost, from)
				}
			}
		case s.kind == supervise.Unlink && !failed: // what comes to that name later is another file
			delete(dirty, s.topic())
			delete(lost, s.topic())
		case s.call == "syncfs":
			for name := range dirty {
				if failed && dirty[name] && lost[name] == nil {
					lost[name] = s
				}
				dirty[name] = dirty[name] && failed
			}
		case failed && s.call == "msync":
			lost[s.object] = s // what was stored is not seen
		case s.call == "sync_file_range": // says nothing of what is lost
		case failed && (synced || s.kind == supervise.Close):
			if dirty[s.object] && s.answer.errno != syscall.EINTR && lost[s.object] == nil {
				lost[s.object] = s
			}
		case synced:
			dirty[s.object] = false
		case s.kind == supervise.Write && !failed:
			dirty[s.object] = true
		}
	}
	for _, name := range sortedKeys(lost) {
		if s := lost[name]; s != nil && r.plan.isTarget(name) && r.disk.stat(name).exists() {
			r.injectedFact(rules.X05, at, name, "the code reported success, though "+s.call+" of "+pretty(name)+" had failed: what was written to it may be lost")
		}
	}
}

// movable reports whether a rename or a link can succeed: there is something at
// the old name, and for a link nothing at the new one.
func (s *step) movable() bool {
	last := len(s.lookups) - 1
	for i, l := range s.lookups {
		a, ok := l.final()
		if ok && i < last && !a.node.exists() || ok && i == last && s.kind == supervise.Link && a.node.exists() {
			return false
		}
	}
	return true
}

// ends are the two names of a link or a rename, "" for what is no name in the
// scene. A file without a name is given one by its descriptor.
func (s *step) ends() (from, to string) {
	from = s.object
	for i, l := range s.lookups {
		a, ok := l.final()
		switch {
		case !ok:
		case i == len(s.lookups)-1:
			to = a.path()
		default:
			from = a.path()
		}
	}
	return from, to
}
