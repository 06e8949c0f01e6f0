package attack

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/tmptest"
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
		{"no reason", []Option{Allow(tmptest.C06, " ")}, "Allow(C06): give the reason"},
		{"no rule", []Option{Allow(tmptest.Rule{}, "why")}, "Allow: no rule given"},
		{"expected rule without id", []Option{Expect(tmptest.Rule{})}, "Expect: a rule without an id"},
		{"expect and report", []Option{Expect(), ReportOnly()}, "exclude each other"},
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
