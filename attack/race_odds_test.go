package attack

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Values of Clopper and Pearson's bounds, 95 % each.
func TestBounds(t *testing.T) {
	for _, tt := range []struct {
		wins, n   int
		low, high float64
	}{
		{0, 0, 0, 1},
		{0, 1, 0, 0.95},
		{0, 100, 0, 0.029513},
		{0, 3000, 0, 0.000998},
		{1, 2, 0.025321, 0.974679},
		{10, 100, 0.055263, 0.163718},
		{100, 100, 0.970487, 1},
	} {
		low, high := bounds(tt.wins, tt.n)
		assert.InDelta(t, tt.low, low, 2e-6, "%d of %d", tt.wins, tt.n)
		assert.InDelta(t, tt.high, high, 2e-6, "%d of %d", tt.wins, tt.n)
	}
}

// TestBoundsHonest: whatever the true probability is, each bound is wrong in
// at most 5 of 100 races; summed over all outcomes, not tried.
func TestBoundsHonest(t *testing.T) {
	for _, n := range []int{1, 7, 60, 150} {
		low, high := make([]float64, n+1), make([]float64, n+1)
		for wins := range n + 1 {
			low[wins], high[wins] = bounds(wins, n)
		}
		for _, p := range []float64{0.0005, 0.004, 0.02, 0.1, 0.37, 0.5, 0.9, 0.999} {
			t.Run(fmt.Sprintf("n=%d,p=%g", n, p), func(t *testing.T) {
				above, below := 0.0, 0.0
				for wins := range n + 1 {
					chance := atMost(wins, n, p) - atMost(wins-1, n, p)
					if p > high[wins] {
						above += chance
					}
					if p < low[wins] {
						below += chance
					}
				}
				assert.LessOrEqual(t, above, 1-confidence+1e-9)
				assert.LessOrEqual(t, below, 1-confidence+1e-9)
			})
		}
	}
}
