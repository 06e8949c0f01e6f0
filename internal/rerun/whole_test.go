package rerun

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWhole: the named test runs from beginning to end, its siblings do not,
// and a call of a verb in it is not served.
func TestWhole(t *testing.T) {
	if IsChild() {
		assert.True(t, IsWhole())
	} else {
		cmd, out, err := Whole("TestWhole/a_b", time.Minute)
		require.NoError(t, err)
		require.NoError(t, cmd.Run(), out)
		assert.Contains(t, out.String(), "begins, Other, ends")
		assert.NotContains(t, out.String(), "sibling")
	}
	t.Run("a b", func(t *testing.T) {
		if !IsChild() {
			t.Skip("it is for the child")
		}
		c, err := Enter(t)
		require.NoError(t, err)
		fmt.Printf("begins, %v, ends\n", c.Role())
	})
	t.Run("c", func(t *testing.T) {
		if IsChild() {
			fmt.Println("sibling")
		}
	})
}
