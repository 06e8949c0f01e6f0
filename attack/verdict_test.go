package attack_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/covered"
	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// envVerdict makes TestVerdictVictim run one row.
const envVerdict = "TMPPROOF_TEST_VERDICT"

// verdictTest is a call of a verb, and what becomes of the test that makes it.
type verdictTest struct {
	name   string
	by     verb
	victim attack.Victim
	opts   []attack.Option
	fails  bool
	says   []string // in the output
	unsaid []string
}

// hostileArchive has a file that leads out of the directory.
var hostileArchive = []attack.Option{attack.Setup(func(s *attack.Scene) error {
	return errors.Join(afero.WriteFile(s.FS, filepath.Join(s.Home, "in"), []byte("../home/settings"), 0o600),
		afero.WriteFile(s.FS, filepath.Join(s.Home, "settings"), oldContent, 0o600))
}), attack.Canary("settings")}

// extract makes the file that the archive names. refuse is the check of its
// name.
func extract(s *attack.Scene, refuse func(name string) bool) error {
	name, err := afero.ReadFile(s.FS, filepath.Join(s.Home, "in"))
	if err != nil {
		return err
	}
	if refuse(string(name)) {
		return errors.New("the archive leads out of the directory")
	}
	return afero.WriteFile(s.FS, s.Path(string(name)), newContent, 0o600)
}

func notLocal(name string) bool { return !filepath.IsLocal(name) }

// alwaysRefuses does nothing but to look at its input.
func alwaysRefuses(s *attack.Scene) error {
	_, err := s.FS.Stat(s.Path("in"))
	return errors.Join(errors.New("no"), err)
}

var verdictTests = []verdictTest{{
	name: "a warning alone is logged", by: attack.Kills,
	victim: func(s *attack.Scene) error { return replaceOut(s, writeNew) }, opts: overOut,
	says: []string{"1 warning, which the rule book has as advice; the option Strict makes them fail the test", "R07 temporary files are removed or reclaimed", "TMPPROOF_REPLAY='SIGKILL@"},
}, {
	name: "a warning fails with Strict", by: attack.Kills, fails: true,
	victim: func(s *attack.Scene) error { return replaceOut(s, writeNew) }, opts: append(overOut, attack.Strict()),
	says: []string{"is broken", "R07 temporary files are removed or reclaimed"},
}, {
	name: "a warning that is expected", by: attack.Kills,
	victim: func(s *attack.Scene) error { return replaceOut(s, writeNew) }, opts: append(overOut, attack.Expect(rules.R07)),
	unsaid: []string{"R07"},
}, {
	name: "a warning that is not expected", by: attack.Kills,
	victim: func(s *attack.Scene) error { return replaceOut(s, writeNew) }, opts: append(overOut, attack.Expect()),
	says: []string{"1 warning"},
}, {
	name: "an expected warning that does not come", by: attack.Kills, fails: true,
	victim: func(s *attack.Scene) error { return s.FS.Rename(s.Path("out"), s.Path("out")) }, opts: append(overOut, attack.Expect(rules.R07)),
	says: []string{"expected but not found: R07"},
}, {
	name: "a warning beside what fails", by: attack.Kills, fails: true,
	victim: func(s *attack.Scene) error {
		return errors.Join(replaceOut(s, writeNew), afero.WriteFile(s.FS, s.Path("out"), newContent, 0o600))
	}, opts: overOut,
	says: []string{"X05", "R07"}, unsaid: []string{"1 warning"},
}, {
	name: "C14 is a warning", by: attack.Faults,
	victim: func(s *attack.Scene) error { return tries(s, func(i int, err error) bool { return i < 3 }) },
	says:   []string{"1 warning", "C14"},
}, {
	name: "a refusal without the option", by: attack.Prove, fails: true, victim: alwaysRefuses,
	opts: []attack.Option{attack.Setup(func(s *attack.Scene) error { return afero.WriteFile(s.FS, s.Path("in"), nil, 0o600) })},
	says: []string{"inconclusive", "what always fails is not proved by failing", "say so with the option attack.Refuses()"},
}, {
	name: "a refusal with the option", by: attack.Prove, victim: alwaysRefuses,
	opts: []attack.Option{attack.Refuses(), attack.Setup(func(s *attack.Scene) error { return afero.WriteFile(s.FS, s.Path("in"), nil, 0o600) })},
	says: []string{"0 findings"},
}, {
	name: "an archive that is refused", by: attack.Prove,
	victim: func(s *attack.Scene) error { return extract(s, notLocal) }, opts: append(hostileArchive, attack.Refuses()),
	says: []string{"0 findings"},
}, {
	name: "an archive that is not refused", by: attack.Prove, fails: true,
	victim: func(s *attack.Scene) error { return extract(s, func(string) bool { return false }) }, opts: append(hostileArchive, attack.Refuses()),
	says: []string{"X01", "by the option Refuses it was to return an error"},
}, {
	name: "an archive that is refused too late", by: attack.Prove, fails: true,
	victim: func(s *attack.Scene) error {
		return errors.Join(extract(s, func(string) bool { return false }), errors.New("no"))
	}, opts: append(hostileArchive, attack.Refuses()),
	says: []string{"X01"}, unsaid: []string{"inconclusive"},
}, {
	name: "a refusal that leaves something", by: attack.Prove, fails: true,
	victim: func(s *attack.Scene) error { _, err := work(s); return errors.Join(err, errors.New("no")) }, opts: []attack.Option{attack.Refuses()},
	says: []string{"R05"}, unsaid: []string{"inconclusive"},
}, {
	name: "a refusal that an error takes away", by: attack.Faults, fails: true,
	victim: func(s *attack.Scene) error {
		if _, err := s.FS.Stat(s.Path("in")); err == nil {
			return errors.New("no")
		}
		return nil
	}, opts: append(hostileArchive, attack.Refuses()),
	says: []string{"X05", "and the code returned nil, where an undisturbed run refuses"},
}, {
	name: "a refusal that stays whatever fails", by: attack.Faults,
	victim: alwaysRefuses, opts: append(hostileArchive, attack.Refuses()),
	says: []string{"0 findings"},
}, {
	name: "Restart does not cope with what is whole", by: attack.Kills, fails: true,
	victim: repairs.writer, opts: repairs.opts(attack.Restart(func(*attack.Scene) error { return errors.New("no") })),
	says: []string{"inconclusive", "without any error or kill, Restart, on what the victim had left, returned an error: no"}, unsaid: []string{"is broken"},
}, {
	name: "Restart does not cope with what an error leaves", by: attack.Faults, fails: true,
	victim: rejects.writer, opts: rejects.opts(attack.Restart(rejects.starts)),
	says: []string{"and Restart, on what was left, returned an error: record 2 is torn", "fix: let the start of the code cope with what a cut write leaves", "TMPPROOF_REPLAY='"},
}, {
	name: "the first finding is enough", by: attack.Prove, fails: true,
	victim: func(s *attack.Scene) error { return afero.WriteFile(s.FS, s.Path("out"), newContent, 0o600) },
	opts:   append(intoOut, attack.FirstFinding()),
	says:   []string{"X01", "the search ended at the first one (FirstFinding, -failfast)"}, unsaid: []string{"X07"},
}, {
	name: "the first of those that are expected", by: attack.Prove,
	victim: func(s *attack.Scene) error { return afero.WriteFile(s.FS, s.Path("out"), newContent, 0o600) },
	opts:   append(intoOut, attack.FirstFinding(), attack.Expect(rules.X01, rules.X05, rules.X07, rules.X10)),
}, {
	name: "the first finding is not expected", by: attack.Prove, fails: true,
	victim: func(s *attack.Scene) error { return afero.WriteFile(s.FS, s.Path("out"), newContent, 0o600) },
	opts:   append(intoOut, attack.FirstFinding(), attack.Expect(rules.X07)),
	says:   []string{"found but not expected: X01"},
}, {
	name: "no finding, and all is tried", by: attack.Prove,
	victim: func(s *attack.Scene) error { return replaceOut(s, writeNew) },
	opts:   append(overOut, attack.FirstFinding()),
	says:   []string{"0 findings"},
}, {
	name: "a warning does not end the search", by: attack.Kills, fails: true,
	victim: func(s *attack.Scene) error {
		return errors.Join(replaceOut(s, writeNew), afero.WriteFile(s.FS, s.Path("out"), newContent, 0o600))
	}, opts: append(overOut, attack.FirstFinding()),
	says: []string{"X05"},
}}

// TestFailFast: -failfast ends the search as FirstFinding does, but not that for
// what is expected.
func TestFailFast(t *testing.T) {
	out, failed := inChild(t, "TestVerdictVictim", "a warning beside what fails", "-test.failfast")
	assert.True(t, failed)
	assert.Contains(t, out, "the search ended at the first one")
	out, failed = inChild(t, "TestVerdictVictim", "a warning that is expected", "-test.failfast")
	assert.False(t, failed, out)
}

// TestVerdictVictim is run by TestVerdicts in a process of its own.
func TestVerdictVictim(t *testing.T) {
	name := os.Getenv(envVerdict)
	if name == "" {
		t.Skip("run by TestVerdicts, in a process of its own, with " + envVerdict)
	}
	i := slices.IndexFunc(verdictTests, func(v verdictTest) bool { return v.name == name })
	require.GreaterOrEqual(t, i, 0, name)
	v := verdictTests[i]
	v.by(t, v.victim, append(v.opts[:len(v.opts):len(v.opts)], attack.Fake())...)
}

// TestVerdicts: which findings fail a test, which are logged, and in which words.
func TestVerdicts(t *testing.T) {
	for _, v := range verdictTests {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			out, failed := inChild(t, "TestVerdictVictim", v.name)
			assert.Equal(t, v.fails, failed, out)
			for _, s := range v.says {
				assert.Contains(t, out, s)
			}
			for _, s := range v.unsaid {
				assert.NotContains(t, out, s)
			}
		})
	}
}

// inChild runs a test of this binary, and a row of it, in a process of its own.
func inChild(t *testing.T, test, row string, args ...string) (out string, failed bool) {
	t.Helper()
	if rerun.IsChild() || os.Getenv(envVerdict) != "" {
		t.Skip("it is the one who starts them")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Skip("no program can be started here: ", err)
	}
	cmd := exec.Command(exe, append(args, "-test.run=^"+test+"$", "-test.v")...)
	cmd.Env = append(os.Environ(), envVerdict+"="+row)
	covered.Test(t, cmd)
	b, err := cmd.CombinedOutput()
	return string(b), err != nil
}
