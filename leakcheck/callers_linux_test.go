package leakcheck

import (
	"os/signal"
	"reflect"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCallSites: the calls of a function are found, by name.
func TestCallSites(t *testing.T) {
	pcs, err := callSites([2]uint64{uint64(reflect.ValueOf(signal.Notify).Pointer())})
	require.NoError(t, err)
	var names []string
	for _, pc := range pcs {
		names = append(names, runtime.FuncForPC(uintptr(pc)).Name())
	}
	assert.Contains(t, names, ownPackage+".(*root).onSignal")
	assert.Contains(t, names, "os/signal.NotifyContext")
	assert.False(t, takesSignals())
}

func BenchmarkTakesSignals(b *testing.B) {
	for b.Loop() {
		takesSignals()
	}
}
