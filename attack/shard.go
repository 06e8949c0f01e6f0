package attack

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"sync"
)

// The variables of Bazel's test sharding: of a number of processes that run
// the same tests, which one this is. A runner that splits its work by them
// says so by making the file.
const (
	envShards      = "TEST_TOTAL_SHARDS"
	envShard       = "TEST_SHARD_INDEX" // from 0
	envShardStatus = "TEST_SHARD_STATUS_FILE"
)

// shard is one part of the schedules. The zero shard is all of them.
type shard struct{ index, total int }

func (s shard) String() string {
	if s.total < 2 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.index+1, s.total)
}

// shards is what the environment said when the first verb asked, by status
// file: the file tells only then who made it.
var shards = struct {
	sync.Mutex
	ours map[string]bool
}{ours: map[string]bool{}}

// shardOf reads the environment. Where the status file was there already, the
// runner that made it splits the tests among the processes, each test runs in
// one of them, and there in full.
func shardOf(getenv func(string) string) (shard, error) {
	total, index, file := getenv(envShards), getenv(envShard), getenv(envShardStatus)
	if total == "" && index == "" {
		return shard{}, nil
	}
	n, err1 := strconv.Atoi(total)
	i, err2 := strconv.Atoi(index)
	if err1 != nil || err2 != nil || n < 1 || i < 0 || i >= n {
		return shard{}, fmt.Errorf("%s=%q with %s=%q: give a number of shards, 1 or more, and an index from 0 to one less; or unset both", envShards, total, envShard, index)
	}
	if file != "" {
		shards.Lock()
		defer shards.Unlock()
		if !shards.ours[file] {
			f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
			if errors.Is(err, os.ErrExist) {
				return shard{}, nil
			}
			if err == nil {
				err = f.Close()
			}
			if err != nil {
				return shard{}, fmt.Errorf("%s names a file that cannot be made: %w", envShardStatus, err)
			}
			shards.ours[file] = true
		}
	}
	if n == 1 {
		return shard{}, nil
	}
	return shard{i, n}, nil
}

// has says that a schedule is for this shard to run. Those that others can go
// on from are run by each: what follows them depends on all of them. The
// others, by far the most, are run by one shard each, whatever the order in
// which they became known.
func (s shard) has(schedule []placed, opt *options) bool {
	if s.total < 2 || !opt.ends(schedule) {
		return true
	}
	h := fnv.New32a()
	if !opt.verb.injects() {
		h.Write([]byte(scheduleString(schedule)))
	} else {
		h.Write([]byte(endsAlike(schedule))) // one that does not come back spares the others of its kind
	}
	return h.Sum32()%uint32(s.total) == uint32(s.index)
}

// ends says that no schedule goes on from this one.
func (o *options) ends(schedule []placed) bool {
	last := schedule[len(schedule)-1].inject
	if !o.verb.injects() {
		return len(schedule) >= o.depth
	}
	return last.of() != faults || last.on || len(schedule) > 1
}
