package attack_test

import "testing"

// TestLines: the same on the system's disk.
func TestLines(t *testing.T) {
	lines := markedLines(t, "lines_test.go")
	for _, tt := range lineTests {
		t.Run(tt.name, func(t *testing.T) { t.Parallel(); tt.try(t, lines[tt.name]) })
	}
}
