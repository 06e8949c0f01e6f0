package attack

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// Option changes what an attack does. Without options it is the strict, right
// thing: a sticky shared directory, nothing may stay behind, every rule
// counts, depth two.
type Option interface{ apply(*options) }

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

type options struct {
	verb          verb
	setup, ensure func(*Scene) error
	restart       func(*Scene) error
	covers        []string // targets that restart speaks of; none: all
	targets       []string
	public        []string
	canaries      []string
	hostile       []string
	depth         int
	unrelated     bool
	unsticky      bool
	sameGroup     bool
	moves         []Move
	allow         map[string]string
	expect        []rules.Rule
	expects       bool
	reportOnly    bool
	strict        bool // warnings fail as well
	refuses       bool // the undisturbed run returns an error
	firstFinding  bool
	budget        time.Duration
	budgetBy      string // what bounds it
	maxSchedules  int
	replay        string
	shard         shard
	slow          int                // a factor for the budget
	ran           func([]placed)     // for tests: told of each schedule that was run
	live          string             // why nothing is held still
	fake          bool               // the world is a disk in memory
	everywhere    []string           // for the full search: see plan
	lanes         int                // for tests: this many, from the first schedule on
	calls         int                // of one run; for tests other than maxCalls
	tactics       func(*tactic) bool // for tests: those that a race may use; nil for all
	errs          []error
}

// Setup runs before each run of the victim, in the fresh scene, and makes
// what the victim works on. It is not attacked. An error of it fails the
// test.
func Setup(f func(*Scene) error) Option {
	return optionFunc(func(o *options) {
		o.refuse(f == nil, "Setup(nil): give a function")
		o.setup = f
	})
}

// Ensure must hold whenever the victim has returned nil: the promise of the
// code under test, in its own terms. It runs after the victim and is not
// attacked.
func Ensure(f func(*Scene) error) Option {
	return optionFunc(func(o *options) {
		o.refuse(f == nil, "Ensure(nil): give a function")
		o.ensure = f
	})
}

// Target names what the victim is meant to leave in Dir, as path.Match
// patterns below it. What a pattern matches, and all below it, may stay; on
// success it must be there, with the content of an undisturbed run, and be
// the victim's own. Its name may be foretold.
func Target(patterns ...string) Option {
	return optionFunc(func(o *options) {
		for _, p := range patterns {
			_, err := path.Match(p, "")
			o.refuse(err != nil || p == "" || path.IsAbs(p) || slices.Contains(strings.Split(p, "/"), ".."),
				"Target(%q): not a path.Match pattern relative to Scene.Dir", p)
		}
		o.targets = append(o.targets, patterns...)
	})
}

// Public names what the victim leaves in Dir for everybody to read: a page, a
// key. It is a Target as well. Others may read it once it is whole, also under
// the name that it had before a rename; a file that has not all of its content
// when it gets its mode is X04. Others may not write it (X09).
func Public(patterns ...string) Option {
	return optionFunc(func(o *options) {
		o.refuse(len(patterns) == 0, "Public(): name at least one pattern")
		Target(patterns...).apply(o)
		o.public = append(o.public, patterns...)
	})
}

// Restart is what the code does when it starts again after an error or a kill:
// it opens the log, the store, the queue, with its own recovery, and returns an
// error where that is not what it may find. Faults and Kills run it on what each
// of their runs has left, in a fresh process, which has the machine's own time
// and number; with Fake in the test's own, on the disk that is left. An error of
// it, a panic, an end of the process and a hang are X05.
//
// It takes the place of the comparison with the old and the new content, for all
// targets, or for those that the patterns name, which are Targets as well. A log
// may end in a torn record then, if the code copes with it. Two things stay as
// they are. Under Faults a victim that returned nil has kept its promise: Ensure
// holds, or, where there is none, each target is as an undisturbed run leaves it.
// And what Restart does not find at the victim's next call it cannot miss: what
// was acknowledged before the end, the victim notes in Home, where Restart reads
// it.
//
// What SIGKILL left in Dir and Restart has removed is reclaimed, and no R07. On
// what an undisturbed run leaves Restart must return nil. It is not attacked.
func Restart(f func(*Scene) error, targets ...string) Option {
	return optionFunc(func(o *options) {
		o.refuse(f == nil, "Restart(nil): give the function that opens what is left")
		o.refuse(o.restart != nil, "Restart is given twice: one function looks at all that is left")
		Target(targets...).apply(o)
		o.restart, o.covers = f, targets
	})
}

// Canary names entries that Setup makes below Home and that nothing may
// touch, beside the canaries that every scene has.
func Canary(rel ...string) Option {
	return optionFunc(func(o *options) { o.canaries = append(o.canaries, o.local("Canary", "Home", rel)...) })
}

// Hostile names entries below Dir that Setup makes and that belong to the
// attacker, with all below them: an archive, a root file system, an upload
// folder. The victim sees the attacker as their owner, and reading them is no
// finding.
func Hostile(rel ...string) Option {
	return optionFunc(func(o *options) { o.hostile = append(o.hostile, o.local("Hostile", "Dir", rel)...) })
}

// Depth is the greatest number of moves in one schedule, 1 to 4; 2 if not
// given. A further move is on what an earlier one has moved, on what lies
// behind that, or at a call that the victim makes only because of it; see
// Unrelated.
func Depth(n int) Option {
	return optionFunc(func(o *options) {
		o.refuse(n < 1 || n > 4, "Depth(%d): 1 to 4 moves in a schedule", n)
		o.depth = n
	})
}

// Unrelated lets the moves of one schedule have nothing to do with each other:
// a plant at one name and another one at a second, where the victim makes the
// same calls after the first as before. Code that looks at several names before
// it acts can need it: if both lock files are there, then. The number of
// schedules grows with the square of all boundaries, not of those of one path.
func Unrelated() Option { return optionFunc(func(o *options) { o.unrelated = true }) }

// Unsticky runs in a shared directory without the sticky bit: the attacker
// may remove, replace and exchange the victim's entries too.
func Unsticky() Option { return optionFunc(func(o *options) { o.unsticky = true }) }

// SameGroup gives the attacker the group's permission bits as well.
func SameGroup() Option { return optionFunc(func(o *options) { o.sameGroup = true }) }

// Moves restricts the attacker to some moves. The verdict then says nothing
// of the others.
func Moves(moves ...Move) Option {
	return optionFunc(func(o *options) {
		o.refuse(len(moves) == 0, "Moves(): name at least one move")
		for _, m := range moves {
			o.refuse(!slices.Contains(allMoves, m), "Moves(%q): the moves are %v", m, allMoves)
		}
		o.moves = append(o.moves, moves...)
	})
}

// Live lets the victim have the machine's own clock, process numbers and
// chance, for a reason that is written down, and shown in the report. Without it
// they are held still: see the package documentation. Names are then taken for
// chance unless they have a time or a process number in one of the usual
// notations.
func Live(reason string) Option {
	return optionFunc(func(o *options) {
		o.refuse(strings.TrimSpace(reason) == "", "Live: give the reason why nothing may be held still")
		o.live = reason
	})
}

// Allow accepts findings of a rule, for a reason that is written down.
func Allow(rule rules.Rule, reason string) Option {
	return optionFunc(func(o *options) {
		o.refuse(!rule.Known(), "Allow: the rule book has no rule %q", rule.ID())
		o.refuse(strings.TrimSpace(reason) == "", "Allow(%s): give the reason why it is accepted", rule.ID())
		o.allow[rule.ID()] = reason
	})
}

// FirstFinding ends the search at the first finding that fails the test, with
// the schedules first that break most code: for victims whose runs take long. go
// test -failfast does the same where no Expect is given. What else there is to be
// found is not said, and Complete is false; Expect is content with one of its
// rules.
func FirstFinding() Option { return optionFunc(func(o *options) { o.firstFinding = true }) }

// Strict lets warnings fail the test too. Those are the findings of the rules
// of level w (R07, R14, C14 ...): without Strict they are logged, unless Expect
// names the rule.
func Strict() Option { return optionFunc(func(o *options) { o.strict = true }) }

// Refuses says that the victim is right to return an error without any attack:
// a test of hostile input, such as an archive with names that lead out of the
// directory (see Hostile). Then the refusal is what is attacked: nothing may be
// damaged, read or left behind on the way to it. The test fails if the
// undisturbed victim returns nil, and, under Faults, if it does so after an
// error.
func Refuses() Option { return optionFunc(func(o *options) { o.refuses = true }) }

// Expect is for code that is known to be broken: the test fails unless
// exactly these rules are found. Without rules it expects a clean verdict.
// Warnings (see Strict) that it does not name are logged.
func Expect(list ...rules.Rule) Option {
	return optionFunc(func(o *options) {
		for _, r := range list {
			o.refuse(!r.Known(), "Expect: the rule book has no rule %q", r.ID())
		}
		o.expects = true
		o.expect = append(o.expect, list...)
	})
}

// ReportOnly leaves the verdict to the caller: findings do not fail the test.
// A run that could not finish still does.
func ReportOnly() Option { return optionFunc(func(o *options) { o.reportOnly = true }) }

// Budget bounds the time of the whole exploration. The default is half of
// what t.Deadline leaves, one minute at most; Budget gets four fifths of it at
// most. TMPPROOF_SLOW=n in the environment makes every budget n times as long, for
// emulators and loaded machines.
func Budget(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.refuse(d <= 0, "Budget(%v): give a positive duration", d)
		o.budget = d
	})
}

// Schedules bounds the number of schedules.
func Schedules(limit int) Option {
	return optionFunc(func(o *options) {
		o.refuse(limit < 1, "Schedules(%d): at least one", limit)
		o.maxSchedules = limit
	})
}

// Replay repeats just one schedule, as a report printed it.
func Replay(schedule string) Option {
	return optionFunc(func(o *options) {
		o.refuse(schedule == "", "Replay: the schedule is empty")
		o.replay = schedule
	})
}

func (o *options) refuse(wrong bool, format string, args ...any) {
	if wrong {
		o.errs = append(o.errs, fmt.Errorf(format, args...))
	}
}

// local checks names relative to a part of the scene.
func (o *options) local(option, part string, rel []string) []string {
	o.refuse(len(rel) == 0, "%s(): name at least one entry", option)
	var clean []string
	for _, r := range rel {
		c := path.Clean(r)
		o.refuse(r == "" || path.IsAbs(r) || c == "." || c == ".." || strings.HasPrefix(c, "../"), "%s(%q): not a name below Scene.%s", option, r, part)
		clean = append(clean, c)
	}
	return clean
}

func newOptions(how verb, opts []Option) (*options, error) {
	o := &options{verb: how, allow: map[string]string{}}
	for _, opt := range opts {
		if opt == nil {
			o.refuse(true, "a nil option")
			continue
		}
		opt.apply(o)
	}
	var err error
	o.slow, err = rerun.Slowness()
	o.refuse(err != nil, "%v", err)
	o.refuse(len(o.canaries) > 0 && o.setup == nil, "Canary names entries that Setup makes: give Setup as well")
	o.refuse(len(o.hostile) > 0 && o.setup == nil, "Hostile names entries that Setup makes: give Setup as well")
	o.refuse(o.expects && o.reportOnly, "Expect and ReportOnly exclude each other")
	o.refuse(o.strict && o.reportOnly, "Strict and ReportOnly exclude each other")
	o.refuse(o.refuses && o.ensure != nil, "Refuses and Ensure exclude each other: Ensure is about a victim that returned nil")
	o.targets = once(o.targets)
	o.refuse(o.restart != nil && !how.injects(), "Restart is about what an error or a kill leaves, and %v makes neither: leave it out, or use attack.Faults and attack.Kills", how)
	if how.injects() {
		for _, given := range []struct {
			option string
			is     bool
		}{{"Depth", o.depth != 0}, {"Moves", len(o.moves) > 0}, {"Unrelated", o.unrelated}, {"Unsticky", o.unsticky}, {"SameGroup", o.sameGroup}} {
			o.refuse(given.is, "%s is about the attacker's moves, and %v makes none: leave it out", given.option, how)
		}
	}
	if o.depth == 0 {
		o.depth = 2
	}
	return o, errors.Join(o.errs...)
}

// seesWrites reports whether each write is a boundary, at which others may look at
// a file that is not whole yet.
func (o *options) seesWrites() bool { return len(o.public) > 0 && !o.verb.injects() }

// once leaves out what comes a second time.
func once(list []string) (all []string) {
	for _, s := range list {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// fails reports whether a finding of a rule fails the test.
func (o *options) fails(rule rules.Rule) bool {
	if rule.Level() == rules.Fail || o.strict {
		return true
	}
	return slices.ContainsFunc(o.expect, func(r rules.Rule) bool { return r == rule })
}

func (o *options) allows(m Move) bool { return len(o.moves) == 0 || slices.Contains(o.moves, m) }
