package leakcheck

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWorking: a goroutine at work is told from those that wait.
func TestWorking(t *testing.T) {
	var stop, begun atomic.Bool
	wait := make(chan bool)
	defer close(wait)
	for range 3 {
		go func() { <-wait }()
	}
	for working() {
		runtime.Gosched() // until they wait
	}
	over := make(chan bool)
	go func() {
		defer close(over)
		for begun.Store(true); !stop.Load(); {
		}
	}()
	for !begun.Load() {
		runtime.Gosched()
	}
	require.True(t, working())
	stop.Store(true)
	<-over
	for working() {
		runtime.Gosched()
	}
	assert.False(t, working())
}
