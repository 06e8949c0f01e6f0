package rerun

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// one is a fixture of one test.
func one(body func(t *testing.T)) fixture {
	return fixture{tests: []testing.InternalTest{{Name: "TestFixture", F: body}}}
}

// unreached is a fixture whose child does not come to the call.
func unreached(detail string, main func(run func()), before func(t *testing.T)) fixture {
	f := one(func(t *testing.T) {
		if IsChild() {
			before(t)
		}
		_, err := once(t, func() string { return "" })
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, NotReached, e.Kind)
		assert.Contains(t, e.Detail, detail)
		t.Log(err)
	})
	f.main = main
	return f
}

func nothing(*testing.T) {}

func fixtures() map[string]fixture {
	exit := func(code int) func(func()) {
		return func(run func()) {
			if IsChild() {
				os.Exit(code)
			}
			run()
		}
	}
	return map[string]fixture{
		"rounds": {tests: []testing.InternalTest{{Name: "TestA", F: rounds}, {Name: "TestB", F: rounds}}},
		"flags":  {tests: []testing.InternalTest{{Name: "TestFixture", F: testFlags}}, main: flagsMain},
		"who":    one(who),
		"wait":   one(waitForEnd),
		"removed": one(func(t *testing.T) {
			if path, _ := os.Executable(); !IsChild() {
				require.NoError(t, os.Remove(path))
				require.NoError(t, os.WriteFile(path, []byte("#!/bin/false\n"), 0o755))
			}
			got, err := once(t, func() string { return "alive" })
			require.NoError(t, err)
			require.Equal(t, "alive", got)
		}),
		"homeless": one(func(t *testing.T) {
			require.NoError(t, os.Remove(process.dir))
			_, err := once(t, func() string { return "" })
			require.ErrorContains(t, err, "the directory that the test was started in is gone")
		}),
		"descriptors": one(descriptors),
		"timeout": one(func(t *testing.T) {
			_, err := once(t, func() string { select {} })
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, TimedOut, e.Kind)
		}),
		"hangs": one(func(t *testing.T) {
			_, _ = once(t, func() string { waitForEnd(t); return "" })
		}),
		"name that changes": one(func(t *testing.T) {
			t.Run(strconv.Itoa(os.Getpid()), func(t *testing.T) {
				_, err := once(t, func() string { return "" })
				require.ErrorContains(t, err, "did not find the test: its name must be the same in each run")
			})
		}),
		"skips before":  unreached("passed the test without reaching call 1", nil, func(t *testing.T) { t.Skip("a child") }),
		"fails before":  unreached("failed before it reached the call", nil, func(t *testing.T) { t.Fatal("a child") }),
		"panics before": unreached("crashed before it reached the call: panic: a child", nil, func(t *testing.T) { panic("a child") }),
		"killed before": unreached("killed before it reached the call", nil, func(t *testing.T) {
			p, err := os.FindProcess(os.Getpid())
			require.NoError(t, err)
			require.NoError(t, p.Kill())
			select {}
		}),
		"exits before":   unreached("ended before it reached the call: TestMain", exit(0), nothing),
		"exits 7 before": unreached("exit status 7", exit(7), nothing),
	}
}

// rounds calls twice, the second time with the first result at hand, in
// parallel subtests.
func rounds(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"x", "y", "x"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, err := once(t, func() string { return strconv.Itoa(runtime.GOMAXPROCS(0)) })
			require.NoError(t, err)
			assert.Equal(t, strconv.Itoa(runtime.GOMAXPROCS(0)), first)
			second, err := once(t, func() string { return first + first })
			require.NoError(t, err)
			assert.Equal(t, first+first, second)
		})
	}
}

type list []string

func (l *list) String() string     { return fmt.Sprint(*l) }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

type seen struct {
	Name           string
	Flag           bool
	Items          []string
	Args           []string
	Short, Verbose string
	Parallel, Skip string
}

var userFlags seen

func flagsMain(run func()) {
	flag.StringVar(&userFlags.Name, "name", "", "")
	flag.BoolVar(&userFlags.Flag, "flag", false, "")
	flag.Var((*list)(&userFlags.Items), "item", "")
	run()
}

func testFlags(t *testing.T) {
	see := func() seen {
		s := userFlags
		s.Args = process.flags.Args()
		value := func(name string) string { return process.flags.Lookup(name).Value.String() }
		s.Short, s.Verbose = value("test.short"), value("test.v")
		s.Parallel, s.Skip = value("test.parallel"), value("test.skip")
		return s
	}
	want := see()
	want.Verbose, want.Skip = "false", ""
	os.Args = []string{"tool"}
	flag.CommandLine = flag.NewFlagSet("tool", flag.ContinueOnError)
	got, err := once(t, func() string {
		data, err := json.Marshal(see())
		require.NoError(t, err)
		return string(data)
	})
	require.NoError(t, err)
	var child seen
	require.NoError(t, json.Unmarshal([]byte(got), &child))
	require.Equal(t, want, child)
	data, err := json.Marshal(child)
	require.NoError(t, err)
	fmt.Printf("child: %s\n", data)
}

// who prints what this process takes itself for.
func who(t *testing.T) {
	_, inherits := os.LookupEnv(Variable)
	c, err := Enter(t)
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	fmt.Println("role:", c.Role(), "child:", IsChild(), "variable:", inherits)
}

const addressVariable = "RERUN_ADDRESS"

// waitForEnd tells the test that it is there, and ends when the test goes.
func waitForEnd(t *testing.T) {
	conn, err := net.Dial("tcp", os.Getenv(addressVariable))
	require.NoError(t, err)
	_, err = conn.Write([]byte{'!'})
	require.NoError(t, err)
	fmt.Println("waiting")
	_, _ = conn.Read(make([]byte, 1))
}

// descriptors looks for what Once leaves in the parent.
func descriptors(t *testing.T) {
	count := func() string {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		var names []string
		for _, e := range entries {
			link, _ := os.Readlink("/proc/self/fd/" + e.Name())
			kind, _, _ := strings.Cut(link, ":[")
			names = append(names, e.Name()+" "+kind)
		}
		slices.Sort(names)
		return strings.Join(names, "\n")
	}
	_, err := once(t, func() string { return "" }) // starts what the runtime keeps
	require.NoError(t, err)
	before := count()
	for i := range 6 {
		_, _ = once(t, func() string {
			if i%2 == 0 {
				os.Exit(i)
			}
			return ""
		})
	}
	assert.Equal(t, before, count())
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > 3 && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	assert.LessOrEqual(t, runtime.NumGoroutine(), 3)
}
