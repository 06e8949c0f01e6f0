package attack

import (
	"math"
	"time"
)

// knowledge is what a run is given for what an attacker can know, and the
// number of the tape that it gets its chance from. In two runs of equal
// knowledge, what differs is chance, or the victim's own scheduling.
type knowledge struct {
	held    bool  // false: the real time, numbers and chance
	at      int64 // ns since 1970
	numbers int   // where made-up process numbers begin; below 0: the real ones
	tape    uint64
	devices bool // the random devices are the kernel's own
}

// The tapes: of the first undisturbed run, of all attacked ones, and the first
// of the others.
const (
	firstTape = 1 + iota
	mainTape
	moreTapes
)

// on is the same knowledge with another tape.
func (k knowledge) on(tape uint64) knowledge {
	k.tape = tape
	return k
}

// elsewhere is other knowledge: what differs under it is made of what others
// know.
func (k knowledge) elsewhere() knowledge {
	k.at += int64(400*24*time.Hour+77*time.Minute+3*time.Second) + 210_987_654 // another year, month, day ...
	if k.numbers >= 0 {
		k.numbers += 1009
	}
	return k
}

// place is where the scene is. Worlds that come one after the other can have
// the same, so that its path and its inode are the same as well.
type place interface{ leave() error }

// start is what a world begins with.
type start struct {
	knows knowledge
	in    place // nil: one of its own
	near  bool  // each write is seen when it is made
	again bool  // it is for Restart alone
}

// fewBits is the bound below which chance can be guessed (C08).
const fewBits = 32

// bitsOf is how many bits names of an alphabet of that many characters have at
// most.
func bitsOf(alphabet, length int) float64 { return float64(length) * math.Log2(float64(alphabet)) }
