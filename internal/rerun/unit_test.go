package rerun

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPattern(t *testing.T) {
	for name, want := range map[string]string{
		"TestX":           `^TestX$`,
		"TestX/a.b/":      `^TestX$/^a\.b$/^$`,
		"FuzzX/two words": `^FuzzX$/^two\x{20}words$`,
		"T/\x00\xff|":     `^T$/^\x{0}` + "\ufffd" + `\|$`,
	} {
		assert.Equal(t, want, Pattern(name))
		for i, p := range strings.Split(Pattern(name), "/") {
			assert.Regexp(t, regexp.MustCompile(p), strings.Split(name, "/")[i])
		}
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, outputHalf, outputHalf + 1, 2 * outputHalf, 2*outputHalf + 1, 5*outputHalf + 77} {
		for _, chunk := range []int{1, 1000, outputHalf, 3 * outputHalf} {
			text := make([]byte, size)
			for i := range text {
				text[i] = byte('a' + i%23)
			}
			var o Output
			for rest := text; len(rest) > 0; {
				n, err := o.Write(rest[:min(chunk, len(rest))])
				require.NoError(t, err)
				rest = rest[n:]
			}
			if size <= 2*outputHalf {
				assert.Equal(t, string(text), o.String())
				assert.Zero(t, o.Dropped())
				continue
			}
			head, tail, ok := strings.Cut(o.String(), "\n[")
			require.True(t, ok)
			_, tail, _ = strings.Cut(tail, " bytes left out]\n")
			assert.Equal(t, string(text[:outputHalf]), head)
			assert.Equal(t, string(text[size-outputHalf:]), tail)
			assert.EqualValues(t, size-2*outputHalf, o.Dropped())
		}
	}
}

func TestPassedOn(t *testing.T) {
	flags := flag.NewFlagSet("test", flag.ContinueOnError)
	flags.Bool("b", false, "")
	flags.String("s", "", "")
	flags.Bool("test.v", false, "")
	flags.Bool("test.short", false, "")
	flags.String("test.run", "", "")
	flags.String("test.gocoverdir", "", "")
	rows := []struct{ name, args, want string }{
		{"none", "", ""},
		{"own flags go", "-test.v -test.run x --test.run=y", ""},
		{"kept flags stay", "-test.short --test.gocoverdir /x", "-test.short --test.gocoverdir /x"},
		{"a value like a flag", "-s -test.v -test.v", "-s -test.v"},
		{"a bool takes no word", "-b -test.v x -test.v", "-b x -test.v"},
		{"the last value is missing", "-s", "-s"},
		{"terminator", "-test.v -- -test.v", "-- -test.v"},
		{"dash is an argument", "-test.v - -test.v", "- -test.v"},
		{"unknown", "-u=1 -test.v", "-u=1"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			assert.Equal(t, row.want, strings.Join(passedOn(strings.Fields(row.args), flags), " "))
		})
	}
}

func TestEnviron(t *testing.T) {
	t.Parallel()
	k := ticket{parent: 1, call: ID{"T", 1}}
	got := environ([]string{"A=b", "GODEBUG=netdns=go,asyncpreemptoff=0", "GORACE=halt_on_error=1", "TEST_TOTAL_SHARDS=2", "TEST_SHARD_INDEX=1",
		"TEST_SHARD_STATUS_FILE=/x", "TESTBRIDGE_TEST_ONLY=TestY", "PWD=/old", Variable + "=x", "EMPTY="}, "/new", k)
	assert.Subset(t, got, []string{"A=b", "GODEBUG=netdns=go,asyncpreemptoff=0,asyncpreemptoff=1", "GORACE=halt_on_error=1 atexit_sleep_ms=0",
		"EMPTY=", Variable + `=1 1 0 0 "T"`})
	for _, setting := range got {
		assert.NotContains(t, setting, "TEST_")
		assert.NotContains(t, setting, "TESTBRIDGE")
		assert.NotEqual(t, Variable+"=x", setting)
	}
	assert.Contains(t, environ(nil, "/new", k), "GODEBUG=asyncpreemptoff=1")
	assert.Contains(t, environ([]string{"GORACE="}, "/new", k), "GORACE=atexit_sleep_ms=0")
}

// TestEnterWhereItCannotBe: each place has the nearest one where it can in
// the other tests.
func TestEnterWhereItCannotBe(t *testing.T) {
	t.Run("bubble", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, err := Enter(t)
			assert.ErrorContains(t, err, "in a synctest bubble")
		})
	})
	t.Run("cleanup", func(t *testing.T) {
		t.Cleanup(func() {
			_, err := Enter(t)
			assert.ErrorContains(t, err, "in a Cleanup function")
		})
	})
	t.Run("benchmark", func(t *testing.T) {
		testing.Benchmark(func(b *testing.B) {
			_, err := Enter(b)
			assert.ErrorContains(t, err, "is a benchmark")
		})
	})
	t.Run("roles", func(t *testing.T) {
		c, err := Enter(t)
		require.NoError(t, err)
		require.Equal(t, Parent, c.Role())
		assert.Panics(t, func() { c.Serve(func() {}) })
		_, ok := c.Earlier()
		assert.False(t, ok)
		other := &Call{t: t, role: Other}
		_, _, err = other.Command()
		assert.ErrorIs(t, err, errRole)
		_, err = other.Once(t.Context(), nil)
		assert.ErrorContains(t, err, errRole.Error())
	})
}

func TestExplain(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name    string
		reached bool
		exit    Exit
		out     string
		kind    Kind
		detail  string
	}{
		{"exit 0", true, Exit{}, "", Exited, "os.Exit(0)"},
		{"exit 2", true, Exit{Code: 2}, "a panic: no\n", Exited, "os.Exit(2)"},
		{"panic", true, Exit{Code: 2}, "x\npanic: yes\n", Panicked, "panic: yes"},
		{"deadlock", true, Exit{Code: 2}, "fatal error: all goroutines are asleep - deadlock!\n", Panicked, "deadlock!"},
		{"panic text, other status", true, Exit{Code: 3}, "panic: yes\n", Exited, "os.Exit(3)"},
		{"timeout", true, Exit{Code: 2}, "panic: test timed out after 1s\n", TimedOut, "was still running"},
		{"signal", true, Exit{Code: -1, Signal: "killed"}, "", Killed, "signal: killed"},
		{"not found", false, Exit{}, "testing: warning: no tests to run\nPASS\n", NotReached, "did not find the test"},
		{"passed", false, Exit{}, "PASS\n", NotReached, "without reaching call 2"},
		{"failed", false, Exit{Code: 1}, "--- FAIL: TestX (0.00s)\n    --- FAIL: TestX/y (0.00s)\nFAIL\n", NotReached, "failed before"},
		{"panicked", false, Exit{Code: 2}, "panic: yes\n", NotReached, "crashed before it reached the call: panic: yes"},
		{"timed out", false, Exit{Code: 2}, "panic: test timed out after 1s\n", NotReached, "had not reached the call"},
		{"killed", false, Exit{Code: -1, Signal: "killed"}, "", NotReached, "was killed before it reached the call (signal: killed)"},
		{"exited", false, Exit{Code: 3}, "", NotReached, "must not end the process in a child (exit status 3)"},
	}
	c := &Call{id: ID{"TestX/y", 2}}
	for _, row := range rows {
		e := c.Explain(row.reached, row.exit, row.out)
		assert.Equal(t, row.kind, e.Kind, row.name)
		assert.Contains(t, e.Error(), row.detail, row.name)
		assert.Contains(t, e.Error(), "TestX/y#2: ", row.name)
	}
}

func TestEnded(t *testing.T) {
	t.Parallel()
	const parent, own = "--- FAIL: TestX (0.00s)\n", "    --- FAIL: TestX/y (0.00s)\n"
	rows := []struct {
		name string
		exit Exit
		out  string
		ok   bool
	}{
		{"well", Exit{}, "PASS\n", true},
		{"the parent alone", Exit{Code: 1}, parent + "FAIL\n", true},
		{"a parent's panic", Exit{Code: 2}, parent + "panic: x\n", true},
		{"the test", Exit{Code: 1}, parent + own + "FAIL\n", false},
		{"a sibling of like name", Exit{Code: 1}, parent + "    --- FAIL: TestX/y2 (0.00s)\n", true},
		{"TestMain", Exit{Code: 1}, "PASS\nleaks\n", false},
		{"a goroutine's panic", Exit{Code: 2}, "panic: x\n", false},
		{"killed", Exit{Code: -1, Signal: "killed"}, parent, false},
	}
	c := &Call{id: ID{"TestX/y", 1}}
	for _, row := range rows {
		e := c.Ended(row.exit, row.out)
		assert.Equal(t, row.ok, e == nil, row.name)
		if e != nil {
			assert.Equal(t, EndedBadly, e.Kind, row.name)
		}
	}
	assert.Equal(t, EndedBadly, (&Call{id: ID{"TestX", 1}}).Ended(Exit{Code: 1}, parent).Kind, "a test without a parent")
}

// TestCapturedOutput: a failure shows what the child has printed.
func TestCapturedOutput(t *testing.T) {
	_, err := once(t, func() string {
		for range 100 {
			os.Stderr.WriteString("a line\n")
		}
		t.Fatal("the last words")
		return ""
	})
	require.ErrorContains(t, err, "the last words")
	assert.Less(t, strings.Count(err.Error(), "a line"), shownLines)
	assert.Contains(t, err.Error(), "lines left out]")
}

func FuzzOnce(f *testing.F) {
	f.Add("added")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := once(t, func() string { return s })
		require.NoError(t, err)
		require.Equal(t, s, got)
	})
}

func FuzzParseTicket(f *testing.F) {
	f.Add(`1 1 0 0 "TestX/a b"`)
	f.Add(ticket{parent: 7, call: ID{"T/\x00\xff", 3}, earlier: 9, result: 3}.String())
	for _, s := range []string{"", "1", `+1 1 0 0 "T"`, `01 1 0 0 "T"`, `1 -1 0 0 "T"`, `1 1 0 0 T`, `1 1 0 0 ""`, `1 1 0 0 "T" `, "1 1 0 0 `T`", `1 1 99999999999 0 "T"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := parseTicket(s)
		if err != nil {
			assert.ErrorContains(t, err, "unset it")
			assert.Zero(t, k)
			return
		}
		assert.Equal(t, s, k.String())
		assert.GreaterOrEqual(t, k.call.N, 0)
		assert.NotEmpty(t, k.call.Test)
	})
}
