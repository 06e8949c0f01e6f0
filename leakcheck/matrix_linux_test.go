package leakcheck

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/sample"
	"golang.org/x/sys/unix"
)

// arrangement is how a leaking test stands among others.
type arrangement struct {
	name  string
	tests func(leak, clean func(t *testing.T)) []testing.InternalTest
	args  []string
	sub   string // the subtest's name
}

// among are tests that leave nothing, with the leaking one between them.
func among(leaking testing.InternalTest, clean func(t *testing.T), n int, wrap func(func(t *testing.T)) func(t *testing.T)) []testing.InternalTest {
	var tests []testing.InternalTest
	for i := range n {
		tests = append(tests, one(fmt.Sprintf("TestClean%d", i), wrap(clean)))
	}
	tests = append(tests, leaking)
	for i := range n {
		tests = append(tests, one(fmt.Sprintf("TestCleanToo%d", i), wrap(clean)))
	}
	return tests
}

func plain(f func(t *testing.T)) func(t *testing.T) { return f }

func parallel(f func(t *testing.T)) func(t *testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		f(t)
	}
}

func subtests(f func(t *testing.T)) func(t *testing.T) {
	return func(t *testing.T) {
		t.Run("a", func(t *testing.T) {})
		t.Run("b/c", f)
	}
}

var arrangements = []arrangement{
	{"serial", func(leak, clean func(t *testing.T)) []testing.InternalTest {
		return among(one("TestLeaks", leak), clean, 2, plain)
	}, nil, ""},
	{"parallel", func(leak, clean func(t *testing.T)) []testing.InternalTest {
		return among(one("TestLeaks", parallel(leak)), clean, 4, parallel)
	}, []string{"-test.parallel=8"}, ""},
	{"subtests", func(leak, clean func(t *testing.T)) []testing.InternalTest {
		return among(one("TestLeaks", subtests(leak)), clean, 2, subtests)
	}, []string{"-test.shuffle=on", "-test.cpu=1"}, "/b/c"},
}

// TestRepeated: what a test leaves in each of its runs is all its own, and a
// clean one stays clean.
func TestRepeated(t *testing.T) {
	lines := madeHere(t)
	for _, w := range some() {
		for _, a := range []string{"serial", "parallel"} {
			args := []string{"-test.count=3", "-test.parallel=8", "-test.shuffle=on"}
			t.Run(w.name+", "+a+", clean", func(t *testing.T) {
				t.Parallel()
				r := runFixture(t, w.name+", "+a+", clean", args...)
				assert.Equal(t, 0, r.code, r.out)
				assert.NotContains(t, r.out, "leakcheck")
				requireNothingLeft(t, r)
			})
			// The others leave one name, which the second run finds taken.
			if !slices.Contains([]string{"file", "directory", "open descriptor", "deleted but open", "O_TMPFILE", "mapped", "orphan process"}, w.name) {
				continue
			}
			t.Run(w.name+", "+a, func(t *testing.T) {
				t.Parallel()
				r := runFixture(t, w.name+", "+a, args...)
				endOrphans(r.out)
				assert.Equal(t, 1, r.code, r.out)
				assert.Equal(t, 1, strings.Count(r.out, "TestLeaks left 3 times"), r.out)
				assert.Equal(t, 1, strings.Count(r.out, "made at "+lines[w.name]), r.out)
				requireNothingLeft(t, r)
			})
		}
	}
}

// TestTraced: where there is no supervisor the test is named all the same, and
// the line where no other of the test can have made it.
func TestTraced(t *testing.T) {
	lines := madeHere(t)
	for _, w := range some() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			r := runFixture(t, w.name+", traced", "-test.parallel=8")
			endOrphans(r.out)
			assert.Equal(t, 1, r.code, r.out)
			assert.Contains(t, r.out, "TestLeaks "+w.want)
			line := "made at " + lines[w.name]
			if w.name == "renamed" { // by that name it was made at another line
				line = "made at one of: " + lines[w.name]
			}
			assert.Contains(t, r.out, line)
			assert.Contains(t, r.out, "run again with runtime/trace, which names a line where only one call can have made it: refused by a test")
			assert.Equal(t, 1, strings.Count(r.out, " left "), r.out)
			requireNothingLeft(t, r)
		})
	}
}

// some is a third of the ways; all of them with TMPPROOF_LONG=1.
func some() []way {
	if sample.Long() {
		return ways
	}
	var some []way
	for i := 0; i < len(ways); i += 3 {
		some = append(some, ways[i])
	}
	return some
}

func withoutSupervisor(m *testing.M) int {
	refused = "refused by a test"
	return Run(m)
}

func addMatrix(all map[string]fixture) {
	for _, w := range ways {
		all[w.name+", traced"] = fixture{tests: arrangements[1].tests(w.leak, w.clean), main: withoutSupervisor}
		for _, a := range arrangements {
			all[w.name+", "+a.name] = fixture{tests: a.tests(w.leak, w.clean)}
			all[w.name+", "+a.name+", clean"] = fixture{tests: a.tests(w.clean, w.clean)}
		}
	}
}

// madeHere are the lines of the victims, by the name of the way.
func madeHere(t *testing.T) map[string]string {
	b, err := os.ReadFile("victims_linux_test.go")
	require.NoError(t, err)
	lines := map[string]string{}
	name, n := "", 0
	var kept []string
	for line := range bytes.Lines(b) {
		n++
		if rest, ok := strings.CutPrefix(string(line), "\t{\""); ok {
			name, _, _ = strings.Cut(rest, "\"")
		}
		if rest, ok := strings.CutPrefix(string(line), "\tdrawnName(\""); ok {
			name, _, _ := strings.Cut(rest, "\"")
			kept = append(kept, name)
		}
		if strings.Contains(string(line), "// KEPT") {
			for _, name := range kept {
				lines[name] = fmt.Sprintf("victims_linux_test.go:%d", n)
			}
		}
		if strings.Contains(string(line), "// made here") {
			lines[name] = fmt.Sprintf("victims_linux_test.go:%d", n)
		}
	}
	return lines
}

func TestMatrix(t *testing.T) {
	lines := madeHere(t)
	for _, w := range sample.Third(ways, sample.Short()) {
		for _, a := range arrangements {
			if w.name == "10,000 files" && a.name != "serial" && !sample.Long() {
				continue // each is a second of system calls
			}
			t.Run(w.name+", "+a.name, func(t *testing.T) {
				t.Parallel()
				r := runFixture(t, w.name+", "+a.name, a.args...)
				endOrphans(r.out)
				assert.Equal(t, 1, r.code, r.out)
				out := strings.ReplaceAll(r.out, "TestLeaksbc", "TestLeaks") // t.TempDir of a subtest
				sub := a.sub
				if w.name == "late goroutine" {
					sub = "" // it has ended
				}
				assert.Contains(t, out, "TestLeaks"+sub+" "+w.want+", made at "+lines[w.name], r.out)
				assert.Equal(t, 1, strings.Count(r.out, " left "), r.out)
				requireNothingLeft(t, r)
			})
			t.Run(w.name+", "+a.name+", clean", func(t *testing.T) {
				t.Parallel()
				r := runFixture(t, w.name+", "+a.name+", clean", a.args...)
				assert.Equal(t, 0, r.code, r.out)
				assert.NotContains(t, r.out, "leakcheck")
				requireNothingLeft(t, r)
			})
		}
	}
}

var running = regexp.MustCompile(`sleep: running process (\d+)`)

// endOrphans ends what leakcheck has reported: it ends nobody itself.
func endOrphans(out string) {
	for _, m := range running.FindAllStringSubmatch(out, -1) {
		if pid, err := strconv.Atoi(m[1]); err == nil {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}
