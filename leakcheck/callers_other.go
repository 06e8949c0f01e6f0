//go:build !linux

package leakcheck

// takesSignals: who else waits for signals is known on Linux alone.
func takesSignals() bool { return true }
