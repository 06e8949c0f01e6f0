package attack

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

func nothing(*Scene) error { return nil }

// TestOptionsRefused: an option that makes no sense gets one error that names
// it, and nothing is run.
func TestOptionsRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts []Option
		want string
	}{
		{"nil option", []Option{nil}, "a nil option"},
		{"nil Setup", []Option{Setup(nil)}, "Setup(nil)"},
		{"nil Ensure", []Option{Ensure(nil)}, "Ensure(nil)"},
		{"nil Restart", []Option{Restart(nil)}, "Restart(nil)"},
		{"Restart twice", []Option{Restart(nothing), Restart(nothing)}, "Restart is given twice"},
		{"Restart of what is no pattern", []Option{Restart(nothing, "[")}, `Target("[")`},
		{"Restart where nothing fails", []Option{Restart(nothing)}, "Restart is about what an error or a kill leaves, and attack.Prove makes neither"},
		{"empty target", []Option{Target("")}, `Target("")`},
		{"absolute target", []Option{Target("/tmp/x")}, `Target("/tmp/x")`},
		{"target above Dir", []Option{Target("a/../../x")}, `Target("a/../../x")`},
		{"bad pattern", []Option{Target("[")}, `Target("[")`},
		{"canary without Setup", []Option{Canary("x")}, "give Setup as well"},
		{"hostile without Setup", []Option{Hostile("x")}, "give Setup as well"},
		{"canary above Home", []Option{Setup(nothing), Canary("../x")}, `Canary("../x")`},
		{"hostile is Dir itself", []Option{Setup(nothing), Hostile(".")}, `Hostile(".")`},
		{"no canary", []Option{Setup(nothing), Canary()}, "name at least one entry"},
		{"depth 0", []Option{Depth(0)}, "Depth(0)"},
		{"depth 5", []Option{Depth(5)}, "Depth(5)"},
		{"no moves", []Option{Moves()}, "name at least one move"},
		{"unknown move", []Option{Moves("teleport")}, `Moves("teleport")`},
		{"no reason", []Option{Allow(rules.C06, " ")}, "Allow(C06): give the reason"},
		{"no reason to be live", []Option{Live("")}, "Live: give the reason"},
		{"no rule", []Option{Allow("", "why")}, `Allow: the rule book has no rule ""`},
		{"expected rule of no book", []Option{Expect("X99")}, `Expect: the rule book has no rule "X99"`},
		{"expect and report", []Option{Expect(), ReportOnly()}, "exclude each other"},
		{"strict and report", []Option{Strict(), ReportOnly()}, "exclude each other"},
		{"a promise of what refuses", []Option{Refuses(), Ensure(nothing)}, "Refuses and Ensure exclude each other"},
		{"no budget", []Option{Budget(0)}, "Budget(0s)"},
		{"negative budget", []Option{Budget(-time.Second)}, "Budget(-1s)"},
		{"no schedules", []Option{Schedules(0)}, "Schedules(0)"},
		{"empty replay", []Option{Replay("")}, "the schedule is empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newOptions(prove, tt.opts)
			require.ErrorContains(t, err, tt.want)
		})
	}
	o, err := newOptions(prove, nil)
	require.NoError(t, err)
	assert.Equal(t, 2, o.depth)
}

// TestOptionsOfOtherVerbs: what is about the attacker's moves is refused
// where none are made, all at once.
func TestOptionsOfOtherVerbs(t *testing.T) {
	for _, how := range []verb{faults, kills} {
		_, err := newOptions(how, []Option{Depth(1), Moves(Symlink), Unsticky(), SameGroup(), Unrelated(), Target("out")})
		for _, option := range []string{"Depth", "Moves", "Unsticky", "SameGroup", "Unrelated"} {
			assert.ErrorContains(t, err, option+" is about the attacker's moves, and "+how.String()+" makes none: leave it out")
		}
		_, err = newOptions(how, []Option{Target("out"), Setup(nothing), Ensure(nothing), Canary("x"), Hostile("y"),
			Restart(nothing), Allow(rules.R07, "why"), Expect(rules.R05), Budget(time.Second), Schedules(1), Replay("x"), Fake()})
		assert.NoError(t, err)
	}
}

// TestInjectionText: injections as a report prints them are read back, and
// stand beside moves in no schedule of the same verb.
func TestInjectionText(t *testing.T) {
	for _, in := range everyInjection() {
		want := []placed{{at: key{"write", "shared/out", "main.go:12", 1}, inject: in}}
		got, err := parseSchedule(scheduleString(want))
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.NotEqual(t, prove, in.of())
		assert.NotEmpty(t, in.text())
	}
	_, err := parseSchedule("fail-ENOSUCH@write:shared/out:main.go:12:1")
	assert.ErrorContains(t, err, "fail-ENOSUCH")
}

// TestErrnosOfCalls: each call that can be a boundary can fail, by errors that
// have a name, and the commonest comes first.
func TestErrnosOfCalls(t *testing.T) {
	for _, tt := range []struct {
		b    boundary
		want string
	}{
		{boundary{call: "openat", kind: supervise.Open}, "EACCES EMFILE ENFILE EINTR EIO ENOMEM"},
		{boundary{call: "openat", kind: supervise.Open, create: true, excl: true}, "ENOSPC EDQUOT EROFS EACCES EPERM EMFILE ENFILE EINTR EIO ENOMEM ENOENT EEXIST"},
		{boundary{call: "write", kind: supervise.Write}, "ENOSPC EDQUOT EFBIG EIO EINTR EPERM"},
		{boundary{call: "fsync", kind: supervise.Write}, "EIO ENOSPC EDQUOT EINTR EROFS"},
		{boundary{call: "close", kind: supervise.Close}, "EIO ENOSPC EDQUOT EINTR"},
		{boundary{call: "close_range", kind: supervise.Close}, ""},
		{boundary{call: "unlinkat", kind: supervise.Unlink}, "EACCES EPERM EBUSY EROFS EIO ENOMEM"},
		{boundary{call: "renameat", kind: supervise.Rename, lookups: []lookup{
			{steps: []access{{dir: "shared", name: "a", last: true}}}, {steps: []access{{dir: "shared", name: "b", last: true}}}}},
			"ENOSPC EDQUOT EROFS EACCES EPERM EBUSY EIO ENOMEM"},
		{boundary{call: "renameat", kind: supervise.Rename, lookups: []lookup{
			{steps: []access{{dir: "home", name: "a", last: true}}}, {steps: []access{{dir: "shared", name: "b", last: true}}}}},
			"ENOSPC EDQUOT EROFS EACCES EPERM EBUSY EIO ENOMEM EXDEV"},
	} {
		var got []string
		for _, errno := range canFail(&tt.b) {
			got = append(got, errnoName(errno))
		}
		assert.Equal(t, tt.want, strings.Join(got, " "), "%s", tt.b.call)
	}
}

// schedules as a report prints them are read back, whatever the names are.
func TestScheduleText(t *testing.T) {
	for _, name := range []string{"shared/out", "shared/a b", "shared/new\nline", "shared/ä;@=:%'\"", "shared/\xff", "shared/*-tmp", ""} {
		want := []placed{
			{at: key{"newfstatat", name, "main.go:12", 3}, move: move{family: Symlink, variant: "file", target: name}},
			{at: key{"openat", name, "(no line)", 1}, move: move{family: Dir, target: name}},
		}
		text := scheduleString(want)
		assert.NotContains(t, text, "'")
		got, err := parseSchedule(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
}

func TestScheduleRefused(t *testing.T) {
	for _, text := range []string{"x", "symlink-file=a", "what=a@openat:a:b:1", "symlink-file=a@openat:a:1", "symlink-file=a@openat:a:b:0", "symlink-file=%zz@openat:a:b:1"} {
		_, err := parseSchedule(text)
		assert.Error(t, err, text)
	}
}

func FuzzParseSchedule(f *testing.F) {
	f.Add("symlink-file=shared/out@newfstatat:shared/out:main.go:12:1;dir=a@openat:a:b:2")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSchedule(text)
		if err != nil {
			return
		}
		again, err := parseSchedule(scheduleString(s))
		require.NoError(t, err)
		require.Equal(t, s, again)
	})
}

func TestReplayFor(t *testing.T) {
	for _, tt := range []struct {
		value string
		call  int
		want  string
		mine  bool
	}{
		{"", 1, "", true},
		{"m=a@b:c:d:1", 1, "m=a@b:c:d:1", true},
		{"m=a@b:c:d:1", 2, "m=a@b:c:d:1", false},
		{"2#m=a@b:c:d:1", 2, "m=a@b:c:d:1", true},
		{"2#m=a@b:c:d:1", 1, "m=a@b:c:d:1", false},
	} {
		got, mine := replayFor(tt.value, tt.call)
		assert.Equal(t, tt.want, got)
		assert.Equal(t, tt.mine, mine)
	}
}
