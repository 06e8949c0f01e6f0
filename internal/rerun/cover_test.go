package rerun

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCoverage runs the go command, since the merging of the counters is its
// doing.
func TestCoverage(t *testing.T) {
	t.Parallel()
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Skipf("needs the go command: %v", err)
	}
	if _, err := os.Stat(filepath.Join(strings.TrimSpace(string(cache)), "README")); err != nil {
		t.Skipf("needs a build cache, or it would build the standard library: %v", err)
	}
	profile := filepath.Join(t.TempDir(), "profile")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-coverprofile="+profile, "./testdata/cover")
	cmd.WaitDelay = waitDelay
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	data, err := os.ReadFile(profile)
	require.NoError(t, err)
	counts := regexp.MustCompile(`cover\.go:(\d+)\.\S+ 1 (\d)`).FindAllStringSubmatch(string(data), -1)
	got := map[string]string{}
	for _, c := range counts {
		got[c[1]] = c[2]
	}
	want := map[string]string{"5": "1", "8": "1", "11": "1", "14": "0"}
	assert.Equal(t, want, got, "in the parent, in a child, in one that ends with os.Exit, in one that is killed:\n%s", data)
}
