package attack

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/internal/sample"
)

// looksAndMoves is safe in a sticky directory, and comes to its target's name
// often enough for the attacker to move twice.
func looksAndMoves(s *Scene) error {
	out := s.Path("out")
	for range 3 {
		_, _ = os.Lstat(out)
	}
	if fi, err := os.Stat(out); err == nil && !fi.IsDir() {
		return errors.New("came up")
	}
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString("x")
	return errors.Join(err, f.Close())
}

// TestShards: the shards together run exactly the schedules of one run that is
// not split; those from which nothing goes on are run by one shard each.
func TestShards(t *testing.T) {
	for _, tt := range []struct {
		name  string
		how   verb
		verb  func(*testing.T, Victim, ...Option) *Report
		total int
		opts  []Option
		slow  bool
	}{
		{"two moves", prove, Prove, 2, nil, false},
		{"two moves, three shards", prove, Prove, 3, []Option{Moves(Symlink, File)}, false},
		{"one move", prove, Prove, 2, []Option{Depth(1)}, false},
		{"three moves", prove, Prove, 2, []Option{Depth(3), Moves(File, Remove)}, true},
		{"faults", faults, Faults, 2, nil, false},
		{"kills", kills, Kills, 2, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if (tt.slow || sample.Race && tt.total > 2) && !Long {
				t.Skip("takes seconds: run with TMPPROOF_LONG=1")
			}
			one := func(name, total, index string) map[string]bool {
				ran := map[string]bool{}
				t.Run(name, func(t *testing.T) {
					t.Setenv(envShards, total)
					t.Setenv(envShard, index)
					t.Setenv(envShardStatus, "")
					note := optionFunc(func(o *options) {
						o.ran = func(s []placed) { ran[scheduleString(s)] = true }
					})
					r := tt.verb(t, looksAndMoves, append([]Option{Target("out"), ReportOnly(), note}, tt.opts...)...)
					assert.True(t, r.Complete)
					assert.Equal(t, len(ran), r.Schedules)
				})
				return ran
			}
			whole := one("whole", "", "")
			if rerun.IsChild() {
				for i := range tt.total {
					one(strconv.Itoa(i), strconv.Itoa(tt.total), strconv.Itoa(i))
				}
				return
			}
			opt, err := newOptions(tt.how, tt.opts)
			require.NoError(t, err)
			together, leaves := map[string]bool{}, 0
			for i := range tt.total {
				part := one(strconv.Itoa(i), strconv.Itoa(tt.total), strconv.Itoa(i))
				assert.Less(t, len(part), len(whole))
				for s := range part {
					schedule, err := parseSchedule(s)
					require.NoError(t, err)
					if together[s] {
						assert.False(t, opt.ends(schedule), "run twice: %s", s)
					}
					if opt.ends(schedule) {
						leaves++
					}
					together[s] = true
				}
			}
			assert.Equal(t, whole, together)
			t.Logf("%d schedules, %d of them run by one of %d shards", len(whole), leaves, tt.total)
		})
	}
}

func TestShardVariables(t *testing.T) {
	dir := t.TempDir()
	made := filepath.Join(dir, "made")
	require.NoError(t, os.WriteFile(made, nil, 0o600))
	for _, tt := range []struct {
		name, total, index, status string
		want                       shard
		err                        string
	}{
		{name: "none"},
		{name: "one of one", total: "1", index: "0"},
		{name: "second of three", total: "3", index: "1", want: shard{1, 3}},
		{name: "says so", total: "3", index: "1", status: filepath.Join(dir, "new"), want: shard{1, 3}},
		{name: "says so once, and means it twice", total: "3", index: "1", status: filepath.Join(dir, "new"), want: shard{1, 3}},
		{name: "the runner splits the tests", total: "3", index: "1", status: made},
		{name: "index too large", total: "3", index: "3", err: `TEST_TOTAL_SHARDS="3" with TEST_SHARD_INDEX="3": give`},
		{name: "negative index", total: "3", index: "-1", err: "give a number of shards"},
		{name: "no index", total: "3", err: "give a number of shards"},
		{name: "no total", index: "0", err: "give a number of shards"},
		{name: "zero shards", total: "0", index: "0", err: "give a number of shards"},
		{name: "no number", total: "many", index: "0", err: `TEST_TOTAL_SHARDS="many"`},
		{name: "status file in no directory", total: "2", index: "0", status: filepath.Join(dir, "no", "x"), err: "TEST_SHARD_STATUS_FILE names a file that cannot be made"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := shardOf(func(name string) string {
				return map[string]string{envShards: tt.total, envShard: tt.index, envShardStatus: tt.status}[name]
			})
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
			if tt.status != "" {
				assert.FileExists(t, tt.status)
			}
		})
	}
}
