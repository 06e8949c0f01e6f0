package hunt_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/hunt"
)

type verdict struct {
	program, sticky, unsticky string // the rules
	depth                     int
}

func (v verdict) want(unsticky bool) string {
	if unsticky {
		return v.unsticky
	}
	return v.sticky
}

// verdicts are programs and what the second attacker must find: each broken
// one with its nearest safe twin.
var verdicts = []verdict{
	{program: "| writefile! a 600", sticky: "X01 X10", unsticky: "X01 X10"},
	{program: "| writenew! a 600"},
	{program: "| writefile! a 644", sticky: "X01 X04 X10", unsticky: "X01 X04 X10"},
	{program: "| writenew! a 644", sticky: "X04", unsticky: "X04"},
	{program: "a | readfile! a", unsticky: "X02 X03"},
	{program: "a | readmine! a", unsticky: ""},
	{program: "| readfile a", sticky: "X02 X03", unsticky: "X02 X03"},
	{program: "| readmine a"},
	{program: "| chmod d/x 600", sticky: "X01", unsticky: "X01"},
	{program: "| ifthere d/x; chtimes d/y", sticky: "X01", unsticky: "X01"},
	{program: "| mkdir d 700; writenew d/x 600", sticky: "X01 X06", unsticky: "X01 X06"},
	{program: "| mkdir! d 700; writenew! d/x 600", unsticky: "X01 X06"},
	{program: "| mkdirtemp! .; writenew! $M/x 600", unsticky: "X01 X06"},
	{program: "| mkdirtemp! .; rmdir! $M; iflthere $M/x"},
	{program: "| createtemp! .; readfile $T.d", sticky: "X02 X03", unsticky: "X02 X03"},
	{program: "| createtemp! .; unlink! $T"},
	{program: "d/ d/x | removeall! d", unsticky: ""},
	{program: "d/ d/x | unlink! d/x; rmdir! d", unsticky: "X01"},
	{program: "a | rename! a b"},
	{program: "d/ | readdir! d; rmdir! d"},
	{program: "d/ | readdir! d", unsticky: "X02 X03"},
	{program: "| readdir d", sticky: "X02 X03", unsticky: "X02 X03"},
	{program: "a | ifmine a; chmod! a 600", unsticky: "X01"},
	{program: "| ifnolink d; append d/x", depth: 1, sticky: "X01 X10", unsticky: "X01 X10"},
	{program: "| iflabsent a; iflthere a; ifmine a; chmod! a 600", depth: 2, unsticky: ""},
}

func TestReference(t *testing.T) {
	g := hunt.NewFakeGround()
	for _, row := range verdicts {
		for _, unsticky := range []bool{false, true} {
			assert.Equal(t, row.want(unsticky), judged(t, g, row.program, unsticky, max(row.depth, 1)), "%s, unsticky=%v", row.program, unsticky)
		}
	}
}

func judged(t *testing.T, g hunt.Ground, text string, unsticky bool, depth int) string {
	t.Helper()
	p, err := hunt.Parse(text)
	require.NoError(t, err)
	v, err := hunt.Judge(g, p, unsticky, depth)
	require.NoError(t, err)
	require.False(t, v.Fails || v.Idle, text)
	return strings.Join(v.Rules(), " ")
}

// TestMended takes from a program what always fails.
func TestMended(t *testing.T) {
	p, err := hunt.Parse("| readfile! a; mkdir! a 700; mkdir! a 700")
	require.NoError(t, err)
	p, err = hunt.Mended(hunt.NewFakeGround(), p)
	require.NoError(t, err)
	assert.Equal(t, " | readfile a; mkdir! a 700; mkdir a 700", p.String())
}
