package attack

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/tmpproof/tmpproof/internal/leftover"
	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// ending is how the victim came back, or did not.
type ending uint8

const (
	returned ending = iota // with or without an error
	failed                 // t.Error, t.Fatal, t.Skip, or a verb was called in it
	goexit                 // runtime.Goexit
	panicked               //
	exited                 // os.Exit, or the process crashed
	hung                   // waits for something that will not come
	endless                // makes calls without end
	killed                 // by the signal of a schedule
)

// outcome is what a run came to.
type outcome struct {
	End        ending        `json:"end"`
	Err        string        `json:"err,omitempty"`
	Nil        bool          `json:"nil,omitempty"`    // returned without an error
	Text       string        `json:"text,omitempty"`   // panic value and stack, or the process's last words
	Ensure     string        `json:"ensure,omitempty"` // what Ensure said
	Setup      string        `json:"setup,omitempty"`  // what Setup said
	Goroutines int           `json:"goroutines,omitempty"`
	At         string        `json:"-"` // the FIFO or the locked file at which it waits
	Late       string        `json:"-"` // a call that one of them then made
	Processes  int           `json:"processes,omitempty"`
	Ran        bool          `json:"ran,omitempty"` // it has started processes
	Context    context       `json:"context"`
	Removed    bool          `json:"-"`                 // the victim removed a part of the scene itself
	Refused    string        `json:"-"`                 // what the victim tried to do to the process of the test
	Spent      bool          `json:"-"`                 // the process must not be used for another run
	Changed    bool          `json:"changed,omitempty"` // the process is not what it was before: a limit, a standard descriptor
	Started    []string      `json:"started,omitempty"` // processes that the test had started before
	Outside    []outsideCall `json:"-"`
	WentOn     int           `json:"-"` // by how many seconds the held clock went on
	Unheld     []string      `json:"-"` // what of its knowledge could not be held still, and why
	Drained    bool          `json:"-"` // it came to the end of a random device, which has none
	Misled     string        `json:"-"` // a made-up process number that it used where it cannot be translated
	Open       []string      `json:"-"` // names in the scene of descriptors that are open at the end
}

func (o *outcome) success() bool { return o.End == returned && o.Nil }

// String is the outcome in a report's words.
func (o *outcome) String() string {
	switch o.End {
	case returned:
		if o.Nil {
			return "returned nil"
		}
		return "returned an error: " + firstLine(o.Err)
	case failed:
		return firstLine(o.Text)
	case goexit:
		return "ended its goroutine (runtime.Goexit)"
	case panicked:
		return "panicked: " + firstLine(o.Text)
	case exited:
		return "ended the process: " + firstLine(o.Text)
	case hung:
		return "did not come back: " + firstLine(o.Text)
	case endless:
		return "made calls without end: " + firstLine(o.Text)
	case killed:
		return "was killed"
	}
	return "?"
}

// finish judges the state that the run left behind.
func (r *run) finish(o *outcome) {
	if r.outcome == nil {
		r.seal(o)
	}
	last := len(r.steps) - 1
	if at := r.injectedAt(); at >= 0 {
		last = at
	}
	if o.Ensure != "" && o.success() {
		r.fact(fact{rule: rules.X05, exploit: r.moved(), path: r.victimName(), name: r.victimName(), step: last,
			text: "Ensure does not hold although the code reported success: " + firstLine(o.Ensure)})
	}
	if len(o.Open) > 0 && !r.moved() {
		r.fact(fact{rule: rules.R03, exploit: true, path: o.Open[0], name: o.Open[0], step: r.leaked(o.Open[0]),
			text: "the code " + o.String() + ", and left a descriptor of " + pretty(o.Open[0]) + " open"})
	}
	if o.Late != "" {
		r.fact(fact{rule: rules.R14, path: dirShared, name: dirShared, step: last,
			text: "a goroutine that the code started went on after it returned: " + o.Late})
	}
	if o.Processes > 0 {
		r.fact(fact{rule: rules.R13, path: dirShared, name: dirShared, step: last, fix: fixProcess,
			text: fmt.Sprintf("%d process(es) that the code started were alive when it returned", o.Processes)})
	}
}

// returned judges the state before Ensure looks at it: its reads are not the
// victim's.
func (r *run) returned() { r.seal(&outcome{End: returned, Nil: true}) }

// seal takes the state as the victim left it.
func (r *run) seal(o *outcome) {
	r.outcome = o
	r.attacker.look()
	r.settle(nil)
	if o.success() {
		r.facts = append(r.facts, r.reads...)
	}
	if r.plan.opt.verb.injects() && r.moved() {
		r.sealInjected()
		return
	}
	if r.asking() {
		return // nothing is judged
	}
	switch o.End {
	case panicked, hung, endless, exited:
		if r.moved() {
			r.fact(fact{rule: rules.X07, exploit: true, path: r.victimName(), name: r.victimName(), step: r.standstill(), text: "the code " + o.String(), fix: o.fix()})
			return // what it left half done is the consequence
		}
	}
	r.judgePublic()
	r.judgePlants()
	r.judgeAdoption()
	r.judgeTargets()
	r.judgeLeftovers()
}

// standstill is the step at which a run that did not come back ended: the
// FIFO at which it waits, since other goroutines may have gone on.
func (r *run) standstill() int {
	if r.outcome.At != "" {
		return r.lastUse(r.outcome.At)
	}
	return len(r.steps) - 1
}

// judgeAdoption sees a directory of the attacker's that stands where the
// victim would have made its own, and success.
func (r *run) judgeAdoption() {
	if !r.outcome.success() || !r.moved() {
		return
	}
	for i, s := range r.steps {
		if s.kind != supervise.Mkdir {
			continue
		}
		for _, l := range s.lookups {
			a, ok := l.final()
			if !ok {
				continue
			}
			n := r.disk.stat(a.path())
			if p := r.attacker.own[n.id]; p != nil && p.dir && !r.scene.hostile[n.id] && !r.madeAnother(i) && !r.gaveUp(i, a.path()) {
				r.fact(fact{rule: rules.X06, exploit: true, path: a.path(), name: a.path(), step: i, fix: r.fixOfAdopted(a.path(), i),
					text: "the attacker's directory " + pretty(a.path()) + " was taken for the one that the code meant to make, and the code reported success"})
			}
		}
	}
}

// gaveUp reports whether the code removed, or renamed away, the directory that
// it had made in step i before the attacker put another there. What it still
// looks for under that name is not what it made: see inspectNew and judgePlant
// for what it then makes and reads there.
func (r *run) gaveUp(i int, name string) bool {
	given := false
	for j := i + 1; j < len(r.steps); j++ {
		s := r.steps[j]
		if m := slices.IndexFunc(s.moves, func(m appliedMove) bool { return m.path == name }); m >= 0 {
			return given && !s.moves[m].over
		}
		switch s.kind {
		case supervise.Mkdir:
			given = given && !s.about(0, name)
		case supervise.Unlink, supervise.Rmdir, supervise.Rename:
			given = given || s.about(0, name)
		}
	}
	return false
}

// about reports whether the i-th path of a call ends at an entry.
func (s *step) about(i int, name string) bool {
	if i >= len(s.lookups) {
		return false
	}
	a, ok := s.lookups[i].final()
	return ok && a.path() == name
}

// madeAnother says that after step i the code made a directory, or a file that
// was not there, as it does not undisturbed: it took another name.
func (r *run) madeAnother(i int) bool {
	return slices.ContainsFunc(r.steps[i+1:], func(s *step) bool {
		return (s.kind == supervise.Mkdir || s.excl) && slices.ContainsFunc(s.lookups, func(l lookup) bool {
			a, ok := l.final()
			if !ok || a.node.exists() {
				return false
			}
			shape := r.plan.names.shape(a.path())
			if s.kind == supervise.Mkdir {
				return !r.plan.made[shape]
			}
			return r.plan.sites[site{call: s.call, shape: shape}] == 0 && !r.attacker.owns(r.disk.stat(a.dir))
		})
	})
}

// target is what an unattacked run leaves under one pattern.
type target struct {
	entries []targetEntry
}

type targetEntry struct {
	rel, kind string
	perm      uint32
	file      digest    // of a file
	dir       string    // of a directory: what is below it, see rename
	outline   string    // likewise, the names only
	below     []content // likewise, before
}

// same says that two entries are of one kind and have one content.
func (e targetEntry) same(o targetEntry) bool {
	return e.kind == o.kind && e.file == o.file && e.dir == o.dir
}

// targets reads what is there under each pattern of Target.
func (r *run) targets() []target { return r.targetsOf(r.listing()) }

func (r *run) targetsOf(listing []string) []target {
	var all []target
	for _, p := range r.plan.opt.targets {
		var t target
		for _, name := range listing {
			rel := name[len(dirShared)+1:]
			if ok, _ := path.Match(p, rel); !ok {
				continue
			}
			n := r.disk.stat(name)
			e := targetEntry{rel: rel, kind: n.kindName(), perm: n.perm}
			if n.isDir() {
				e.below = r.contents(name, listing)
			}
			if n.regular() {
				e.file = r.digest(name)
			}
			t.entries = append(t.entries, e)
		}
		all = append(all, t)
	}
	r.plan.names.rename(all)
	return all
}

// content is an entry below a target that is a directory.
type content struct{ rel, what string }

// contents are what lies below a directory: a target as a whole, but for what
// the attacker put there.
func (r *run) contents(dir string, listing []string) []content {
	var all []content
	for _, name := range listing {
		if name == dir || !under(name, dir) {
			continue
		}
		n := r.disk.stat(name)
		if r.attacker.owns(n) {
			continue
		}
		c := content{name[len(dir)+1:], n.kindName()}
		if n.regular() {
			c.what += r.digest(name).line()
		}
		all = append(all, c)
	}
	return all
}

// rename writes the contents of directories with the patterns of names that are
// known by now. Their order is not that of the names, which can be chance.
func (n *names) rename(targets []target) {
	for _, t := range targets {
		for i, e := range t.entries {
			if e.kind != "directory" {
				continue
			}
			var lines, names []string
			for _, c := range e.below {
				name := n.shape(e.rel + "/" + c.rel)[len(n.shape(e.rel)):] + " "
				kind, _, _ := strings.Cut(c.what, " ")
				lines, names = append(lines, name+c.what+"\n"), append(names, name+kind+"\n")
			}
			slices.Sort(lines)
			slices.Sort(names)
			t.entries[i].dir, t.entries[i].outline = strings.Join(lines, ""), strings.Join(names, "")
		}
	}
}

func (r *run) judgeTargets() {
	if !r.outcome.success() || !r.moved() || len(r.plan.targets) == 0 {
		return
	}
	for i, now := range r.targets() {
		want := r.plan.targets[i]
		pattern := r.plan.opt.targets[i]
		say := func(p, text string, by against) {
			r.fact(fact{rule: rules.X05, exploit: true, path: p, name: r.victimName(), step: r.adopted(p, len(r.steps)-1, true), text: text + ", and the code reported success", against: by})
		}
		if len(now.entries) < len(want.entries) {
			say(path.Join(dirShared, pattern), "the target "+pretty(pattern)+" is not there", byPresence)
			continue
		}
		var wrong []func()
		note := func(p, text string, by against) { wrong = append(wrong, func() { say(p, text, by) }) }
		for _, e := range now.entries {
			name := path.Join(dirShared, e.rel)
			n := r.disk.stat(name)
			switch {
			case r.scene.hostile[n.id]:
			case r.attacker.owns(n):
				note(name, "the target "+pretty(name)+" is the attacker's "+n.kindName(), byPresence)
			case r.isCanary(n):
				note(name, "the target "+pretty(name)+" is another user's file", byPresence)
			default:
				if how := r.wrongTarget(i, e); how != "" {
					note(name, "the target "+pretty(name)+" is not what an undisturbed run leaves: "+how, byContent)
				}
			}
		}
		if len(now.entries)-len(wrong) >= len(want.entries) {
			continue // where a pattern leaves the choice, the code took another name
		}
		for _, tell := range wrong {
			tell()
		}
	}
}

func describe(e targetEntry) string {
	switch {
	case e.kind == "file":
		return e.file.String()
	case e.dir != "":
		return "a " + e.kind + " with " + leftover.Count(strings.Count(e.dir, "\n"), "entry", "entries")
	}
	return "a " + e.kind
}

func (r *run) isCanary(n node) bool { return r.guard.canary(n) != "" }

// tree lists all names below a directory, sorted, links not followed.
func (r *run) tree(dir string, depth int) []string {
	list, err := r.disk.list(dir)
	if err != nil || depth > 64 {
		return nil
	}
	slices.Sort(list)
	var all []string
	for _, e := range list {
		name := path.Join(dir, e)
		all = append(all, name)
		if r.disk.stat(name).isDir() {
			all = append(all, r.tree(name, depth+1)...)
		}
	}
	return all
}

// listing is all below Dir when the victim has come back.
func (r *run) listing() []string {
	if r.shared == nil {
		r.shared = append([]string{}, r.tree(dirShared, 0)...)
	}
	return r.shared
}

// judgeLeftovers looks for what the victim left in Dir and was not meant to.
func (r *run) judgeLeftovers() {
	var told []string
	for _, name := range r.listing() {
		n := r.disk.stat(name)
		if r.scene.initial[name] || r.attacker.owns(n) || r.isCanary(n) || r.plan.isTarget(name) || r.holdsTarget(name, n) {
			continue
		}
		if slices.ContainsFunc(told, func(t string) bool { return under(name, t) }) || r.insideAttackers(name) {
			continue
		}
		told = append(told, name)
		rule, exploit := rules.R01, false
		switch {
		case r.moved():
			rule, exploit = rules.X08, true
			if r.plan.leaves(r.plan.names.shape(name)) {
				continue // the undisturbed run says so already
			}
		case !r.outcome.success():
			rule = rules.R05
		}
		text := "the code " + r.outcome.String() + " and left " + pretty(name) + " (" + n.kindName() + ", mode " + octal(n.perm) + ") behind"
		r.fact(fact{rule: rule, exploit: exploit, path: name, name: name, step: r.maker(name), text: text, fix: fixOfLeftover(rule, n)})
	}
}

// holdsTarget spares a directory that is on the way to a target.
func (r *run) holdsTarget(name string, n node) bool {
	if !n.isDir() {
		return false
	}
	for _, p := range r.plan.opt.targets {
		rel := name[len(dirShared)+1:]
		for d := path.Dir(p); d != "." && d != "/"; d = path.Dir(d) {
			if ok, _ := path.Match(d, rel); ok {
				return true
			}
		}
	}
	return false
}

func (r *run) insideAttackers(name string) bool {
	for d := path.Dir(name); d != dirShared && d != "."; d = path.Dir(d) {
		if r.attacker.owns(r.disk.stat(d)) {
			return true
		}
	}
	return false
}

// maker is the step that made an entry.
func (r *run) maker(name string) int {
	for i := len(r.steps) - 1; i >= 0; i-- {
		s := r.steps[i]
		switch s.kind {
		case supervise.Open, supervise.Mkdir, supervise.Mknod, supervise.Link, supervise.Symlink, supervise.Rename:
			if n := len(s.lookups); n > 0 {
				if a, ok := s.lookups[n-1].final(); ok && a.path() == name && (s.kind != supervise.Open || s.create) {
					return i
				}
			}
		}
	}
	return len(r.steps) - 1
}
