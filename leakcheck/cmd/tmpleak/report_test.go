//go:build linux && (amd64 || arm64)

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// TestText: what the report says of what was found, and where it stops.
func TestText(t *testing.T) {
	file := func(test, name string) *leak {
		return &leak{Rule: "R01", rule: rules.R01, Path: "/tmp/" + name, What: "file", Size: 1, Mode: "0600", Test: test, Where: "x_test.go:1"}
	}
	broken := func(n int, k brokenRule) (list []*brokenRule) {
		for i := range n {
			one := k
			one.Rule, one.rule, one.Path, one.Where = "C11", rules.C11, "/tmp/x", fmt.Sprint("x.go:", i)
			list = append(list, &one)
		}
		return list
	}
	for _, tt := range []struct {
		name string
		r    result
		cfg  config
		has  []string // "!x": x is not in it
	}{
		{"nothing", result{}, config{}, []string{"tmpleak: example.com/p: 0 leaks, 0 broken rules, of 0 calls watched by 0 processes\n", "!fix", "!cache"}},
		{"caches of the go command", result{Watched: 1, Processes: 1, Cached: 2}, config{}, []string{"of 1 call watched by 1 process; 2 new entries of the go command's caches\n"}},
		{"one", result{Leaks: []*leak{file("TestA", "up")}}, config{}, []string{`TestA left "up" in /tmp, made at x_test.go:1`, "/tmp/up: file, 1 byte, mode 0600", " -exec tmpleak -run '^(TestA)$' example.com/p\n", "!did not come"}},
		{"one, strict", result{Leaks: []*leak{file("TestA", "up")}}, config{strict: true}, []string{" -exec 'tmpleak -strict' -run '^(TestA)$' example.com/p\n"}},
		{"a subtest, twice", result{Leaks: []*leak{file("TestA/x", "up"), file("TestA/y", "up")}}, config{}, []string{" -run '^(TestA)$' "}},
		{"of no test", result{Leaks: []*leak{file("TestA", "up"), file("", "down")}}, config{}, []string{`the tests left "down"`, "-exec tmpleak example.com/p\n", "!-run"}},
		{"of a goroutine's function", result{Leaks: []*leak{file("helper", "up")}}, config{}, []string{"-exec tmpleak example.com/p\n"}},
		{"of an interrupted run", result{Leaks: []*leak{file("TestA", "up")}, interrupted: true}, config{}, []string{"the tests did not come to their end: what is left may be a result of that"}},
		{"a process", result{Leaks: []*leak{{Rule: "R14", rule: rules.R14, Path: "sleep", PID: 7, Test: "TestA", Where: "x_test.go:1", Via: "sh"}}}, config{},
			[]string{`TestA left the process "sleep" running, started at x_test.go:1 by the program sh`, "    process 7\n"}},
		{"a rule", result{Broken: broken(1, brokenRule{How: "created", Times: 3, Via: "touch", Tests: []string{"TestA", "TestB"}})}, config{},
			[]string{"tmpleak: warning: C11 ", "/tmp/x: created, at x.go:0 by the program touch, in TestA, TestB (3 times)\n"}},
		{"a rule, strict", result{Broken: broken(1, brokenRule{})}, config{strict: true}, []string{"tmpleak: C11 ", "!warning"}},
		{"a rule in many tests", result{Broken: broken(1, brokenRule{Tests: []string{"TestA", "TestB", "TestC", "TestD"}})}, config{}, []string{"in TestA, TestB, TestC and others\n"}},
		{"a rule at many places", result{Broken: broken(mostSpots+2, brokenRule{})}, config{}, []string{"x.go:7", "    and at 2 more places\n", "!x.go:8"}},
		{"a line that broke several rules", result{Broken: []*brokenRule{
			{Rule: "C03", rule: rules.C03, Path: "/tmp/x", How: "mode 0644", Where: "x.go:1 < a.go:1", Tests: []string{"TestA"}, Times: 2},
			{Rule: "C01", rule: rules.C01, Path: "/tmp/x", How: "no O_EXCL", Where: "x.go:1 < a.go:1", Callers: []string{"x.go:1 < b.go:1", "x.go:1 < c.go:1"}, Tests: []string{"TestC", "TestB"}, Times: 3},
			{Rule: "C03", rule: rules.C03, Path: "/tmp/y", How: "mode 0666", Where: "y.go:1", Times: 1},
		}}, config{}, []string{"tmpleak: warning: C01 ", "tmpleak: warning: C03 ", "    fix: C01: ", "    fix: C03: ", ", 3 broken rules at 2 lines, ",
			"    /tmp/x: no O_EXCL; mode 0644, at x.go:1 < a.go:1 and from 2 more callers, in TestA, TestB, TestC (3 times)\n", "    /tmp/y: mode 0666, at y.go:1\n"}},
		{"what was not followed", result{Missed: []string{"a program"}}, config{}, []string{"tmpleak: not followed: a program\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.Package = "example.com/p"
			text := tt.r.text(&tt.cfg)
			for _, s := range tt.has {
				if not, ok := strings.CutPrefix(s, "!"); ok {
					assert.NotContains(t, text, not)
				} else {
					assert.Contains(t, text, s)
				}
			}
		})
	}
}

// TestWrite: the report replaces an older one, whole; what cannot be written
// leaves nothing.
func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "er")
	r := &result{Package: "example.com/p:q"}
	at := filepath.Join(dir, "example.com_p_q.json")
	for _, status := range []string{"PASS", "FAIL"} {
		r.Status = status
		require.NoError(t, r.write(dir))
		b, err := os.ReadFile(at)
		require.NoError(t, err)
		var got map[string]any
		require.NoError(t, json.Unmarshal(b, &got))
		assert.Equal(t, status, got["status"])
		for _, list := range []string{"leaks", "broken", "missed"} {
			assert.Equal(t, []any{}, got[list], list)
		}
	}
	require.NoError(t, os.Remove(at))
	require.NoError(t, os.MkdirAll(filepath.Join(at, "x"), 0o700)) // cannot be replaced
	assert.Error(t, r.write(dir))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "%v", entries)
}

// TestFolded: a line has one row for a rule, whoever called it.
func TestFolded(t *testing.T) {
	w := newWatch(&config{program: "/proc/self/exe"})
	for i, m := range []maker{{where: "x.go:1 < a.go:1", test: "TestA"}, {where: "x.go:1 < b.go:1", test: "TestB"}, {where: "x.go:1 < b.go:1", test: "TestB"}, {where: "y.go:1"}, {where: "x.go:1", via: "touch"}} {
		w.breaks(rules.C01, fmt.Sprint("/tmp/", i), &m, "so")
	}
	require.Len(t, w.broken, 3)
	k := w.broken[brokenKey{"C01", "x.go:1 "}]
	assert.Equal(t, brokenRule{Rule: "C01", Title: rules.C01.Title(), Path: "/tmp/0", How: "so", Times: 3, Tests: []string{"TestA", "TestB"}, Where: "x.go:1 < a.go:1", Callers: []string{"x.go:1 < b.go:1"}, rule: rules.C01, fix: rules.C01.Fix()}, *k)
}

// TestFixOf: code that may have asked os.TempDir is not told to.
func TestFixOf(t *testing.T) {
	t.Setenv("TMPDIR", "/var/tmp/")
	assert.Contains(t, fixOf(rules.C11, "/tmp/x"), "use os.TempDir")
	assert.NotContains(t, fixOf(rules.C11, "/var/tmp/x"), "os.TempDir")
	assert.Contains(t, fixOf(rules.C11, "/var/tmp/x"), "os.MkdirTemp")
	assert.Equal(t, rules.C01.Fix(), fixOf(rules.C01, "/var/tmp/x"))
}

// TestSourceFile: the short name of a source file.
func TestSourceFile(t *testing.T) {
	l := &sources{dir: "/src/p", pkg: "a.com/m/p"}
	for name, want := range map[string]string{
		"/src/p/x_test.go":           "x_test.go",
		"/src/p/sub/x.go":            "sub/x.go",
		"/src/q/x.go":                "q/x.go",
		"a.com/m/p/x.go":             "x.go", // -trimpath
		"a.com/m/p_test/x_test.go":   "x_test.go",
		"a.com/m/q/x.go":             "q/x.go",
		"/root/go/mod/b@v1/y/z/x.go": "z/x.go",
	} {
		assert.Equal(t, want, l.file(name), name)
	}
}

// TestSweep: of very many names those that are there are kept, and the latest.
func TestSweep(t *testing.T) {
	w := newWatch(&config{program: "/proc/self/exe"})
	here := filepath.Join(t.TempDir(), "here")
	require.NoError(t, os.WriteFile(here, nil, 0o600))
	dir := t.TempDir()
	m := &maker{test: "TestX"}
	w.note(here, m)
	for i := range 20_001 {
		w.calls++
		w.note(filepath.Join(dir, fmt.Sprint(i)), m)
	}
	assert.Contains(t, w.made, here)
	assert.Contains(t, w.made, filepath.Join(dir, "20000"))
	assert.Contains(t, w.made, filepath.Join(dir, "19500"), "its call may not have been carried out")
	assert.NotContains(t, w.made, filepath.Join(dir, "100"))
	assert.Less(t, len(w.made), 1100)
}
