package leakcheck

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// span is the time of one test.
type span struct {
	test       string
	start, end time.Time // end is zero while it runs
	shared     bool      // another test ran meanwhile
}

// contains says that o is s or one of its subtests.
func (s *span) contains(o *span) bool {
	return o.test == s.test || strings.HasPrefix(o.test, s.test+"/")
}

// birthLag is how far the clock of birth times lags behind.
const birthLag = 20 * time.Millisecond

// holds says that something born at b may have been made during the span.
func (s *span) holds(b time.Time) bool {
	return !b.Before(s.start.Add(-birthLag)) && (s.end.IsZero() || !b.After(s.end))
}

// spans knows which tests ran when.
type spans struct {
	mu    sync.Mutex
	list  []*span
	runs  []*span  // those of list that have not ended
	names []string // of tests, examples and fuzz tests, where they are known

	seen map[string][]instance // entries of the root, at the ends of tests that ran alone
}

// instance is a file that had a name when a test ended.
type instance struct{ test, file string }

func (s *spans) begin(test string) *span {
	s.mu.Lock()
	defer s.mu.Unlock()
	sp := &span{test: test, start: time.Now()}
	for _, o := range s.runs {
		if !o.contains(sp) && !sp.contains(o) {
			o.shared, sp.shared = true, true
		}
	}
	s.list, s.runs = append(s.list, sp), append(s.runs, sp)
	return sp
}

// finish ends a span, and says whether no other test ran during it.
func (s *spans) finish(sp *span) (alone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sp.end = time.Now()
	s.runs = slices.DeleteFunc(s.runs, func(o *span) bool { return o == sp })
	return !sp.shared
}

// candidates are the tests that may have made l, the likeliest first: the one
// in whose window it was found, those that ran when it was born, those that
// ended before (a goroutine may have outlived them), what is not known by time.
func (s *spans) candidates(l *leak, likely func(test string) bool) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ranks [5][]string
	timed := map[string]bool{}
	for _, sp := range slices.Backward(s.list) {
		timed[sp.test] = true
		rank := 3
		switch {
		case sp == l.window:
			rank = 0
		case l.birth.IsZero() || sp.holds(l.birth):
			rank = 2
			if likely(sp.test) {
				rank = 1
			}
		case sp.start.After(l.birth.Add(birthLag)):
			continue
		}
		ranks[rank] = append(ranks[rank], sp.test)
	}
	slices.Reverse(ranks[2]) // in the order in which they ran
	for _, name := range s.names {
		if !timed[name] {
			ranks[4] = append(ranks[4], name)
		}
	}
	var list []string
	for _, test := range slices.Concat(ranks[:]...) {
		if !slices.Contains(list, test) {
			list = append(list, test)
		}
	}
	return list
}

// saw notes a file that appeared while a test ran alone.
func (s *spans) saw(name string, in instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string][]instance{}
	}
	s.seen[name] = append(s.seen[name], in)
}

// can reports whether a test may have made l by the time: it began before. A
// goroutine of it, or a process, may have outlived it.
func (s *spans) can(test string, l *leak) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	timed := false
	for _, sp := range s.list {
		if sp.test != test {
			continue
		}
		if timed = true; l.birth.IsZero() || !sp.start.After(l.birth.Add(birthLag)) {
			return true
		}
	}
	return !timed
}

// replaced reports whether what the test has left under the name was another
// file, in whose place l is.
func (s *spans) replaced(test string, l *leak) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, now := false, false
	for _, in := range s.seen[l.name] {
		if in.test == test {
			was, now = true, now || in.file == l.file || in.file == ""
		}
	}
	return was && !now && l.file != ""
}

// linger is how much longer than to its end a test is to be watched: as long as
// it took until something was made after it.
func (s *spans) linger(test string, open []*leak) (d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range open {
		var last *span // of those that ended before
		held := l.birth.IsZero()
		for _, sp := range s.list {
			if sp.test != test || sp.start.After(l.birth) {
				continue
			}
			held = held || sp.holds(l.birth)
			last = sp
		}
		if last != nil && !held {
			d = max(d, 2*l.birth.Sub(last.end)+mostLinger/50)
		}
	}
	return min(d, mostLinger)
}

// mostLinger bounds it.
const mostLinger = 10 * time.Second

// times is how often a test has run, at least 1.
func (s *spans) times(test string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, sp := range s.list {
		if sp.test == test {
			n++
		}
	}
	return max(n, 1)
}

// took is how long the longest run of a test was, of all tests for "".
func (s *spans) took(test string) (longest time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sp := range s.list {
		if (test == "" || sp.test == test) && !sp.end.IsZero() {
			longest = max(longest, sp.end.Sub(sp.start))
		}
	}
	return longest
}

// parallel says that a test has run beside another one each time.
func (s *spans) parallel(test string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ran := false
	for _, sp := range s.list {
		if sp.test == test {
			if ran = sp.shared; !ran {
				return false
			}
		}
	}
	return ran
}

// around are the tests that ran when l was born.
func (s *spans) around(l *leak) []string {
	if l.window != nil {
		return []string{l.window.test}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, sp := range s.list {
		if (l.birth.IsZero() || sp.holds(l.birth)) && !slices.Contains(list, sp.test) {
			list = append(list, sp.test)
		}
	}
	return list
}

// watch makes each top-level test, fuzz test, example and benchmark of m known
// when it begins, and when it has ended with its subtests and cleanups. The
// testing package offers no hook for it: the lists are unexported fields, each
// of which is used only if it is of the type that it has today. Without it the intervals are not known,
// and an explanation takes longer.
func (s *spans) watch(m TestingM, begin func(string) (end func())) {
	wrap(m, "tests", func(test *testing.InternalTest) {
		name, f := test.Name, test.F
		test.F = func(t *testing.T) {
			t.Cleanup(begin(name))
			f(t)
		}
	})
	wrap(m, "examples", func(example *testing.InternalExample) {
		name, f := example.Name, example.F
		example.F = func() {
			defer begin(name)()
			f()
		}
	})
	wrap(m, "fuzzTargets", func(target *testing.InternalFuzzTarget) {
		name, f := target.Name, target.Fn
		target.Fn = func(t *testing.F) {
			t.Cleanup(begin(name))
			f(t)
		}
	})
	wrap(m, "benchmarks", func(benchmark *testing.InternalBenchmark) {
		name, f := benchmark.Name, benchmark.F
		benchmark.F = func(b *testing.B) {
			b.StopTimer()
			end := begin(name)
			defer func() {
				b.StopTimer()
				end()
			}()
			b.StartTimer()
			f(b)
		}
	})
}

// wrap changes each element of one of m's lists, in a copy of the list.
func wrap[T any](m TestingM, name string, change func(*T)) {
	list := field[T](m, name)
	if list == nil {
		return
	}
	own := slices.Clone(*list)
	for i := range own {
		change(&own[i])
	}
	*list = own
}

// field is a slice that a testing.M has, nil if it has none of this kind.
func field[T any](m TestingM, name string) *[]T {
	p, ok := m.(*testing.M)
	if !ok || p == nil {
		return nil
	}
	f := reflect.ValueOf(p).Elem().FieldByName(name)
	if !f.IsValid() || f.Type() != reflect.TypeFor[[]T]() {
		return nil
	}
	return (*[]T)(unsafe.Pointer(f.UnsafeAddr()))
}
