package supervise

import (
	"runtime"
	"testing"
)

// The victim "starts threads" starts threads without end, before and while the
// filter is installed. In a binary with cgo each is a clone3 that the filter
// stops, made by a thread that holds one of the runtime's processors.
func init() {
	victims["starts threads"] = func(string) {}
	beforeAttach["starts threads"] = func() {
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
	for range 4 {
		tree := supervise(t, victim(t, "starts threads", t.TempDir()), Names)
		watch(t, tree, func(*Event) bool { return false })
	}
}
