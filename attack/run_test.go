package attack

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestOver: the call of a step has run when its thread comes to the next one,
// when the world says so, or when another call uses what it made; a slow one,
// whose file is not there yet, is looked at later.
func TestOver(t *testing.T) {
	const thread, other = 1, 2
	busy := func(tid int) bool { return tid == thread }
	at := func(names ...string) (l []lookup) {
		for _, n := range names {
			l = append(l, lookup{given: n})
		}
		return l
	}
	for _, tt := range []struct {
		name string
		b    boundary
		want bool
	}{
		{"its thread's next call", boundary{thread: thread, busy: busy}, true},
		{"another thread's, and it may be in the kernel", boundary{thread: other, busy: busy, lookups: at("shared/b")}, false},
		{"another thread's, and it is not", boundary{thread: other, busy: func(int) bool { return false }, lookups: at("shared/b")}, true},
		{"another thread's, in a world where a call is over at once", boundary{thread: other, lookups: at("shared/b")}, true},
		{"another thread's, with the name that it made", boundary{thread: other, busy: busy, lookups: at("home", "shared/a")}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &run{steps: []*step{{boundary: boundary{thread: thread, lookups: at("shared/a")}}}}
			assert.Equal(t, tt.want, r.over(0, &tt.b))
		})
	}
}
