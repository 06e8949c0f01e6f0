package attack_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/covered"
)

func breakable(s *attack.Scene) error {
	if _, err := os.Stat(s.Path("the file")); err == nil {
		return os.ErrExist
	}
	return os.WriteFile(s.Path("the file"), []byte("x"), 0o600)
}

// TestReplay: the schedule of a finding shows the finding again, alone.
func TestReplay(t *testing.T) {
	target := attack.Target("the file")
	report := attack.Prove(t, breakable, target, attack.ReportOnly())
	require.NotEmpty(t, report.Findings)
	for _, f := range report.Findings {
		t.Run(f.Rule.ID(), func(t *testing.T) {
			again := attack.Prove(t, breakable, target, attack.ReportOnly(), attack.Replay(f.Schedule))
			require.True(t, again.Complete)
			assert.Equal(t, 1, again.Schedules)
			var same *attack.Finding
			for _, g := range again.Findings {
				if g.Rule == f.Rule && g.Line == f.Line {
					same = &g
				}
			}
			require.NotNil(t, same)
			assert.Equal(t, f.Events, same.Events)
			assert.Equal(t, f.Detail, same.Detail)
		})
	}
}

// TestReplayInjections: so it is for what Faults and Kills inject, and each
// verb refuses what is another's.
func TestReplayInjections(t *testing.T) {
	victim := func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, s.Dir, "out-*")
		if err != nil {
			return err
		}
		name := f.Name()
		s.Point()
		if err := errors.Join(writeNew(f), f.Close()); err != nil {
			return err
		}
		err = s.FS.Rename(f.Name(), s.Path("out"))
		if err != nil { // another way, with names that the undisturbed runs do not use
			if f, err = afero.TempFile(s.FS, s.Dir, "again-*"); err == nil {
				err = errors.Join(writeNew(f), f.Close(), s.FS.Rename(f.Name(), s.Path("out")), s.FS.Remove(s.Path(filepath.Base(name))))
			}
		}
		return err
	}
	for _, tt := range []struct {
		name string
		verb verb
		opts []attack.Option
	}{
		{"Faults", attack.Faults, intoOut},
		{"Kills", attack.Kills, intoOut},
		{"Faults, fake", attack.Faults, append(intoOut[:1:1], attack.Fake())},
		{"Kills, fake", attack.Kills, append(intoOut[:1:1], attack.Fake())},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := append(tt.opts[:len(tt.opts):len(tt.opts)], attack.ReportOnly())
			report := tt.verb(t, victim, opts...)
			require.GreaterOrEqual(t, len(report.Findings), 2)
			replays(t, report, tt.verb, victim, opts)
		})
	}
}

// replays sees that each finding of a report is found again, and is alone.
func replays(t *testing.T, report *attack.Report, by verb, victim attack.Victim, opts []attack.Option) {
	for _, f := range report.Findings {
		t.Run(f.Rule.ID()+" "+f.Line, func(t *testing.T) {
			again := by(t, victim, append(opts[:len(opts):len(opts)], attack.Replay(f.Schedule))...)
			require.True(t, again.Complete, again.Problems)
			require.Len(t, again.Findings, 1)
			f.Count = 1
			assert.Equal(t, f, again.Findings[0])
		})
	}
}

// TestReplayOfRemovals: what the undisturbed run says of removals, a replay heeds
// as the search does: which looks they begin with, and which targets go again.
func TestReplayOfRemovals(t *testing.T) {
	for _, tt := range []struct {
		name   string
		victim attack.Victim
		opts   []attack.Option
	}{
		{"a look before", func(s *attack.Scene) error {
			return inDir(s, func(dir string) error {
				if !exists(s, dir) {
					return nil
				}
				return s.FS.Remove(dir)
			})
		}, nil},
		{"a lock file", func(s *attack.Scene) error {
			if err := put(s.FS, s.Path("lock"), newFile, 0o600, "1"); err != nil {
				return err
			}
			_ = s.FS.Remove(s.Path("lock"))
			return nil
		}, []attack.Option{attack.Target("lock")}},
	} {
		for world, more := range map[string][]attack.Option{"": nil, ", fake": {attack.Fake()}} {
			t.Run(tt.name+world, func(t *testing.T) {
				opts := append(append(tt.opts[:len(tt.opts):len(tt.opts)], attack.ReportOnly()), more...)
				report := attack.Faults(t, tt.victim, opts...)
				require.Equal(t, "R11", rulesOf(report), texts(report))
				replays(t, report, attack.Faults, tt.victim, opts)
			})
		}
	}
}

const envReplayTest = "TMPPROOF_TEST_REPLAY"

// TestReplayedByCommand fails, with two calls in one test, for TestReplayLine.
func TestReplayedByCommand(t *testing.T) {
	if os.Getenv(envReplayTest) == "" {
		t.Skip("run by TestReplayLine, in a process of its own")
	}
	attack.Prove(t, func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "")
		if err != nil {
			return err
		}
		f.Close()
		return os.Remove(f.Name())
	})
	attack.Prove(t, breakable, attack.Target("the file"))
}

// TestReplayLine: the command that a report ends with repeats its finding,
// for the second call of a test too.
func TestReplayLine(t *testing.T) {
	run := func(env ...string) string {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestReplayedByCommand$")
		cmd.Env = append(append(os.Environ(), envReplayTest+"=1"), env...)
		covered.Test(t, cmd)
		out, err := cmd.CombinedOutput()
		require.Error(t, err, "%s", out)
		return string(out)
	}
	out := run()
	line := regexp.MustCompile(`TMPPROOF_REPLAY='([^']*)' go test -run '\^TestReplayedByCommand\$' github.com/tmpproof/tmpproof/attack\n`).FindStringSubmatch(out)
	require.NotNil(t, line, out)
	require.True(t, strings.HasPrefix(line[1], "2#"), line[1])
	again := run("TMPPROOF_REPLAY=" + line[1])
	assert.Contains(t, again, "in 1 schedules")
	assert.Contains(t, again, line[0])

	for _, bad := range []string{"2#nonsense", "2#symlink-file=shared/the%20file@openat:shared/the%20file:nowhere.go:1:1"} {
		out := run("TMPPROOF_REPLAY=" + bad)
		assert.Contains(t, out, "inconclusive")
	}
}
