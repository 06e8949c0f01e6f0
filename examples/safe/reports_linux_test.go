package safe

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"golang.org/x/sys/unix"
)

const envReported = "TEST_SAFE_REPORTED"

// TestReported leaves a report of each verb and each verdict.
func TestReported(t *testing.T) {
	if os.Getenv(envReported) == "" {
		t.Skip("TestReports starts it")
	}
	careless := func(s *attack.Scene) error { return os.WriteFile(s.Path("out"), []byte("odd \xff \x1b[1m"), 0o666) }
	careful := func(s *attack.Scene) error {
		f, err := os.OpenFile(s.Path("out"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		return errors.Join(f.Close(), os.Remove(f.Name()))
	}
	nameless := func(s *attack.Scene) error { // there is nothing to attack
		f, err := os.OpenFile(s.Dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
		if err != nil {
			return err
		}
		return f.Close()
	}
	hopeless := func(s *attack.Scene) error { return errors.New("no") }
	for name, victim := range map[string]attack.Victim{"careless": careless, "careful": careful, "nameless": nameless, "hopeless": hopeless} {
		t.Run("Prove "+name, func(t *testing.T) { attack.Prove(t, victim, attack.Target("out"), attack.ReportOnly()) })
		t.Run("Faults "+name, func(t *testing.T) { attack.Faults(t, victim, attack.ReportOnly()) })
		t.Run("Kills "+name, func(t *testing.T) { attack.Kills(t, victim, attack.ReportOnly()) })
		t.Run("Race "+name, func(t *testing.T) {
			attack.Race(t, victim, attack.Target("out"), attack.ReportOnly(), attack.Schedules(200), attack.Budget(10*time.Second))
		})
	}
}

// TestReports holds the reports against their published form, with a validator
// that is not ours.
func TestReports(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../internal/report/schema.json")
	require.NoError(t, err)
	exe, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	cmd := exec.Command(exe, "-test.run=^TestReported$", "-test.artifacts", "-test.outputdir="+dir, "-test.timeout=2m")
	cmd.Env = append(os.Environ(), envReported+"=1")
	out, _ := cmd.CombinedOutput() // what proves nothing fails
	verdicts := map[string]int{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".json" {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		report, err := jsonschema.UnmarshalJSON(f)
		require.NoError(t, err, path)
		assert.NoError(t, schema.Validate(report), path)
		fields := report.(map[string]any)
		tool, _, _ := strings.Cut(filepath.Base(path), ".")
		verdicts[tool+" "+fields["verdict"].(string)]++
		for _, name := range []string{"verdict", "schema", "test"} { // and it can say no
			less := maps.Clone(fields)
			delete(less, name)
			assert.Error(t, schema.Validate(less), "%s without %s", path, name)
		}
		return nil
	}))
	seen := slices.Sorted(maps.Keys(verdicts))
	assert.Equal(t, []string{
		"faults broken", "faults clean", "faults inconclusive", "kills broken", "kills clean", "kills inconclusive",
		"prove broken", "prove clean", "prove inconclusive", "prove untried",
		"race broken", "race inconclusive", "race not won",
	}, seen, "%s", out)
}
