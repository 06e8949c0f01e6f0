package fsfake_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/sample"
)

// The test of linearizability: threads make calls at the same time, and there
// must be one order of them that gives every call its result, and the disk its
// end, when a single thread makes them; and in which a call that ended before
// another began comes first (Herlihy and Wing, 1990). The model of the single
// thread is the fake itself, which the differential test holds to the kernel.

// event is a call that was made, with the moments between which it took effect.
type event struct {
	call
	result
	from, to int64
}

// history has the events of each thread, and what they began and ended with.
type history struct {
	setup   []call
	threads [][]event
	end     string
}

// shape is a tree without what differs from run to run: times, numbers of inodes.
func (w *fakeWorld) shape() string {
	var b strings.Builder
	seen := map[uint64]int{}
	for _, o := range w.tree() {
		fmt.Fprintf(&b, "%q #%d %o %d:%d nlink=%d size=%d %q\n",
			o.path, label(seen, o.ino), o.mode, o.uid, o.gid, o.nlink, o.size, o.target)
	}
	return b.String()
}

// start gives a disk after the setup, with handles of its own for each thread.
func (h *history) start(t testing.TB) (w *fakeWorld, threads []*fakeWorld) {
	w = newFakeWorld(t, accounts, "", 0o1777, 0, 0)
	for range h.threads {
		one := *w
		one.links = map[uint64]string{}
		for _, c := range h.setup {
			one.do(c)
		}
		one.warm()
		threads = append(threads, &one)
	}
	return w, threads
}

// warm asks for the names until the views have cached them.
func (w *fakeWorld) warm() {
	for range 3 {
		for _, name := range linearNames {
			for user := range 2 {
				w.do(call{name: "stat", user: user, a: name})
			}
		}
	}
}

var linearNames = []string{"/a", "/b", "/d", "/d/a", "/d/b", "/l", "/l/a", "/e"}

// linearizable looks for the order.
func (h *history) linearizable(t testing.TB) bool {
	var order []int
	at := make([]int, len(h.threads))
	var search func() bool
	search = func() bool {
		left := false
		for i := range h.threads {
			left = left || at[i] < len(h.threads[i])
		}
		if !left {
			w, ok := h.replay(t, order)
			return ok && w.shape() == h.end
		}
		if _, ok := h.replay(t, order); !ok {
			return false
		}
		for i := range h.threads {
			if at[i] == len(h.threads[i]) || !h.mayBeNext(i, at) {
				continue
			}
			at[i]++
			order = append(order, i)
			if search() {
				return true
			}
			order = order[:len(order)-1]
			at[i]--
		}
		return false
	}
	return search()
}

// mayBeNext: no call that is still to come ended before this one began.
func (h *history) mayBeNext(i int, at []int) bool {
	from := h.threads[i][at[i]].from
	for j := range h.threads {
		if at[j] < len(h.threads[j]) && h.threads[j][at[j]].to < from {
			return false
		}
	}
	return true
}

// replay makes the calls in an order, and tells whether all but the last, which
// it has told before, have their result.
func (h *history) replay(t testing.TB, order []int) (*fakeWorld, bool) {
	w, threads := h.start(t)
	at := make([]int, len(threads))
	for _, i := range order {
		e := h.threads[i][at[i]]
		at[i]++
		if threads[i].do(e.call) != e.result {
			return w, false
		}
	}
	return w, true
}

// run makes the calls of the threads at the same time.
func (h *history) run(t testing.TB) {
	w, threads := h.start(t)
	var clock atomic.Int64
	var ready, done sync.WaitGroup
	var open atomic.Bool
	for i := range threads {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			for !open.Load() {
				runtime.Gosched()
			}
			for k := range h.threads[i] {
				e := &h.threads[i][k]
				e.from = clock.Add(1)
				runtime.Gosched() // others come between, on one processor too
				e.result = threads[i].do(e.call)
				runtime.Gosched()
				e.to = clock.Add(1)
			}
		})
	}
	ready.Wait()
	open.Store(true)
	done.Wait()
	require.NoError(t, w.disk.Check())
	h.end = w.shape()
}

func (h *history) String() string {
	var b strings.Builder
	for _, c := range h.setup {
		fmt.Fprintln(&b, "setup:", c)
	}
	for i, l := range h.threads {
		for _, e := range l {
			fmt.Fprintf(&b, "thread %d, %d to %d: %v = %v\n", i, e.from, e.to, e.call, e.result)
		}
	}
	return b.String() + h.end
}

// overlaps tells whether two calls of different threads were under way at once.
func (h *history) overlaps() bool {
	for i := range h.threads {
		for j := range i {
			for _, a := range h.threads[i] {
				if slices.ContainsFunc(h.threads[j], func(b event) bool { return a.from < b.to && b.from < a.to }) {
					return true
				}
			}
		}
	}
	return false
}

// linearCalls makes calls that meet: on few names, about half of them changes.
func linearCalls(g *rand.Rand) call {
	name := func() string { return linearNames[g.IntN(len(linearNames))] }
	c := call{user: g.IntN(2), a: name(), b: name(), handle: g.IntN(2), n: int64(g.IntN(3)), mode: 0o700}
	c.name = []string{"mkdir", "rmdir", "unlink", "unlink", "link", "rename", "rename", "rename", "symlink", "chmod", "truncate",
		"open", "open", "stat", "lstat", "readlink", "access", "write", "read", "pread", "ftruncate", "readdir", "seek", "flink"}[g.IntN(24)]
	switch c.name {
	case "rename":
		c.flag = g.IntN(3)
	case "open":
		c.flag = []int{os.O_RDWR | os.O_CREATE, os.O_RDWR | os.O_CREATE | os.O_EXCL, os.O_RDWR | os.O_TRUNC, os.O_RDONLY}[g.IntN(4)]
	case "symlink":
		c.b = []string{"d", "a", "/d/a"}[g.IntN(3)]
	case "chmod":
		c.mode = []uint32{0, 0o755, 0o1777}[g.IntN(3)]
	case "access":
		c.mode = uint32(g.IntN(8))
	case "seek":
		c.n = 0
	}
	return c
}

var linearSetup = []call{
	{name: "mkdir", a: "/d", mode: 0o777},
	{name: "symlink", a: "/l", b: "d"},
	{name: "open", a: "/a", flag: os.O_RDWR | os.O_CREATE, mode: 0o666, handle: 0},
	{name: "open", a: "/d/b", flag: os.O_RDWR | os.O_CREATE | os.O_APPEND, mode: 0o666, handle: 1},
}

// TestLinearizable judges random histories; FSFAKE_ROUNDS sets how many.
func TestLinearizable(t *testing.T) {
	rounds := 1500
	if sample.Short() {
		rounds = 300
	}
	rounds = setting(t, "FSFAKE_ROUNDS", rounds)
	overlapped := 0
	for seed := range rounds {
		g := rand.New(rand.NewPCG(uint64(seed), 17))
		h := &history{setup: linearSetup, threads: make([][]event, 3)}
		for i := range h.threads {
			for range 3 {
				h.threads[i] = append(h.threads[i], event{call: linearCalls(g)})
			}
		}
		h.run(t)
		if h.overlaps() {
			overlapped++
		}
		if !h.linearizable(t) {
			t.Fatalf("round %d: no order explains\n%v", seed, h)
		}
	}
	t.Logf("%d histories, calls overlapped in %d", rounds, overlapped)
}

// TestLinearizableIsJudged: histories that no order explains, and their twins
// that one does.
func TestLinearizableIsJudged(t *testing.T) {
	stat := call{name: "stat", a: "/e"}
	mkdir := call{name: "mkdir", a: "/e", mode: 0o700}
	absent, present := result{err: syscall.ENOENT}, result{n: 40, s: "drwx------"}
	link := call{name: "link", a: "/a", b: "/e"}
	for _, row := range []struct {
		name    string
		threads [][]event
		want    bool
	}{
		{"stat during mkdir sees it", [][]event{{{mkdir, result{}, 1, 4}}, {{stat, present, 2, 3}}}, true},
		{"stat during mkdir does not see it", [][]event{{{mkdir, result{}, 1, 4}}, {{stat, absent, 2, 3}}}, true},
		{"stat after mkdir does not see it", [][]event{{{mkdir, result{}, 1, 2}}, {{stat, absent, 3, 4}}}, false},
		{"stat before mkdir sees it", [][]event{{{mkdir, result{}, 3, 4}}, {{stat, present, 1, 2}}}, false},
		{"two create one name", [][]event{{{mkdir, result{}, 1, 4}}, {{mkdir, result{}, 2, 3}}}, false},
		{"seen and then not", [][]event{{{mkdir, result{}, 1, 6}}, {{stat, present, 2, 3}, {stat, absent, 4, 5}}}, false},
		{"a link that ended differently", [][]event{{{link, result{err: syscall.EIO}, 1, 2}}}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := &history{setup: linearSetup, threads: row.threads}
			w, threads := h.start(t)
			for i, l := range row.threads {
				for _, e := range l {
					threads[i].do(e.call)
				}
			}
			h.end = w.shape()
			assert.Equal(t, row.want, h.linearizable(t), h)
		})
	}
}
