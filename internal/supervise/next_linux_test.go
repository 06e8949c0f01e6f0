//go:build amd64 || arm64

package supervise

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const (
	abreast    = 4
	crowd      = 32
	crowdCalls = 20
)

func init() {
	// Threads that go from one call right to the next: what Go does between
	// two, such as starting a thread, would be a call to be let go.
	victims["abreast"] = func(dir string) {
		runtime.GOMAXPROCS(4 * abreast)
		debug.SetGCPercent(-1)
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			panic(err)
		}
		var wg sync.WaitGroup
		var ready atomic.Int32
		for i := range abreast {
			wg.Go(func() {
				runtime.LockOSThread()
				name, one := cstring(dir+"/"+strconv.Itoa(i)), make([]byte, 1)
				ready.Add(1)
				_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(p[0]), uintptr(unsafe.Pointer(&one[0])), 1)
				_, _, _ = unix.RawSyscall(unix.SYS_MKDIRAT, 0, uintptr(unsafe.Pointer(&name[0])), 0o700)
			})
		}
		for ready.Load() < abreast {
			runtime.Gosched()
		}
		_ = unix.Close(p[1])
		wg.Wait()
	}
}

func init() {
	victims["crowd"] = func(dir string) {
		var wg sync.WaitGroup
		for range crowd {
			wg.Go(func() {
				runtime.LockOSThread()
				for range crowdCalls {
					_ = unix.Faccessat(cwd, dir+"/absent", 0, 0)
				}
			})
		}
		wg.Wait()
	}
	// Not by a shell: SIGCHLD, for which it has a handler, has its fork fail with
	// EINTR when it comes before the fork is met. These send none.
	victims["orphaned crowd"] = func(dir string) {
		name := cstring(dir + "/absent")
		for range crowd {
			pid, _, _ := unix.RawSyscall6(unix.SYS_CLONE, 0, 0, 0, 0, 0, 0)
			if pid != 0 {
				continue
			}
			for range crowdCalls {
				_, _, _ = unix.RawSyscall(unix.SYS_FACCESSAT, 0, uintptr(unsafe.Pointer(&name[0])), 0)
			}
			_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
}

// TestInterrupted: POLLERR, which poll says of a listener when a signal has hit
// it, is no end and nothing to be read; what comes with it counts. A pipe without
// a reader says it for as long as is wanted.
func TestInterrupted(t *testing.T) {
	for _, row := range []struct {
		name    string
		write   bool // ask the end that is written to; the other is closed
		revents int16
		err     error
	}{
		{"POLLERR", true, 0, os.ErrDeadlineExceeded},
		{"POLLHUP", false, unix.POLLHUP, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			var p [2]int
			require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
			asked, closed := p[0], p[1]
			if row.write {
				asked, closed = closed, asked
				require.NoError(t, unix.Close(closed))
				require.Equal(t, int16(unix.POLLERR), ready(asked, 0))
			} else {
				require.NoError(t, unix.Close(closed))
			}
			revents, err := poll(asked, time.Now().Add(10*time.Millisecond))
			assert.ErrorIs(t, err, row.err)
			assert.Equal(t, row.revents, revents)
			assert.NoError(t, unix.Close(asked))
		})
	}
	_, err := poll(math.MaxInt32, soon())
	assert.ErrorIs(t, err, unix.EBADF, "none")
}

// TestDisturbed: each call of many threads and processes is met and answered,
// also when the child has ended, whatever signals hit the supervisor
// meanwhile. It is in other kernels, whose processors are slow, that one mostly
// hits while a lock is waited for.
func TestDisturbed(t *testing.T) {
	for _, name := range []string{"crowd", "orphaned crowd"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			asOld(t, func(t *testing.T, tree *Tree) {
				defer disturb()()
				n := 0
				watch(t, tree, func(ev *Event) bool {
					if strings.HasSuffix(describe(ev, dir), " absent") {
						n++
						tree.Arrived(ev.TID)
					}
					return false
				})
				if tree.Exact() {
					assert.Equal(t, crowd*crowdCalls, n)
				} else {
					assert.GreaterOrEqual(t, n, crowd*crowdCalls)
				}
			}, name, dir, Names)
		})
	}
}

// disturb sends signals to this thread until the end.
func disturb() (end func()) {
	pid, tid, over := unix.Getpid(), unix.Gettid(), make(chan bool)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				_ = unix.Tgkill(pid, tid, unix.SIGURG)
			}
		}
	})
	return func() { close(over); wg.Wait() }
}

// TestArrived: the threads that stand at a call of which Next has not told are
// known, it tells of each once, and of none that a signal took back.
func TestArrived(t *testing.T) {
	dir := t.TempDir()
	asOld(t, func(t *testing.T, tree *Tree) {
		var held *Event
		for held == nil {
			ev, err := tree.Next(soon())
			require.NoError(t, err)
			require.NotEqual(t, Gone, ev.Type)
			if describe(ev, dir) != "" {
				held = ev
			} else {
				tree.Continue(ev)
			}
		}
		standing := func(tid int) (n int) { // at a mkdirat
			for _, a := range tree.ahead {
				if int(a.pid) == tid && a.data.nr == unix.SYS_MKDIRAT {
					n++
				}
			}
			return n
		}
		var waiting []int
		for end := soon(); len(waiting) < abreast-1 && time.Now().Before(end); {
			waiting = nil
			tasks, err := os.ReadDir("/proc/" + strconv.Itoa(tree.PID()) + "/task")
			require.NoError(t, err)
			for _, task := range tasks {
				if tid, _ := strconv.Atoi(task.Name()); tree.Arrived(tid) && standing(tid) > 0 {
					waiting = append(waiting, tid)
				}
			}
		}
		require.Len(t, waiting, abreast-1)
		assert.NotContains(t, waiting, held.TID, "of it Next has told")
		assert.False(t, tree.Arrived(1), "no thread of the tree")

		disturbed := waiting[0]
		require.NoError(t, unix.Tgkill(tree.PID(), disturbed, unix.SIGURG))
		if !tree.Exact() {
			for end := soon(); standing(disturbed) < 2 && time.Now().Before(end); {
				tree.Arrived(disturbed)
			}
			require.Equal(t, 2, standing(disturbed), "it was taken back, and made again")
		}

		calls := map[int]string{held.TID: describe(held, dir)}
		tree.Continue(held)
		watch(t, tree, func(ev *Event) bool {
			if s := describe(ev, dir); s != "" {
				assert.Empty(t, calls[ev.TID], "told twice")
				assert.False(t, tree.Arrived(ev.TID))
				calls[ev.TID] = s
			}
			return false
		})
		var made []string
		for _, s := range calls {
			made = append(made, s)
		}
		assert.Equal(t, []string{"mkdirat 0", "mkdirat 1", "mkdirat 2", "mkdirat 3"}, sorted(made))
		assert.False(t, tree.Arrived(disturbed), "it has ended")
	}, "abreast", dir, Names)
}
