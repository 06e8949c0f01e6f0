//go:build amd64 || arm64

package supervise

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func init() {
	// The victim calls until its call fails in the way that ends it.
	victims["calls without end"] = func(dir string) {
		var st unix.Stat_t
		for unix.Fstatat(cwd, dir+"/f", &st, 0) != unix.EXFULL {
		}
	}
}

func boundaries(b *testing.B, each func(*Tree, *Event)) {
	tree := supervise(b, victim(b, "calls without end", b.TempDir()), Names)
	ev, err := tree.Next(soon())
	require.NoError(b, err)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		each(tree, ev)
		tree.Continue(ev)
		if ev, err = tree.Next(soon()); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	for ev.Kind != Check { // a thread of the runtime's
		tree.Continue(ev)
		if ev, err = tree.Next(soon()); err != nil {
			b.Fatal(err)
		}
	}
	tree.Fail(ev, unix.EXFULL)
}

// BenchmarkBoundary: a call stopped, its path read, let go, until the next.
func BenchmarkBoundary(b *testing.B) { boundaries(b, func(*Tree, *Event) {}) }

// BenchmarkBoundaryWithStack: the same, with the Go line behind the call.
func BenchmarkBoundaryWithStack(b *testing.B) {
	boundaries(b, func(tree *Tree, ev *Event) {
		if _, err := tree.Stack(ev); err != nil {
			b.Fatal(err)
		}
	})
}
