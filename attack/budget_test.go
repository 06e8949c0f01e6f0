package attack

import (
	"cmp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// endsIn is a test with a deadline.
type endsIn struct {
	testing.TB
	left time.Duration
}

func (e endsIn) Deadline() (time.Time, bool) { return time.Now().Add(e.left), e.left > 0 }

func TestBudget(t *testing.T) {
	for _, tt := range []struct {
		name, slow string
		opts       []Option
		left, want time.Duration
		by         string // what bounds it: Budget
		err        string
	}{
		{name: "no end in sight", want: time.Minute},
		{name: "half of what is left", left: time.Minute, want: 30 * time.Second, by: "-timeout, of which it is half; Budget"},
		{name: "a minute at most", left: time.Hour, want: time.Minute},
		{name: "slow", slow: "5", left: time.Hour, want: 5 * time.Minute},
		{name: "slow, half of what is left", slow: "5", left: time.Minute, want: 30 * time.Second, by: "-timeout, of which it is half; Budget"},
		{name: "the option's", opts: []Option{Budget(time.Second)}, left: time.Minute, want: time.Second},
		{name: "the option's, slow", slow: "1000", opts: []Option{Budget(time.Second)}, left: time.Hour, want: 1000 * time.Second},
		{name: "the option's, more than is left", opts: []Option{Budget(time.Hour)}, left: time.Minute, want: 48 * time.Second, by: "-timeout, of which Budget gets four fifths at most"},
		{name: "zero", slow: "0", err: `TMPPROOF_SLOW="0": give a factor`},
		{name: "too slow", slow: "1001", err: "give a factor"},
		{name: "no number", slow: "1s", err: `TMPPROOF_SLOW="1s": give a factor`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("TMPPROOF_SLOW", tt.slow)
			o, err := newOptions(prove, tt.opts)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			o.setBudget(endsIn{t, tt.left}, proofBudget)
			assert.InDelta(t, tt.want, o.budget, float64(time.Second))
			assert.Equal(t, cmp.Or(tt.by, "Budget"), o.budgetBy)
		})
	}
}
