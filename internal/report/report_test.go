package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sample has everything in it, and names that would be markup if they could.
func sample() *Report {
	return &Report{
		Tool: "attack.Prove", Test: `TestSave/<script>alert("x")</script>`, Package: "example.com/store", Verdict: Broken, Complete: false,
		Shard: "1/2", Boundaries: 2, Schedules: 18, Seconds: 0.0553, Problems: []string{"the budget is used up after 18 schedules"},
		Findings: []Finding{{
			Rule: "X01", Title: "something outside was changed", CWE: []int{59, 367}, CERT: []string{"FIO21-C"}, Fix: "create with O_EXCL", Exploit: true,
			Path: "vault/file", Name: "shared/out", Line: "source.go:12 < main.go:3", Detail: "vault/file: its size went from 21 to 8",
			Schedule: "symlink-file=shared/out@openat:shared/out:store.go:12:1",
			Command:  `TMPPROOF_REPLAY='symlink-file=shared/out@openat:shared/out:store.go:12:1' go test -run '^TestSave$' example.com/store`, Count: 4,
			Events: []Event{
				{Call: "newfstatat", Path: "shared/out", Found: "absent", Line: "source.go:9"},
				{Move: "plants a symlink to vault/file (another user's file) at shared/" + strings.Repeat("long", 40)},
				{Call: "openat", Path: `shared/<b>"'&`, Found: "symlink", Line: "source.go:12", Damage: "vault/file: its size went from 21 to 8"},
				{Call: "write", Path: "shared/out", Move: "fails with ENOSPC"},
			},
			Source: Excerpt(".", "source.go:12 < main.go:3"),
		}, {
			Rule: "C01", Title: "creates without O_EXCL", CWE: []int{377}, Line: "source.go:12", Detail: "openat creates shared/out without O_EXCL", Count: 1,
		}},
		Matrix: &Matrix{Moves: []string{"symlink-file", "symlink-absent", "symlink-dir", "hardlink", "file", "dir", "fifo", "socket"}, Notes: []string{"why not"},
			Rows: []Row{{Call: "newfstatat", Path: "shared/out", Line: "source.go:9", N: 1, Cells: make([]Cell, 8)},
				{Call: "openat", Path: "shared/out", Line: "source.go:12", N: 2, Cells: []Cell{{Tried: 3, Found: 2}, {Tried: 1}, {}, {}, {}, {}, {}, {}}}}},
		Odds: nil, Assumptions: []Assumption{{"chance", "work-<b>*", "it differs from run to run"}},
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Write(dir, "prove", sample()))
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	assert.Equal(t, []string{"prove.html", "prove.json", "prove.sarif"}, names)
	assert.Error(t, Write(filepath.Join(dir, "none"), "prove", sample()))
}

// The JSON is read back as it was, and bears its schema's name and version.
func TestJSON(t *testing.T) {
	dir := t.TempDir()
	want := sample()
	require.NoError(t, Write(dir, "r", want))
	data, err := os.ReadFile(filepath.Join(dir, "r.json"))
	require.NoError(t, err)
	got := &Report{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(got))
	assert.Equal(t, want, got)
	assert.Equal(t, "tmpproof-report", got.Schema)
	assert.Equal(t, 1, got.Version)
}

// TestSchema: schema.json names the fields that the types have, and no others.
func TestSchema(t *testing.T) {
	data, err := os.ReadFile("schema.json")
	require.NoError(t, err)
	var schema struct {
		Ref  string                    `json:"$ref"`
		Defs map[string]map[string]any `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(data, &schema))
	assert.Equal(t, "#/$defs/Report", schema.Ref)
	for _, v := range []any{Report{}, Assumption{}, Odds{}, Finding{}, Event{}, Source{}, Matrix{}, Row{}, Cell{}} {
		typ := reflect.TypeOf(v)
		def := schema.Defs[typ.Name()]
		require.NotNil(t, def, typ.Name())
		var fields, required, described, needed []string
		for i := range typ.NumField() {
			name, opts, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			fields = append(fields, name)
			if opts == "" {
				required = append(required, name)
			}
		}
		for name := range def["properties"].(map[string]any) {
			described = append(described, name)
		}
		for _, name := range def["required"].([]any) {
			needed = append(needed, name.(string))
		}
		sort.Strings(fields)
		sort.Strings(described)
		assert.Equal(t, fields, described, typ.Name())
		assert.ElementsMatch(t, required, needed, typ.Name())
		delete(schema.Defs, typ.Name())
	}
	assert.Empty(t, schema.Defs)
}

// SARIF as the forges ask for it: a version, rules by index, relative
// locations, and a code flow for each interleaving.
func TestSARIF(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, SARIF(&b, sample()))
	var log struct {
		Version string `json:"version"`
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name  string `json:"name"`
					Rules []struct {
						ID         string `json:"id"`
						Properties struct{ Tags []string }
					} `json:"rules"`
				} `json:"driver"`
			} `json:"tool"`
			Invocations []struct {
				ExecutionSuccessful bool `json:"executionSuccessful"`
			} `json:"invocations"`
			Results []struct {
				RuleID    string `json:"ruleId"`
				RuleIndex int    `json:"ruleIndex"`
				Level     string `json:"level"`
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine int }
					} `json:"physicalLocation"`
				} `json:"locations"`
				CodeFlows []struct {
					ThreadFlows []struct{ Locations []any }
				} `json:"codeFlows"`
			} `json:"results"`
		} `json:"runs"`
	}
	require.NoError(t, json.Unmarshal(b.Bytes(), &log))
	assert.Equal(t, "2.1.0", log.Version)
	require.Len(t, log.Runs, 1)
	run := log.Runs[0]
	assert.Equal(t, "tmpproof", run.Tool.Driver.Name)
	assert.Equal(t, []string{"security", "external/cwe/cwe-59", "external/cwe/cwe-367", "FIO21-C"}, run.Tool.Driver.Rules[0].Properties.Tags)
	assert.False(t, run.Invocations[0].ExecutionSuccessful)
	require.Len(t, run.Results, 2)
	first, second := run.Results[0], run.Results[1]
	assert.Equal(t, "X01", first.RuleID)
	assert.Equal(t, "error", first.Level)
	assert.Equal(t, "internal/report/source.go", first.Locations[0].PhysicalLocation.ArtifactLocation.URI)
	assert.Equal(t, 12, first.Locations[0].PhysicalLocation.Region.StartLine)
	assert.Len(t, first.CodeFlows[0].ThreadFlows[0].Locations, 4)
	assert.Equal(t, "warning", second.Level)
	assert.Equal(t, 1, second.RuleIndex)

	b.Reset()
	require.NoError(t, SARIF(&b, &Report{Verdict: Clean, Complete: true}))
	assert.Contains(t, b.String(), `"results": []`)
}

func TestExcerpt(t *testing.T) {
	for _, tt := range []struct {
		line string
		want string
		ok   bool
	}{
		{"source.go:12 < main.go:3", "internal/report/source.go", true},
		{"prove.go:1", "attack/prove.go", true}, // the only one of its name in the module
		{"doc.go:1", "internal/report/doc.go", true},
		{"world.go:99999", "", false},
		{"nowhere.go:1", "", false},
		{"(no line)", "", false},
		{"../source.go:1", "", false},
		{"", "", false},
	} {
		s := Excerpt(mustWd(t), tt.line)
		if !tt.ok {
			assert.Nil(t, s, tt.line)
			continue
		}
		if assert.NotNil(t, s, tt.line) {
			assert.Equal(t, tt.want, s.File)
			assert.NotEmpty(t, s.Lines)
			assert.LessOrEqual(t, s.First, s.Line)
		}
	}
	assert.Equal(t, []string{"a", "", "    b"}, unindent([]string{"\t\ta", "", "\t\t\tb"}))
}

func mustWd(t *testing.T) string {
	wd, err := os.Getwd()
	require.NoError(t, err)
	return wd
}
