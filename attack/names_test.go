package attack

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

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

// TestShortNumber: a container's first process has the number 1, and Fake has
// that process alone.
func TestShortNumber(t *testing.T) {
	for _, row := range []struct {
		name, pid, shape, why string
		pids                  [2]int
		also                  string
	}{
		{"a process id of one digit", "shared/1.tmp", "shared/*.tmp", "it is made of the process id", [2]int{1, 1}, ""},
		{"of two", "shared/app-17", "shared/app-*", "it is made of the process id", [2]int{17, 17}, ""},
		{"in a directory", "shared/d/app-1.d/out", "shared/d/app-*.d/out", "it is made of the process id", [2]int{1, 1}, ""},
		{"a counter beside it", "shared/part-1", "shared/part-1", "it is the same in every run", [2]int{1, 1}, "shared/part-2"},
		{"a part of another number", "shared/app-21", "shared/app-21", "it is the same in every run", [2]int{1, 1}, ""},
		{"of several processes", "shared/app-1", "shared/app-1", "it is the same in every run", [2]int{1, 7}, ""},
		{"another number", "shared/app-2", "shared/app-2", "it is the same in every run", [2]int{1, 1}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			n, names := &names{}, []string{row.pid, "shared/lock"}
			if row.also != "" {
				names = append(names, row.also)
			}
			n.learn([][]string{names, names}, []context{{PID: row.pids[0]}, {PID: row.pids[1]}})
			assert.Equal(t, row.shape, n.shape(row.pid))
			assert.Equal(t, "shared/2.tmp", n.shape("shared/2.tmp"), "another name is no such")
			of := elements([]string{row.pid})
			why := n.why(of[0])
			for _, name := range of {
				if _, ok := n.pattern(name); ok {
					why = n.why(name)
				}
			}
			assert.Equal(t, row.why, why)
		})
	}
}

// TestLearnTimes: the undisturbed runs often fall into one second, and a later
// one does not.
func TestLearnTimes(t *testing.T) {
	begin := time.Date(2026, 11, 26, 23, 59, 58, 4e6, time.Local)
	var contexts []context
	for i := range 3 {
		at := begin.Add(time.Duration(i) * 20 * time.Millisecond)
		contexts = append(contexts, context{PID: 4711 + i/2, Begin: at.UnixNano(), End: at.Add(time.Millisecond).UnixNano()})
	}
	for _, row := range []struct {
		name   string
		made   func(at time.Time) string
		random bool
	}{
		{"seconds", func(at time.Time) string { return fmt.Sprintf("app-%d.tmp", at.Unix()) }, false},
		{"seconds of time(2), a tick behind", func(at time.Time) string { return fmt.Sprintf("app-%d", at.Add(-8*time.Millisecond).Unix()) }, false},
		{"seconds alone", func(at time.Time) string { return fmt.Sprint(at.Unix()) }, false},
		{"nanoseconds", func(at time.Time) string { return fmt.Sprint("app-", at.UnixNano()) }, false},
		{"time of the day", func(at time.Time) string { return "log." + at.Format("150405") }, false},
		{"day", func(at time.Time) string { return "log-" + at.Format("2006-01-02") + ".txt" }, false},
		{"seconds, then chance", func(at time.Time) string { return fmt.Sprintf("app-%d-%d", at.Unix(), rand.Uint32()) }, true},
		{"chance, then seconds", func(at time.Time) string { return fmt.Sprintf("app-%d-%d.tmp", rand.Uint32(), at.Unix()) }, true},
		{"chance in base 36", func(at time.Time) string { return "app-" + strconv.FormatUint(rand.Uint64(), 36) }, true},
		{"chance in base 36, once with a digit less", func(at time.Time) string {
			return "app-" + strconv.FormatUint(rand.Uint64()|1<<63, 36)[at.Second()/59:]
		}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			n := &names{}
			var runs [][]string
			for _, c := range contexts {
				runs = append(runs, []string{"shared/" + row.made(time.Unix(0, c.Begin)), "shared/lock"})
			}
			n.learn(runs, contexts)
			later := row.made(begin.Add(3 * time.Second))
			assert.Equal(t, n.shape(runs[0][0]), n.shape("shared/"+later), "the name of a later run is another")
			assert.Contains(t, n.shape("shared/"+later), "*")
			assert.Equal(t, !row.random, n.predictable(later))
			assert.Equal(t, "shared/lock", n.shape("shared/lock"))
		})
	}
}

// TestLearnPartlyHeld: what could not be held is told by its notation, although the
// runs fell into one second.
func TestLearnPartlyHeld(t *testing.T) {
	at := time.Date(2026, 11, 26, 23, 59, 58, 4e6, time.Local)
	c := context{PID: 4711, Begin: at.UnixNano(), End: at.Add(time.Millisecond).UnixNano()}
	run := []string{fmt.Sprintf("shared/app-%d", at.Unix())}
	later := fmt.Sprintf("app-%d", at.Unix()+3)
	for _, partly := range []bool{false, true} {
		n := &names{}
		n.learnHeld([][]string{run, run, run}, nil, []context{c, c, c}, partly)
		_, ok := n.pattern(later)
		assert.Equal(t, partly, ok)
	}
}

// TestCounter: two draws of chance can look like a counter; more do not.
func TestCounter(t *testing.T) {
	for _, row := range []struct {
		name string
		runs []int
		few  bool
		why  string
	}{
		{"a counter that is kept elsewhere", []int{3, 4, 5, 7, 8}, false, "it is made of a counter (1 further in the next run)"},
		{"one of ten", []int{3, 4, 8, 2, 3}, true, "it is one of few, and came back with other chance"},
		{"one of ten, each once", []int{3, 4, 8, 2, 5}, true, "it has fewer than 32 bits of chance"},
	} {
		t.Run(row.name, func(t *testing.T) {
			n := &names{}
			of := func(i int) []string { return []string{fmt.Sprintf("shared/app-%d", i)} }
			n.learnHeld([][]string{of(row.runs[0]), of(row.runs[1]), of(row.runs[2])}, nil, make([]context, 3), false)
			assert.True(t, n.chances(), "more are to be drawn")
			for _, i := range row.runs[3:] {
				n.drawn(elements(of(i)))
			}
			n.count()
			p, ok := n.pattern("app-9")
			assert.True(t, ok)
			assert.Equal(t, row.few, p.few)
			assert.Equal(t, row.why, n.why("app-9"))
		})
	}
}

// TestMarks: what is no letter or digit stands between, in each name, or is drawn
// as one.
func TestMarks(t *testing.T) {
	for name, row := range map[string]struct {
		names []string
		few   bool
	}{
		"Python's tempfile":  {[]string{"tmp_a_k3mz9", "tmpq7mrs5ta", "tmpzz4k_m3b"}, false},
		"six with two marks": {[]string{"app-a_b_k3mz", "app-q_7_rs5t", "app-z_z_kxm3"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := pattern{prefix: row.names[0][:3]}
			p.saw(row.names...)
			assert.Equal(t, row.few, p.bits() < fewBits, "%v bits", p.bits())
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

func TestWithoutIDs(t *testing.T) {
	for in, want := range map[string]string{
		"/proc/12/fd/8":                         "/proc/*/fd/*",
		"/proc/12/task/13/fd/8":                 "/proc/*/task/*/fd/*",
		"/proc/*/task/*/fd/8":                   "/proc/*/task/*/fd/*",
		"/proc/12/fdinfo/8":                     "/proc/*/fdinfo/*",
		"/proc/12/status":                       "/proc/*/status",
		"/proc/self/fd/8":                       "/proc/self/fd/*",
		"openat /proc/12/fd/8 (file)":           "openat /proc/*/fd/* (file)",
		"shared/proc/12":                        "shared/proc/12",
		"shared/save-12":                        "shared/save-12",
		"/proc/sys/kernel/12":                   "/proc/sys/kernel/12",
		"rename /proc/1/fd/2 -> /proc/1/cwd/12": "rename /proc/*/fd/* -> /proc/*/cwd/12",
	} {
		assert.Equal(t, want, withoutIDs(in), in)
	}
}
