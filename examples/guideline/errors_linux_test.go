package guideline

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/sample"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// inTheFaceOfErrors is the guideline's last demand: temporary files are
// cleaned up "even in the face of errors". The rows name the programs of the
// tour and the rules that they break when a call fails, and when they are
// killed.
var inTheFaceOfErrors = []struct {
	name         string
	victim       attack.Victim
	target       string
	fails, kills []rules.Rule
	long         bool // only with TMPPROOF_LONG=1: they end as their neighbours do
}{
	// The file has no name, or loses it at once: nothing stays, come what may.
	{name: "temporaryFile", victim: func(*attack.Scene) error { return temporaryFile(roundTrip) }},
	{name: "createAndUnlink", long: true, victim: func(*attack.Scene) error { return createAndUnlink(roundTrip) }},
	// A name stays after a kill. Nothing but a sweeper helps.
	{name: "namedTemporaryFile", victim: func(*attack.Scene) error { return namedTemporaryFile(roundTrip) },
		kills: []rules.Rule{rules.R07}},
	{name: "spooledFile", long: true, victim: func(*attack.Scene) error { return spool(8, "stuff", " and more stuff") },
		kills: []rules.Rule{rules.R07}},
	{name: "mkstemp", long: true, victim: func(*attack.Scene) error { return mkstemp(roundTrip, holdsStuff) },
		kills: []rules.Rule{rules.R07}},
	{name: "mkdtemp", long: true, victim: func(*attack.Scene) error { return mkdtemp(roundTrip) },
		kills: []rules.Rule{rules.R07}},
	// Safe against an attacker, and yet a file that was begun stays: it is
	// made at the name that it is meant to have.
	{name: "createNew", victim: func(*attack.Scene) error { return createNew("settings") }, target: "settings",
		fails: []rules.Rule{rules.X05}, kills: []rules.Rule{rules.X05}},
	{name: "existsThenOpen", long: true, victim: func(*attack.Scene) error { return existsThenOpen("settings") }, target: "settings",
		fails: []rules.Rule{rules.X05}, kills: []rules.Rule{rules.X05}},
	// What a kill leaves can be read by all.
	{name: "pidName", victim: func(*attack.Scene) error { return useAndRemove(pidName()) },
		kills: []rules.Rule{rules.C05, rules.R07}},
	{name: "reliesOnUmask", long: true, victim: func(*attack.Scene) error { return useAndRemove(reliesOnUmask()) },
		kills: []rules.Rule{rules.C05, rules.R07}},
	// It looks for a free name until a call says that there is none, and takes
	// any error for a name that exists.
	{name: "mktempThenOpen", victim: func(*attack.Scene) error { return useAndRemove(mktempThenOpen()) },
		fails: []rules.Rule{rules.X07}, kills: []rules.Rule{rules.C05, rules.R07}},
	// An early return does not reach the removal.
	{name: "removesWhenAllGoesWell", victim: func(*attack.Scene) error { return removesWhenAllGoesWell(roundTrip) },
		fails: []rules.Rule{rules.R05}, kills: []rules.Rule{rules.R07}},
}

func TestInTheFaceOfErrors(t *testing.T) {
	for _, r := range sample.Third(inTheFaceOfErrors, sample.Short()) {
		if r.long && os.Getenv("TMPPROOF_LONG") != "1" {
			continue
		}
		var opts []attack.Option
		if r.target != "" {
			opts = append(opts, attack.Target(r.target))
		}
		t.Run(r.name+", calls fail", func(t *testing.T) {
			report := attack.Faults(t, r.victim, append(opts, attack.Expect(r.fails...))...)
			assert.Positive(t, report.Schedules)
			tellAll(t, report)
		})
		t.Run(r.name+", killed", func(t *testing.T) {
			report := attack.Kills(t, r.victim, append(opts, attack.Expect(r.kills...))...)
			assert.Positive(t, report.Schedules)
			tellAll(t, report)
		})
	}
}

func tellAll(t *testing.T, report *attack.Report) {
	for _, f := range report.Findings {
		t.Log(f)
	}
}

// TestSameErrors: what is found is the same to the byte each time. See
// TestSameText for what that is tried in.
func TestSameErrors(t *testing.T) {
	if os.Getenv(envRepeat) == "" {
		t.Skip("some seconds for each of its tours: only with " + envRepeat)
	}
	sameText(t, "^TestInTheFaceOfErrors$")
}
