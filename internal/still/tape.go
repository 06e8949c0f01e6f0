package still

import (
	"encoding/binary"
	"math/rand/v2"
)

// Tape is chance that can be had again: the bytes follow from its number.
type Tape struct{ *rand.ChaCha8 }

// NewTape returns the tape of a number. Each part of a run, a process for
// instance, has one of its own: the order in which processes draw is their
// scheduling.
func NewTape(number, part uint64) *Tape {
	var seed [32]byte
	copy(seed[:], "tmpproof")
	binary.LittleEndian.PutUint64(seed[8:], number)
	binary.LittleEndian.PutUint64(seed[16:], part)
	return &Tape{rand.NewChaCha8(seed)}
}

// Bytes returns the next n bytes.
func (t *Tape) Bytes(n int) []byte {
	b := make([]byte, n)
	_, _ = t.Read(b) // never fails
	return b
}
