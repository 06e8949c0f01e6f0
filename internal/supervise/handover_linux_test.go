package supervise

import (
	"runtime"
	"testing"

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

func TestHandoverWhileThreadsStart(t *testing.T) {
	for range 5 {
		tree := supervise(t, victim(t, "threads", ""), Names)
		for done := false; !done; {
			ev, err := tree.Next(soon())
			require.NoError(t, err)
			require.NotEqual(t, Gone, ev.Type)
			done = ev.Type == Message && ev.Op == opDone
			tree.Continue(ev)
		}
		require.NoError(t, tree.Kill())
	}
}
