package attack

import (
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestReadable: a wait goes on under a storm of the signals by which the Go
// runtime preempts.
func TestReadable(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	assert.False(t, readable(int(r.Fd()), 0))
	var stop atomic.Bool
	over := make(chan struct{})
	tid, signals := unix.Gettid(), 0
	go func() {
		defer close(over)
		for ; !stop.Load(); signals++ {
			_ = unix.Tgkill(os.Getpid(), tid, unix.SIGURG)
			time.Sleep(100 * time.Microsecond)
			if signals == 100 {
				_, _ = w.Write([]byte("x"))
			}
		}
	}()
	assert.True(t, readable(int(r.Fd()), time.Minute))
	stop.Store(true)
	<-over
	assert.Greater(t, signals, 100)
}
