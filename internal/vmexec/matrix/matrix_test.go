//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// output is a run of three tests as result has it.
func output(ends map[string]string, lines map[string]string) result {
	r := result{ends: ends, lines: map[string][]string{}, counts: map[string]int{}}
	for name, text := range lines {
		r.lines[name] = []string{text}
	}
	return r
}

func TestParse(t *testing.T) {
	r, err := parse([]byte("\x16=== RUN   TestA\n\x16=== RUN   TestA/x\n    a_test.go:1: 2 boundaries, 18 schedules (each one twice: why), 4 findings, 3.9s\n"+
		"\x16--- PASS: TestA/x (0.02s)\n\x16=== RUN   TestA/y\n    a_test.go:2: 1 of 9 known schedules, 1 a second, 2s left\n    a_test.go:2: no reason\n\x16--- SKIP: TestA/y (0.00s)\n"+
		"\x16--- PASS: TestA (0.02s)\n\x16=== RUN   TestB\n    b\n\x16--- FAIL: TestB (0.00s)\n\x16=== NAME  \nFAIL\n"), 1)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"TestA": "pass", "TestA/x": "pass", "TestA/y": "skip", "TestB": "fail"}, r.ends)
	assert.Equal(t, "    a_test.go:1: 2 boundaries, 18 schedules, 4 findings\n--- PASS: TestA/x\n", r.text("TestA/x"))
	assert.Equal(t, "    a_test.go:2: no reason\n--- SKIP: TestA/y\n", r.text("TestA/y"))
	var o outcome
	o.count(r)
	assert.Equal(t, []int{3, 1, 2, 18}, []int{o.tests, o.skipped, o.boundaries, o.schedules})
}

func TestJudge(t *testing.T) {
	proof := "    a_test.go:1: 2 boundaries, 18 schedules, 0 findings, 1s\n"
	plain, locked := cell{yama: -1}, cell{yama: 3}
	for _, tt := range []struct {
		name   string
		cell   cell
		ends   map[string]string
		lines  map[string]string
		status int
		part   part
		fault  string // empty: none
	}{
		{"passes", plain, map[string]string{"TestA": "pass"}, nil, 0, usual, ""},
		{"fails", plain, map[string]string{"TestA": "fail"}, map[string]string{"TestA": "why"}, 1, usual, "TestA failed:\nwhy"},
		{"dies", plain, map[string]string{"TestA": "pass"}, nil, 2, usual, "exit status 2"},
		{"nothing ran", plain, nil, nil, 0, usual, "no test passed"},
		{"no guest", plain, map[string]string{"TestA": "pass"}, nil, 125, usual, "did not come up"},
		{"skip without a reason on the list", plain, map[string]string{"TestA": "skip", "TestB": "pass"}, map[string]string{"TestA": "no kernel"}, 0, usual, "TestA was skipped, which is not on the list:\nno kernel"},
		{"skip on the list", plain, map[string]string{"TestCgo": "skip", "TestB": "pass"}, map[string]string{"TestCgo": "there is no gcc here"}, 0, usual, ""},
		{"the same reason of another test", plain, map[string]string{"TestOracles": "skip", "TestB": "pass"}, map[string]string{"TestOracles": "there is no gcc here"}, 0, usual, "TestOracles was skipped"},
		{"left out of a short run", plain, map[string]string{"TestA": "skip", "TestB": "pass"}, map[string]string{"TestA": "not with -short"}, 0, short, ""},
		{"left out of a usual run", plain, map[string]string{"TestA": "skip", "TestB": "pass"}, map[string]string{"TestA": "takes seconds: run with TMPPROOF_LONG=1"}, 0, usual, ""},
		{"left out of a long one", plain, map[string]string{"TestA": "skip", "TestB": "pass"}, map[string]string{"TestA": "takes seconds: run with TMPPROOF_LONG=1"}, 0, long, "TestA was skipped"},
		{"of a usual one", plain, map[string]string{"TestA": "skip", "TestB": "pass"}, map[string]string{"TestA": "not with -short"}, 0, usual, "TestA was skipped"},
		{"refused", locked, map[string]string{"TestA": "fail"}, map[string]string{"TestA": "a.go:1: Yama's ptrace_scope"}, 1, usual, ""},
		{"refused for another reason", locked, map[string]string{"TestA": "fail"}, map[string]string{"TestA": "a.go:1: EBUSY"}, 1, usual, "not for ptrace_scope"},
		{"clean though nothing can be read", locked, map[string]string{"TestA": "pass", "TestB": "fail"}, map[string]string{"TestA": proof, "TestB": "a.go:1: Yama's ptrace_scope"}, 1, usual, "TestA gives a verdict"},
		{"not refused", locked, map[string]string{"TestA": "pass"}, nil, 0, usual, "nothing was refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := output(tt.ends, tt.lines)
			r.status, r.raw = tt.status, []byte("the guest did not come up")
			faults := strings.Join(judge(tt.cell, r, tt.part), "\n")
			if tt.fault == "" {
				assert.Empty(t, faults)
				return
			}
			assert.Contains(t, faults, tt.fault)
		})
	}
}

func TestDifference(t *testing.T) {
	ends := map[string]string{"TestA": "pass", "TestB": "pass"}
	here := output(ends, map[string]string{"TestA": "one\ntwo, 1.5s\n", "TestB": "x\n"})
	assert.Empty(t, output(ends, map[string]string{"TestA": "one\ntwo, 23ms\n", "TestB": "x\n"}).difference(here), "time is no difference")
	assert.Contains(t, output(ends, map[string]string{"TestA": "one\n2, 23ms\n", "TestB": "x\n"}).difference(here), "--- here, line 2\none\ntwo\n")
	assert.Contains(t, output(map[string]string{"TestB": "pass"}, map[string]string{"TestB": "x\n"}).difference(here), "TestA: pass here,  there")
	assert.Empty(t, output(map[string]string{"TestA": "skip", "TestB": "pass"}, map[string]string{"TestB": "x\n"}).difference(here), "a skip is judged elsewhere")

	sh := func(name, call string) result {
		return output(ends, map[string]string{"TestA": fmt.Sprintf("    %-20s | attacker\n    %-20s | moves\n", "victim", name+": "+call), "TestB": "x\n"})
	}
	assert.Empty(t, sh("busybox", "openat a").difference(sh("dash", "openat a")), "another shell is no difference")
	assert.NotEmpty(t, sh("busybox", "openat b").difference(sh("dash", "openat a")))
	assert.NotEmpty(t, sh("true", "openat a").difference(sh("dash", "openat a")), "another program is")
}

func TestTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "K.md")
	row := func(series string, user, tests int) outcome {
		return outcome{cell: cell{series: series, arch: "amd64", suite: suites[2], user: user, settings: "off", yama: -1}, scene: "tmpfs", tests: tests}
	}
	whole := row("6.12", 0, 1)
	whole.part, whole.multi = long, true
	require.NoError(t, updateTable(path, whole, row("5.10", 0, 2), row("5.10", 65534, 2)))
	require.NoError(t, updateTable(path, row("6.1", 65534, 3), row("5.10", 0, 4)))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	head, rows, ok := strings.Cut(string(data), columns)
	require.True(t, ok)
	assert.Contains(t, head, `
| suite | 5.10 amd64 | 6.1 amd64 | 6.12 amd64 |
|---|---|---|---|
| oracles | 2 | 1 | |
| oracles, long | | | 1 |
`)
	assert.Equal(t, `| 5.10 amd64 | oracles | 0 | off | tmpfs | 4 | 0 | 0 | 0 | yes |
| 5.10 amd64 | oracles | 65534 | off | tmpfs | 2 | 0 | 0 | 0 | yes |
| 6.1 amd64 | oracles | 65534 | off | tmpfs | 3 | 0 | 0 | 0 | yes |
| 6.12 amd64 | oracles, long, CPUs in parallel | 0 | off | tmpfs | 1 | 0 | 0 | 0 | yes |
`, rows)
}

// TestCommittedTable: the table in the tree is as a run would write it.
func TestCommittedTable(t *testing.T) {
	data, err := os.ReadFile("../KERNELS.md")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "K.md")
	require.NoError(t, os.WriteFile(path, data, 0o644))
	require.NoError(t, updateTable(path))
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(data), string(again))
	assert.Contains(t, string(data), "| 5.10 amd64 |")
}

func TestCells(t *testing.T) {
	p := plan{kernels: "5.10/amd64 7/arm64", users: "0 65534", settings: "off strict", suites: "oracles pairs", yama: "0 3"}
	cells, err := p.cells()
	require.NoError(t, err)
	assert.Len(t, cells, 2*2*2*2*2)
	for _, bad := range []plan{{kernels: "5.10", suites: "oracles"}, {kernels: "7/arm64", suites: "none"}, {kernels: "7/arm64", suites: "pairs", users: "root"},
		{kernels: "7/arm64", suites: "pairs", users: "0", settings: "on"}, {yama: "x"}} {
		_, err := bad.cells()
		assert.Error(t, err)
	}
	q := plan{quick: true, suites: "supervise oracles"}
	cells, err = q.cells()
	require.NoError(t, err)
	assert.Len(t, cells, 4)
	for _, c := range cells {
		assert.NotEmpty(t, c.suite.run)
	}
}
