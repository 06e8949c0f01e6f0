package ordinary

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/leakcheck"
)

// Nothing that these tests make may be left.
func TestMain(m *testing.M) {
	settle()
	leakcheck.Main(m)
}

// settle gives the programs a plain environment: what stands before python3 in
// PATH can be a script that looks for it first, and what git or gpg do follows
// their user's settings.
func settle() {
	const settled = "TMPPROOF_ORDINARY_PATH" // for the children that run the victims
	if path := os.Getenv(settled); path != "" {
		_ = os.Setenv("PATH", path)
		return
	}
	path := "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
	if out, err := exec.Command("python3", "-I", "-S", "-c", "import sys; print(sys.executable)").Output(); err == nil {
		path = filepath.Dir(strings.TrimSpace(string(out))) + ":" + path
	}
	for name, value := range map[string]string{"PATH": path, settled: path, "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"} {
		_ = os.Setenv(name, value)
	}
}

// need skips a test for which a program or a module is not there.
func need(t *testing.T, programs string) {
	t.Helper()
	for want := range strings.FieldsSeq("sh " + programs) {
		name, module, _ := strings.Cut(want, ":")
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
		args := map[string][]string{"perl": {"-M" + module, "-e", "1"}, "python3": {"-I", "-S", "-c", "import " + module}}[name]
		if module != "" && exec.Command(name, args...).Run() != nil {
			t.Skipf("%s has no module %s", name, module)
		}
	}
}

func (u use) victim(s *attack.Scene) error {
	cmd := exec.Command("sh", "-eu", "-c", u.script)
	cmd.Dir = s.Home
	cmd.Env = append(os.Environ(), "HOME="+s.Home)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w\n%s", err, &said)
	}
	return nil
}

// options bound what is tried: one move at each boundary.
func (u use) options(more ...attack.Option) []attack.Option {
	return slices.Concat([]attack.Option{attack.Depth(1), attack.Budget(4 * time.Minute)}, u.opts, more)
}

// TestOrdinary: nothing is said against a correct use, and without an attacker it
// succeeds.
func TestOrdinary(t *testing.T) {
	for _, u := range correct {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			need(t, u.needs)
			r := attack.Prove(t, u.victim, u.options()...)
			assert.True(t, r.Complete)
			assert.NotZero(t, r.Boundaries, "it did nothing in the scene")
		})
		if u.also&faults != 0 {
			t.Run(u.name+", Faults", func(t *testing.T) {
				t.Parallel()
				need(t, u.needs)
				attack.Faults(t, u.victim, u.opts...)
			})
		}
		if u.also&kills != 0 {
			t.Run(u.name+", Kills", func(t *testing.T) {
				t.Parallel()
				need(t, u.needs)
				attack.Kills(t, u.victim, u.opts...)
			})
		}
	}
}
