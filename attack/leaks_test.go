//go:build !js && !wasip1

package attack_test

import (
	"testing"

	"github.com/tmpproof/tmpproof/leakcheck"
)

// programs are what this binary does by itself when a test starts it as another
// program; each ends the process, or is not what it was started for.
var programs []func()

// Nothing that these tests make may be left.
func TestMain(m *testing.M) {
	for _, program := range programs {
		program()
	}
	leakcheck.Main(m)
}
