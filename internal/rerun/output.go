package rerun

import (
	"fmt"
	"strings"
	"sync"
)

// outputHalf is how much of the start, and of the end, of a child's output is
// kept.
const outputHalf = 32 << 10

// Output keeps the first and the last 32 KiB of what is written to it, and
// counts what it drops between the two. Its methods may be called at once.
type Output struct {
	mu   sync.Mutex
	head []byte
	tail []byte // a ring once it is full
	at   int    // where the ring's oldest byte is
	size int64
}

// Write never fails.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(p)
	o.size += int64(n)
	room := min(outputHalf-len(o.head), len(p))
	o.head = append(o.head, p[:room]...)
	p = p[room:]
	p = p[max(0, len(p)-outputHalf):]
	room = min(outputHalf-len(o.tail), len(p))
	o.tail = append(o.tail, p[:room]...)
	for p = p[room:]; len(p) > 0; {
		k := copy(o.tail[o.at:], p)
		p = p[k:]
		o.at = (o.at + k) % outputHalf
	}
	return n, nil
}

// Dropped is the number of bytes that are not in String.
func (o *Output) Dropped() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dropped()
}

func (o *Output) dropped() int64 { return o.size - int64(len(o.head)+len(o.tail)) }

// String is what was kept, with a line that says how much is missing where
// something is.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var b strings.Builder
	b.Write(o.head)
	if n := o.dropped(); n > 0 {
		fmt.Fprintf(&b, "\n[%d bytes left out]\n", n)
	}
	b.Write(o.tail[o.at:])
	b.Write(o.tail[:o.at])
	return b.String()
}
