package still

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestClock(t *testing.T) {
	const second = int64(time.Second)
	for _, row := range []struct {
		name   string
		waited []time.Duration
		want   int64
	}{
		{"stands still", nil, 0},
		{"a short wait", []time.Duration{700 * time.Millisecond}, 0},
		{"a second", []time.Duration{time.Second}, 1},
		{"nearly a second", []time.Duration{800 * time.Millisecond}, 1},
		{"two halves", []time.Duration{500 * time.Millisecond, 500 * time.Millisecond}, 1},
		{"three seconds", []time.Duration{3 * time.Second}, 3},
		{"backwards", []time.Duration{-5 * time.Second}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := NewClock(1e18 + 5)
			for _, d := range row.waited {
				c.Waited(d)
			}
			assert.Equal(t, 1e18+5+row.want*second, c.Now())
			assert.Equal(t, int(row.want), c.Seconds())
		})
	}
	c := NewClock(0)
	for range 65536 {
		c.Waited(Look)
	}
	assert.Equal(t, 1, c.Seconds(), "who waits for the clock in a loop gets the next second")
}

func TestTape(t *testing.T) {
	a, b := NewTape(1, 0), NewTape(1, 0)
	assert.Equal(t, a.Bytes(100), b.Bytes(100))
	assert.NotEqual(t, a.Bytes(8), NewTape(1, 0).Bytes(8), "it goes on")
	assert.NotEqual(t, NewTape(1, 0).Bytes(16), NewTape(2, 0).Bytes(16), "another tape")
	assert.NotEqual(t, NewTape(1, 0).Bytes(16), NewTape(1, 1).Bytes(16), "another part")
}

func TestNumbers(t *testing.T) {
	n := NewNumbers(7)
	assert.Equal(t, FirstNumber+7, n.Of(4711))
	assert.Equal(t, FirstNumber+8, n.Of(12))
	assert.Equal(t, FirstNumber+7, n.Of(4711))
	real, ok := n.Real(FirstNumber + 8)
	assert.True(t, ok)
	assert.Equal(t, 12, real)
	for _, unknown := range []int{0, -1, 12, FirstNumber, FirstNumber + 9} {
		_, ok = n.Real(unknown)
		assert.False(t, ok, unknown)
	}
	n.Forget(12)
	_, ok = n.Made(12)
	assert.False(t, ok)
	assert.Equal(t, FirstNumber+9, n.Of(12), "another process of the same number")
	for pid := range MostNumbers {
		n.Of(1000000 + pid)
	}
	assert.Equal(t, 5, n.Of(5), "there are no more")
	assert.True(t, IsMade(FirstNumber))
	assert.False(t, IsMade(1<<22))
}
