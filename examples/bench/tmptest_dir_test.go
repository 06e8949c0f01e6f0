package bench

import (
	"os"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/tmptest"
)

// BenchmarkDir compares a directory that is handed out, checked and removed
// with t.TempDir, which is handed out and removed. Each is used by a subtest
// of its own, since the cost of t.TempDir is per test; Nothing is the cost of
// such a subtest. The metric is µs/test: ns/op has the cost of the frame too.
//
// Run it as: go test -bench Dir -count 5, with TMPDIR on the file system in
// question.
func BenchmarkDir(b *testing.B) {
	for _, bb := range []struct {
		name string
		use  func(*testing.T)
	}{
		{"Nothing", func(*testing.T) {}},
		{"TempDir", func(t *testing.T) { t.TempDir() }},
		{"Dir", func(t *testing.T) { tmptest.Dir(t) }},
		{"TempDirWithFile", func(t *testing.T) { writeOne(t, t.TempDir()) }},
		{"DirWithFile", func(t *testing.T) { writeOne(t, tmptest.Dir(t)) }},
	} {
		b.Run(bb.name, func(b *testing.B) { inTests(b, bb.use) })
	}
}

func writeOne(t *testing.T, dir string) {
	if err := os.WriteFile(dir+"/file", []byte("content"), 0o600); err != nil {
		t.Error(err)
	}
}

// inTests runs use in b.N subtests of a test.
func inTests(b *testing.B, use func(*testing.T)) {
	var elapsed time.Duration
	runs := 0
	test := func(t *testing.T) {
		start := time.Now()
		for range b.N {
			t.Run("x", use)
		}
		elapsed += time.Since(start)
		runs += b.N
	}
	all := func(string, string) (bool, error) { return true, nil }
	if !testing.RunTests(all, []testing.InternalTest{{Name: "TestBench", F: test}}) {
		b.Fatal("a subtest failed")
	}
	b.ReportMetric(elapsed.Seconds()*1e6/float64(runs), "µs/test")
}
