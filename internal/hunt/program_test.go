package hunt_test

import (
	"go/parser"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/hunt"
)

// TestGenerate sees that a seed gives one program, which can be written, read
// and printed as Go.
func TestGenerate(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(2000) {
		lot := hunt.Lot{Linux: seed%2 == 0, Most: 2 + int(seed%7)}
		p := hunt.Generate(seed, lot)
		text := p.String()
		assert.Equal(t, text, hunt.Generate(seed, lot).String())
		assert.LessOrEqual(t, len(p.Ops), lot.Most)
		assert.GreaterOrEqual(t, len(p.Ops), 2)
		seen[text] = true
		read, err := hunt.Parse(text)
		require.NoError(t, err)
		assert.Equal(t, text, read.String())
		_, err = parser.ParseExpr("[]row{" + p.Go(!p.Linux()) + "}")
		require.NoError(t, err, p.Go(false))
	}
	assert.Greater(t, len(seen), 1900)
}

func TestParseRefuses(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"a b", `no "|"`},
		{"| chmod d/x", "not 3 words"},
		{"| jump d/x", "unknown"},
		{"| chmod d/x 9", "invalid syntax"},
		{"|", "not of the form"},
		{"| ;", "not of the form"},
	} {
		_, err := hunt.Parse(row.text)
		assert.ErrorContains(t, err, row.want, row.text)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("d/ d/x | mkdir! a 700; chmod:dirfd d/x 600")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := hunt.Parse(text)
		if err != nil {
			return
		}
		again, err := hunt.Parse(p.String())
		if err != nil || again.String() != p.String() {
			t.Fatalf("%q is read as %q, and that as %q, %v", text, p, again, err)
		}
	})
}

// TestShrink makes programs as small as what is wanted allows.
func TestShrink(t *testing.T) {
	p, err := hunt.Parse("d/ d/x | ifthere d; chmod:root d/x 644; readfile! d/x; unlink d/x")
	require.NoError(t, err)
	chmods := func(p *hunt.Program) bool {
		for _, o := range p.Ops {
			if o.Do == hunt.Chmod {
				return true
			}
		}
		return false
	}
	assert.Equal(t, " | chmod! d/x 600", hunt.Shrink(p, chmods).String())
}
