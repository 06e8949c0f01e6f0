package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSample: conditions that a test misses, and conditions that none does.
func TestSample(t *testing.T) {
	out := filepath.Join(t.TempDir(), "table.md")
	c := config{pkg: "testdata/sample", out: out, files: []string{"sample.go"}, limit: 60e9, progress: io.Discard}
	bad, err := c.run()
	require.NoError(t, err)
	assert.Equal(t, 2, bad)
	want := map[string]string{
		"sample.go list.fits: `k < l.n`": "TestFits/one",
		"sample.go sign: `n < 0`":        "TestSign",
		"sample.go sign: `n != -100`":    survived,
		"sample.go sign: `n == 0`":       "TestSign",
		"sample.go sign: `n > 1000`":     survived,
		"sample.go sign: `n == 7`":       "TestSign",
	}
	got, err := readTable(out)
	require.NoError(t, err)
	delete(got, "condition")
	delete(got, "---")
	assert.Equal(t, want, got)

	// Reasons that somebody wrote into the table stay and are accepted.
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	for _, condition := range []string{"n != -100", "n > 1000"} {
		text = []byte(replaceRow(string(text), condition, survived+": nobody asks | that"))
	}
	require.NoError(t, os.WriteFile(out, text, 0o600))
	c.only = "n > 1000"
	bad, err = c.run()
	require.NoError(t, err)
	assert.Zero(t, bad)
	got, err = readTable(out)
	require.NoError(t, err)
	assert.Equal(t, survived+": nobody asks | that", got["sample.go sign: `n != -100`"])
}

// TestNothingTried: what cannot be tried is an error, and no table is written.
func TestNothingTried(t *testing.T) {
	for _, tt := range []struct {
		name, pkg string
		files     []string
		err       string
	}{
		{"no files", "testdata/sample", nil, "name the files whose conditions are to be tried"},
		{"no such file", "testdata/sample", []string{"none.go"}, "none.go: no such file"},
		{"no such package", "testdata/none", []string{"sample.go"}, "no such file"},
		{"tests that fail as they are", "testdata/failing", []string{"failing.go"}, "with all conditions in place TestPositive"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "table.md")
			_, err := (&config{pkg: tt.pkg, out: out, files: tt.files, limit: 60e9, progress: io.Discard}).run()
			assert.ErrorContains(t, err, tt.err)
			assert.NoFileExists(t, out)
		})
	}
}

// TestCommand: the exit status, and where the table goes.
func TestCommand(t *testing.T) {
	sample := []string{"-package", "testdata/sample"}
	for _, tt := range []struct {
		name           string
		args           []string
		status         int
		stdout, stderr string
	}{
		{"no such flag", []string{"-nonsense"}, 2, "", "flag provided but not defined: -nonsense"},
		{"no files", sample, 2, "", "mutate: name the files"},
		{"one that a test misses", append(sample, "-only", "n < 0", "sample.go"), 1, "| sample.go sign: `n < 0` | ", "that were not tried, and no reason in the table"},
		{"by another test", append(sample, "-only", "n < 0", "-run", "TestFits", "sample.go"), 1, "`n < 0` | true | " + survived, ""},
		{"no test of that name", append(sample, "-run", "TestNone", "sample.go"), 2, "", `mutate: no test ran with -run "TestNone"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			assert.Equal(t, tt.status, command(tt.args, &stdout, &stderr), stderr.String())
			assert.Contains(t, stdout.String(), tt.stdout)
			assert.Contains(t, stderr.String(), tt.stderr)
		})
	}
}

// replaceRow gives a condition another result.
func replaceRow(text, condition, result string) string {
	var b strings.Builder
	for _, r := range splitRows(text) {
		if len(r) != 3 {
			b.WriteString(r[0] + "\n")
			continue
		}
		if r[0] == "sample.go sign: `"+condition+"`" {
			r[2] = result
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", cell(r[0]), r[1], cell(r[2]))
	}
	return b.String()
}

func TestFailure(t *testing.T) {
	tests := map[string]struct{ out, want string }{
		"innermost":  {"--- FAIL: TestA (0.1s)\n    --- FAIL: TestA/b_(c) (0.0s)\n        x.go:1: no\nFAIL\n", "TestA/b_(c)"},
		"two":        {"--- FAIL: TestA (0.1s)\n--- FAIL: TestB (0.1s)\n", "TestA"},
		"panic":      {"panic: nil map\n", "the tests panic"},
		"no end":     {"panic: test timed out after 1s\n", "the tests do not end"},
		"just exits": {"gone\n", "the tests fail"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, failure(tt.out)) })
	}
}
