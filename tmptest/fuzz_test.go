package tmptest

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// FuzzNames judges names around chance and without: no name makes the judge
// fall, enough chance passes in any frame, and none never does.
func FuzzNames(f *testing.F) {
	for _, frame := range []string{"", "/", "a\nb", "upload-.tmp", "2026-01-01", "\xff\xfe", "%d", "007", strings.Repeat("x", 300)} {
		f.Add(frame, uint8(2))
	}
	f.Fuzz(func(t *testing.T, frame string, at uint8) {
		cut := int(at) % (len(frame) + 1)
		draws := func(middle func(i int) string) []draw {
			var all []draw
			now := time.Unix(1000000000, 0)
			for i := range ownDraws {
				all = append(all, draw{Name: []byte(frame[:cut] + middle(i) + frame[cut:]), From: now, To: now})
			}
			return all
		}
		random := draws(func(int) string { return fmt.Sprintf("q%016xq", rand.Uint64()) })
		assert.Empty(t, judge([]series{{Draws: random}}, exclusiveBits), "%q", frame)
		fixed := draws(func(int) string { return "" })
		assert.NotEmpty(t, judge([]series{{Draws: fixed}}, exclusiveBits), "%q", frame)
		counted := draws(func(i int) string { return fmt.Sprintf("-%d-", i) })
		assert.NotEmpty(t, judge([]series{{Draws: counted}}, exclusiveBits), "%q", frame)
		newNameJudge("Test", time.Now()).madeOf(frame)
	})
}

// FuzzDirPattern: any test name gives a short name without a separator.
func FuzzDirPattern(f *testing.F) {
	for _, name := range []string{"", "TestX/a b", "..", "\x00", "日本語", strings.Repeat("a", 300)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		pattern := dirPattern(name)
		assert.Equal(t, pattern, filepath.Base(pattern))
		assert.Regexp(t, `^[A-Za-z0-9_]{0,16}-\*$`, pattern)
	})
}

// FuzzOneLine: a violation is one line whatever it is about.
func FuzzOneLine(f *testing.F) {
	f.Add("path\n", "detail\r\n\x1b[0m")
	f.Fuzz(func(t *testing.T, path, detail string) {
		text := Violation{Rule: rules.C05, Path: path, Detail: detail}.String()
		assert.False(t, strings.ContainsAny(text, "\n\r\x1b\x00"), "%q", text)
	})
}
