package leakcheck

import (
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestListInterrupted: a file is in the listing while signals are pending, by
// which the kernel cuts an answer of getdents64 short. They are SIGURG, the Go
// runtime's own, sent to the thread that reads.
func TestListInterrupted(t *testing.T) {
	r, err := newRoot(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.remove()) })
	require.NoError(t, os.WriteFile(filepath.Join(r.files, "canary"), nil, 0o600))

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread, process := unix.Gettid(), os.Getpid()
	var ended atomic.Bool
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for !ended.Load() {
			_ = unix.Tgkill(process, thread, syscall.SIGURG)
		}
	}()
	defer func() { ended.Store(true); <-sent }()
	for i := range 20_000 {
		names, err := r.names()
		require.NoError(t, err)
		require.Equal(t, []string{"canary"}, names, "listing %d", i)
	}
}
