package tmptest_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tmpproof/tmpproof/tmptest"
)

// bookRow is one row of RULES.md.
type bookRow struct {
	level, title, fix string
	cwe, cert         string
}

// readBook reads the rows of the rule tables of RULES.md: eight cells for a
// rule, five for an exploit or an attack.
func readBook(t *testing.T) (ids []string, rows map[string]bookRow) {
	t.Helper()
	text, err := os.ReadFile("RULES.md")
	require.NoError(t, err)
	id := regexp.MustCompile(`^[ECURXA]\d\d$`)
	rows = make(map[string]bookRow)
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if !id.MatchString(cells[0]) {
			continue
		}
		require.NotContains(t, rows, cells[0], "twice in RULES.md")
		ids = append(ids, cells[0])
		switch len(cells) {
		case 8:
			rows[cells[0]] = bookRow{level: cells[1], title: cells[2], fix: cells[3], cwe: cells[6], cert: cells[7]}
		case 5:
			rows[cells[0]] = bookRow{level: "!", title: cells[1], fix: cells[2], cwe: cells[3], cert: cells[4]}
		default:
			require.Failf(t, "RULES.md", "%d cells in %q", len(cells), line)
		}
	}
	return ids, rows
}

func TestCodeAgreesWithRuleBook(t *testing.T) {
	ids, rows := readBook(t)
	var coded []string
	for _, r := range tmptest.Rules() {
		coded = append(coded, r.ID)
		row, ok := rows[r.ID]
		if !assert.True(t, ok, "%s is not in RULES.md", r.ID) {
			continue
		}
		marks := map[tmptest.Level]string{tmptest.Fail: "!", tmptest.Warn: "w", tmptest.OptIn: "o"}
		assert.Equal(t, row, bookRow{
			level: marks[r.Level()], title: r.Title, fix: r.Fix,
			cwe:  strings.Trim(strings.ReplaceAll(fmt.Sprint(r.CWE), " ", ", "), "[]"),
			cert: strings.Join(r.CERT, ", "),
		}, r.ID)
	}
	assert.Equal(t, ids, coded, "same rules in the same order")
}

// TestRuleForm keeps the texts quotable: one line, no full stop, an
// instruction as the fix.
func TestRuleForm(t *testing.T) {
	cert := regexp.MustCompile(`^(FIO|POS)\d\d-(C|J)$`)
	titles := make(map[string]string)
	for _, r := range tmptest.Rules() {
		for _, text := range []string{r.Title, r.Fix} {
			assert.NotEmpty(t, text, r.ID)
			assert.NotContains(t, text, "\n", r.ID)
			assert.NotContains(t, text, "|", r.ID)
			assert.False(t, strings.HasSuffix(text, "."), "%s: %q ends with a full stop", r.ID, text)
			assert.LessOrEqual(t, len(text), 140, "%s: %q", r.ID, text)
			assert.Equal(t, strings.TrimSpace(text), text, r.ID)
		}
		assert.Empty(t, titles[r.Title], "%s has the title of another rule", r.ID)
		titles[r.Title] = r.ID
		assert.True(t, slices.IsSorted(r.CWE), r.ID)
		for _, c := range r.CERT {
			assert.Regexp(t, cert, c, r.ID)
		}
	}
}

// TestEveryRuleVariableIsListed reads the sources: a rule that Rules forgets,
// or a variable that does not bear its id, would not be seen otherwise.
func TestEveryRuleVariableIsListed(t *testing.T) {
	listed := make(map[string]bool)
	for _, r := range tmptest.Rules() {
		listed[r.ID] = true
	}
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	fset := token.NewFileSet()
	seen := 0
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), "rules_") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, f.Name(), nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			seen++
			lit := spec.Values[0].(*ast.CompositeLit)
			id := lit.Elts[0].(*ast.KeyValueExpr).Value.(*ast.BasicLit).Value
			assert.Equal(t, `"`+spec.Names[0].Name+`"`, id)
			assert.True(t, listed[spec.Names[0].Name], "%s is not in Rules()", spec.Names[0].Name)
			return true
		})
	}
	assert.Equal(t, len(tmptest.Rules()), seen)
}

// TestDocumentationListsAll: go doc teaches each rule, and names what a system
// cannot check with the reason that the code gives.
func TestDocumentationListsAll(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	marks := map[tmptest.Level]string{tmptest.Fail: "", tmptest.Warn: " (w)", tmptest.OptIn: " (o)"}
	for _, r := range tmptest.Rules() {
		assert.Contains(t, string(text), "//   - "+r.ID+": "+r.Title+marks[r.Level()]+"\n")
	}
	entry := regexp.MustCompile(`(?m)^\t\{([A-Z]\d\d), "(.*)"\},$`)
	for _, system := range []string{"darwin", "windows"} {
		code, err := os.ReadFile("platform_" + system + ".go")
		require.NoError(t, err)
		entries := entry.FindAllStringSubmatch(string(code), -1)
		assert.NotEmpty(t, entries)
		for _, e := range entries {
			assert.Contains(t, string(text), "//   - "+e[1]+": "+e[2]+"\n")
		}
	}
}

func TestRuleAndViolationAreOneLine(t *testing.T) {
	tests := map[string]struct {
		give fmt.Stringer
		want string
	}{
		"rule without CWE": {tmptest.E13, "E13 a test that changes TMPDIR, TMP, TEMP or GOTMPDIR restores them"},
		"rule with CWEs": {
			tmptest.E05,
			"E05 the path holds no symbolic link but trusted ones: at most five, each owned by you or root in a secure directory (CWE-59, CWE-61)",
		},
		"violation": {
			tmptest.Violation{Rule: tmptest.E13, Path: "a\nb\x1b", Detail: "line\nbreak"},
			`E13 a test that changes TMPDIR, TMP, TEMP or GOTMPDIR restores them: "a\nb\x1b": line\x0abreak`,
		},
		"level":          {tmptest.C17.Level(), "opt-in"},
		"level unknown":  {tmptest.Level(9), "Level(9)"},
		"level by value": {tmptest.Rule{}.Level(), "fail"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, tt.give.String()) })
	}
}
