package tmptest_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// TestDocumentationListsUnchecked: go doc names what a system cannot check, with
// the reason that the code gives.
func TestDocumentationListsUnchecked(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	entry := regexp.MustCompile(`(?m)^\t\{rules\.([A-Z]\d\d), "(.*)"\},$`)
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

func TestViolationIsOneLine(t *testing.T) {
	v := tmptest.Violation{Rule: rules.E13, Path: "a\nb\x1b", Detail: "line\nbreak"}
	assert.Equal(t, `E13 a test that changes TMPDIR, TMP, TEMP or GOTMPDIR restores them: "a\nb\x1b": line\x0abreak`, v.String())
}
