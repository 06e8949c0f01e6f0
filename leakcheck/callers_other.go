//go:build !linux

package leakcheck

// takesSignals: who else waits for signals is known on Linux alone.
func takesSignals(func() bool) bool { return true }

func prepareSignals() {}
