package attack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/rerun"
)

// FuzzSave is a verb in a fuzz target: with Fake for go test -fuzz, with no
// option for the seeds alone.
func FuzzSave(f *testing.F) {
	f.Add("out", "content")
	f.Add("a b", "")
	f.Fuzz(func(t *testing.T, name, content string) {
		if !filepath.IsLocal(name) || filepath.Base(name) != name || len(name) > 100 {
			t.Skip("no name of one file that every disk takes")
		}
		opts := []attack.Option{attack.Target("*")}
		if os.Getenv(envVerdict) != "real" {
			opts = append(opts, attack.Fake())
		}
		attack.Prove(t, func(s *attack.Scene) error {
			return put(s.FS, s.Path("out"), newFile, 0o600, content)
		}, opts...)
	})
}

// TestFuzz: a verb is fuzzed on the fake disk; elsewhere one line says what to do.
func TestFuzz(t *testing.T) {
	if rerun.IsChild() || os.Getenv(envVerdict) != "" {
		t.Skip("it is the one who starts them")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Skip("no program can be started here: ", err)
	}
	for _, tt := range []struct {
		where string
		fails bool
		says  string
	}{
		{"fake", false, "PASS"},
		{"real", true, "run the seeds, without -fuzz; or fuzz code that works through Scene.FS, with attack.Fake()"},
	} {
		t.Run(tt.where, func(t *testing.T) {
			dir := t.TempDir()
			cmd := exec.Command(exe, "-test.run=^$", "-test.fuzz=^FuzzSave$", "-test.fuzztime=20x", "-test.parallel=1", "-test.fuzzcachedir="+dir)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), envVerdict+"="+tt.where)
			b, err := cmd.CombinedOutput()
			assert.Equal(t, tt.fails, err != nil, "%s", b)
			require.Contains(t, string(b), tt.says)
		})
	}
}
