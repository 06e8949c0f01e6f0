package attack_test

import (
	"testing"

	"github.com/tmpproof/tmpproof/attack"
)

// TestPublic is TestFakePublic on the system's disk, in the same words.
func TestPublic(t *testing.T) {
	for _, tt := range publicTests {
		t.Run(tt.name, func(t *testing.T) { t.Parallel(); tt.agrees(t, attack.Prove) })
	}
}
