package attack_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/covered"
	"github.com/tmpproof/tmpproof/internal/report"
)

const envFixture = "TMPPROOF_ARTIFACTS_FIXTURE"

// TestArtifactsFixture is what TestArtifacts runs in a process of its own,
// with -artifacts.
func TestArtifactsFixture(t *testing.T) {
	if os.Getenv(envFixture) == "" {
		t.Skip("for TestArtifacts")
	}
	attack.Prove(t, statThenWrite, attack.Target("out"))
	attack.Prove(t, statThenCreate, attack.Target("out"))
}

// TestArtifacts: under -artifacts each call has its page, its JSON and its
// SARIF, which show the findings that the text does; without, there is nothing.
func TestArtifacts(t *testing.T) {
	run := func(args ...string) (out, dir string) {
		dir = t.TempDir()
		cmd := exec.Command(os.Args[0], append([]string{"-test.run=^TestArtifactsFixture$", "-test.outputdir=" + dir}, args...)...)
		cmd.Env = append(os.Environ(), envFixture+"=1")
		covered.Test(t, cmd)
		b, err := cmd.CombinedOutput()
		require.Error(t, err, "the fixture is broken:\n%s", b)
		return string(b), dir
	}
	find := func(dir, name string) []string {
		var found []string
		require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Name() == name {
				found = append(found, path)
			}
			return err
		}))
		return found
	}
	_, none := run()
	left, err := os.ReadDir(none)
	require.NoError(t, err)
	assert.Empty(t, left)

	out, dir := run("-test.artifacts")
	require.NotContains(t, out, "cannot work here")
	load := func(name string) *report.Report {
		for _, ext := range []string{".html", ".json", ".sarif"} {
			assert.Len(t, find(dir, name+ext), 1, name+ext)
		}
		data, err := os.ReadFile(find(dir, name+".json")[0])
		require.NoError(t, err)
		r := &report.Report{}
		require.NoError(t, json.Unmarshal(data, r))
		return r
	}
	broken, clean := load("prove"), load("prove-2")
	assert.Equal(t, report.Broken, broken.Verdict)
	assert.Equal(t, report.Clean, clean.Verdict)
	assert.True(t, clean.Complete)
	require.NotEmpty(t, broken.Findings)
	page, err := os.ReadFile(find(dir, "prove.html")[0])
	require.NoError(t, err)
	for _, f := range broken.Findings {
		assert.Contains(t, out, f.Rule+" "+f.Title)
		assert.Contains(t, out, f.Detail)
		assert.Contains(t, string(page), ">"+f.Rule+"<")
		if f.Command != "" {
			assert.Contains(t, out, f.Command)
		}
		if assert.NotNil(t, f.Source) {
			assert.Equal(t, "attack/race_linux_test.go", f.Source.File)
		}
	}
	assert.Equal(t, strings.Count(out, "    fix: "), len(broken.Findings))

	for _, r := range []*report.Report{broken, clean} {
		tried, found := 0, 0
		for _, row := range r.Matrix.Rows {
			assert.Len(t, row.Cells, len(r.Matrix.Moves))
			for _, c := range row.Cells {
				tried, found = tried+c.Tried, found+c.Found
			}
		}
		assert.Equal(t, r.Schedules, tried, "each schedule is in the matrix once")
		assert.Equal(t, r.Verdict == report.Broken, found > 0)
		assert.NotEmpty(t, r.Matrix.Notes)
	}
}
