package supervise

import (
	"os"
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
	if os.Getenv("SUPERVISE_TEST_VICTIM") != "threads" {
		return
	}
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

func TestHandoverWhileThreadsStart(t *testing.T) {
	for range 20 {
		tree := start(t, "threads", t.TempDir(), Names)
		deadline := time.Now().Add(20 * time.Second)
		for {
			ev, err := tree.Next(deadline)
			require.NoError(t, err)
			if ev.Type == Message && ev.Op == opDone {
				break
			}
			require.NotEqual(t, Gone, ev.Type)
			tree.Continue(ev)
		}
		require.NoError(t, tree.Kill())
	}
}
