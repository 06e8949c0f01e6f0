//go:build amd64 || arm64

package supervise

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The victim "threads" starts threads without end, before and while the
// filter is installed. In a binary with cgo each is a clone3 that the filter
// stops, made by a thread that holds one of the runtime's processors.
func init() {
	victims["threads"] = func(string) {}
	beforeAttach["threads"] = func() {
		for range 4 {
			go func() {
				for {
					done := make(chan struct{})
					go func() {
						runtime.LockOSThread() // the thread ends with the goroutine
						close(done)
					}()
					<-done
				}
			}()
		}
	}
}

// The victim "stopped" has its world stopped without end, which asks every
// thread to give its processor away, and starts it again, for which the runtime
// starts threads.
func init() {
	victims["stopped"] = func(string) {}
	beforeAttach["stopped"] = func() {
		go func() {
			var m runtime.MemStats
			for {
				runtime.ReadMemStats(&m)
			}
		}()
	}
}

// TestHandoverWhileDisturbed: what it would find is a deadlock, which lasts
// for ever; its victim makes any machine slow, and an emulated one very slow.
func TestHandoverWhileDisturbed(t *testing.T) {
	for _, tc := range []struct {
		victim string
		times  int
	}{
		{"threads", 5},
		{"stopped", 20},
	} {
		t.Run(tc.victim, func(t *testing.T) {
			for range tc.times {
				deadline := time.Now().Add(2 * time.Minute)
				tree := superviseBy(t, victim(t, tc.victim, ""), Names, deadline)
				for done := false; !done; {
					ev, err := tree.Next(deadline)
					require.NoError(t, err)
					require.NotEqual(t, Gone, ev.Type)
					done = ev.Type == Message && ev.Op == opDone
					tree.Continue(ev)
				}
				require.NoError(t, tree.Kill())
			}
		})
	}
}
