package attack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestProblemsText: what was not tried is listed, up to a bound.
func TestProblemsText(t *testing.T) {
	var problems []string
	for i := range maxShown {
		problems = append(problems, fmt.Sprint("reason ", i))
	}
	assert.Equal(t, strings.Join(problems, "\n  - "), problemsText(problems))
	text := problemsText(append(problems, "another", "and another"))
	assert.True(t, strings.HasSuffix(text, fmt.Sprintf("reason %d\n  - ... and 2 more", maxShown-1)), text)
	assert.NotContains(t, text, "another")
	assert.Empty(t, problemsText(nil))
}
