package rerun

import (
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// goroutine is the number of the goroutine that runs.
func goroutine() int {
	var b [64]byte
	n, _ := strconv.Atoi(strings.Fields(string(b[:runtime.Stack(b[:], false)]))[1])
	return n
}

// TestServeEach: whatever a function does to its goroutine, the next one runs;
// in the same goroutine as long as nothing was done to that.
func TestServeEach(t *testing.T) {
	rows := []struct {
		name string
		fn   func()
		kind Kind // 0: it returned
		same bool // the next runs in the same goroutine
	}{
		{"returns", func() {}, 0, true},
		{"panics", func() { panic("no") }, Panicked, true},
		{"Goexit", runtime.Goexit, Goexited, false},
		{"Goexit while it panics", func() { defer runtime.Goexit(); panic("no") }, Goexited, false},
		{"keeps its thread", runtime.LockOSThread, 0, false},
		{"keeps it and panics", func() { runtime.LockOSThread(); panic("no") }, Panicked, false},
		{"keeps it and ends", func() { runtime.LockOSThread(); runtime.Goexit() }, Goexited, false},
		{"gives it back", func() { runtime.LockOSThread(); runtime.UnlockOSThread() }, 0, true},
		{"calls a verb", func() { _, _ = Enter(t) }, Nested, true},
		{"fails and calls a verb", func() { _, _ = Enter(t); runtime.Goexit() }, Nested, false},
	}
	c := &Call{t: t, role: Child}
	i, ran, before := -1, 0, 0
	c.ServeEach(func(end *Error) func() {
		if i >= 0 {
			var kind Kind
			if end != nil {
				kind = end.Kind
			}
			assert.Equal(t, rows[i].kind, kind, rows[i].name)
			assert.Equal(t, i+1, ran, "%s: run once", rows[i].name)
			assert.Equal(t, rows[i].same, goroutine() == before, "%s: the goroutine is the same", rows[i].name)
			assert.False(t, locked(), rows[i].name)
		}
		if i++; i == len(rows) {
			return nil
		}
		return func() {
			before = goroutine()
			ran++
			rows[i].fn()
		}
	})
	assert.Equal(t, len(rows), i)
}
