package leakcheck

import (
	"os/signal"
	"reflect"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func never() bool { return false }

// TestCallSites: the calls of a function are found, by name.
func TestCallSites(t *testing.T) {
	pcs, err := callSites([2]uint64{uint64(reflect.ValueOf(signal.Notify).Pointer())}, never)
	require.NoError(t, err)
	var names []string
	for _, pc := range pcs {
		names = append(names, runtime.FuncForPC(uintptr(pc)).Name())
	}
	assert.Contains(t, names, ownPackage+".(*signals).begin")
	assert.Contains(t, names, "os/signal.NotifyContext")
	assert.False(t, takesSignals(never))
	assert.True(t, takesSignals(func() bool { return true }), "cancelled")
}

func BenchmarkTakesSignals(b *testing.B) {
	for b.Loop() {
		takesSignals(never)
	}
}
