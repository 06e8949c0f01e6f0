package attack

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestLearnNames compares undisturbed runs: the first two of one process, the
// third of another.
func TestLearnNames(t *testing.T) {
	contexts := []context{{PID: 4711, Programs: []int{81, 9023}}, {PID: 4711, Programs: []int{5000}}, {PID: 4812, Programs: []int{31, 700}}}
	for _, row := range []struct {
		name   string
		runs   [3][]string
		asked  string
		random bool
	}{
		{"goroutines that swap places", [3][]string{{"shared/part-0", "shared/part-1"}, {"shared/part-1", "shared/part-0"}, {"shared/part-0", "shared/part-1"}}, "part-0", false},
		{"chance", [3][]string{{"shared/work-812931"}, {"shared/work-9174"}, {"shared/work-30115"}}, "work-77", true},
		{"chance without a literal part", [3][]string{{"shared/tmpab3dxyz2", "shared/lock"}, {"shared/tmpq7mrs5ta", "shared/lock"}, {"shared/tmpzz4klm3b", "shared/lock"}}, "tmpccccdddd", true},
		{"a fixed name beside it", [3][]string{{"shared/tmpab3dxyz2", "shared/lock"}, {"shared/tmpq7mrs5ta", "shared/lock"}, {"shared/tmpzz4klm3b", "shared/lock"}}, "lock", false},
		{"process ids", [3][]string{{"shared/4711.tmp"}, {"shared/4711.tmp"}, {"shared/4812.tmp"}}, "4999.tmp", false},
		{"process ids of programs", [3][]string{{"shared/report.9023"}, {"shared/report.5000"}, {"shared/report.700"}}, "report.1", false},
		{"numbers that are none", [3][]string{{"shared/report.9024"}, {"shared/report.5001"}, {"shared/report.701"}}, "report.1", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			n := &names{}
			n.learn(row.runs[:], contexts)
			assert.Equal(t, !row.random, n.predictable(row.asked))
		})
	}
}

// TestBelow: a path says the same in each scene, wherever the scene's own
// place stands in it.
func TestBelow(t *testing.T) {
	for _, row := range []struct{ root, path, want string }{
		{"/tmp/tmpproof-123/", "shared/f", "shared/f"},
		{"/tmp/tmpproof-123/", "shared/root/tmp/tmpproof-123/shared/f", "shared/root/shared/f"},
		{"/tmp/tmpproof-123/", "shared/root/tmp/tmpproof-9876/shared/f", "shared/root/shared/f"},
		{"/tmp/tmpproof-123/", "/tmp/tmpproof-1/a/tmp/tmpproof-2", "/a"},
		{"/tmp/tmpproof-123/", "shared/tmpproof-123", "shared/tmpproof-123"},
		{"/", "shared/1", "shared/1"},
		{"/1/", "shared/root/1/shared/f", "shared/root/shared/f"},
	} {
		n := &names{}
		n.place(row.root)
		assert.Equal(t, row.want, n.below(row.path), "%v", row)
	}
}
