package bench

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/tmpproof/tmpproof/leakcheck"
	"go.uber.org/goleak"
)

// one is a testing.TB whose cleanups run when the test, an iteration of a
// benchmark, ends.
type one struct {
	testing.TB
	cleanups []func()
}

func (o *one) Name() string     { return "TestOne" }
func (o *one) Cleanup(f func()) { o.cleanups = append(o.cleanups, f) }
func (o *one) end() {
	for i := len(o.cleanups) - 1; i >= 0; i-- {
		o.cleanups[i]()
	}
}

type tests func() int

func (f tests) Run() int { return f() }

// BenchmarkLeakcheckCheck is Check on a clean serial test, in a run that Run
// checks, as each test of a package would have it.
func BenchmarkLeakcheckCheck(b *testing.B) {
	leakcheck.Run(tests(func() int {
		for b.Loop() {
			t := &one{TB: b}
			leakcheck.Check(t)
			t.end()
		}
		return 0
	}))
}

// BenchmarkLeakcheckCheckAlone is the same where each test makes and removes
// the private directory.
func BenchmarkLeakcheckCheckAlone(b *testing.B) {
	for b.Loop() {
		t := &one{TB: b}
		leakcheck.Check(t)
		t.end()
	}
}

// BenchmarkLeakcheckRun is what Run adds to a run of a package.
func BenchmarkLeakcheckRun(b *testing.B) {
	for b.Loop() {
		if leakcheck.Run(tests(func() int { return 0 })) != 0 {
			b.Fatal("a clean run failed")
		}
	}
}

// BenchmarkGoleakVerifyNone is the peer for goroutines.
func BenchmarkGoleakVerifyNone(b *testing.B) {
	for b.Loop() {
		goleak.VerifyNone(b, goleak.IgnoreCurrent())
	}
}

// BenchmarkListBeforeAndAfter is what checkers of a shared directory do, with
// 10,000 entries in it.
func BenchmarkListBeforeAndAfter(b *testing.B) {
	dir := b.TempDir()
	for i := range 10_000 {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	list := func() map[string]bool {
		names := map[string]bool{}
		_ = filepath.WalkDir(dir, func(name string, _ os.DirEntry, _ error) error {
			names[name] = true
			return nil
		})
		return names
	}
	for b.Loop() {
		before := list()
		for name := range list() {
			if !before[name] {
				b.Fatal(name)
			}
		}
	}
}

// TestGoleakSeesNothingOfOurs: goleak finds no goroutine of leakcheck in a test
// that it checks.
func TestGoleakSeesNothingOfOurs(t *testing.T) {
	before := goleak.IgnoreCurrent()
	leakcheck.Run(tests(func() int {
		t.Run("checked", func(t *testing.T) {
			leakcheck.Check(t)
			goleak.VerifyNone(t, before)
		})
		return 0
	}))
}
