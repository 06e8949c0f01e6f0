//go:build amd64 || arm64

package supervise

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/internal/supervise/kernelcalls"
)

// TestNoCallForgotten compares the table, and the list of calls that no set has,
// with all that x/sys/unix knows for this architecture. One that is in neither is
// new, and must be looked at.
func TestNoCallForgotten(t *testing.T) {
	known := map[string]string{}
	for _, c := range calls() {
		known[c.name] = "in the table"
	}
	for name, why := range kernelcalls.Exempt(t) {
		assert.NotContains(t, known, name)
		known[name] = why
	}
	for name := range kernelcalls.Names(t, runtime.GOARCH) {
		assert.Contains(t, known, name, "which the supervisor does not know")
	}
}
