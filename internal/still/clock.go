package still

import "time"

// Clock is the time of one run. It stands still while the program works, and
// goes on by whole seconds for what the program has waited, so that code which
// waits for another second gets it, at the same point of each run.
type Clock struct {
	start  int64
	waited time.Duration
}

// What the program does that stands for waiting.
const (
	// Look is a look at the clock by a system call.
	Look = time.Second / 65536
	// ManyLooks are 4,096 without one: see Hold.
	ManyLooks = 4096 * Look
	// Program is the start of a program: shells wait by running date.
	Program = 4 * time.Millisecond
	// early is by how much the next second comes before the program has waited
	// for the whole of it: it then cannot look while the second changes.
	early = 250 * time.Millisecond
)

// NewClock returns a clock that says at, in ns since 1970.
func NewClock(at int64) *Clock { return &Clock{start: at} }

// Waited lets the program have waited for d.
func (c *Clock) Waited(d time.Duration) { c.waited += max(d, 0) }

// Seconds is by how many seconds the clock has gone on.
func (c *Clock) Seconds() int { return int((c.waited + early) / time.Second) }

// Now is the time in ns since 1970.
func (c *Clock) Now() int64 { return c.start + int64(c.Seconds())*int64(time.Second) }
