package tmptest

import (
	"fmt"
	"math/bits"
)

// lcg is a linear congruential generator: x' = a*x + c mod m. A modulus of 0
// is 2^64.
type lcg struct {
	name    string
	a, c, m uint64
}

func (g lcg) next(x uint64) uint64 {
	if g.m&(g.m-1) == 0 { // a power of two; 0 is 2^64
		return (g.a*x + g.c) & (g.m - 1)
	}
	hi, lo := bits.Mul64(g.a, x)
	lo, carry := bits.Add64(lo, g.c, 0)
	return bits.Rem64(hi+carry, lo, g.m)
}

// knownLCGs are the parameters in wide use.
var knownLCGs = []lcg{
	{"Numerical Recipes", 1664525, 1013904223, 1 << 32},
	{"ANSI C", 1103515245, 12345, 1 << 31},
	{"ANSI C", 1103515245, 12345, 1 << 32},
	{"Microsoft C", 214013, 2531011, 1 << 32},
	{"Borland C", 22695477, 1, 1 << 32},
	{"VAX", 69069, 1, 1 << 32},
	{"Delphi", 134775813, 1, 1 << 32},
	{"MINSTD", 16807, 0, 1<<31 - 1},
	{"MINSTD of 1993", 48271, 0, 1<<31 - 1},
	{"drand48", 25214903917, 11, 1 << 48},
	{"Knuth's MMIX", 6364136223846793005, 1442695040888963407, 0},
}

const (
	// enoughSteps are transitions that agree in a row before a generator is
	// taken for found.
	enoughSteps = 5
	// startsTried are the samples from which a solution is tried.
	startsTried = 4
	// maxStates bounds the states that may hide behind one output.
	maxStates = 1 << 18
)

// findLCG looks for a linear congruential generator behind numbers that were
// drawn one after the other. digits is the width of the decimal number that
// the outputs were reduced to, 0 if they were not.
func findLCG(outputs []uint64, digits int) (how string, found bool) {
	for start := 0; start < startsTried && start+enoughSteps < len(outputs); start++ {
		window := outputs[start : start+enoughSteps+1]
		if window[1]-window[0] == window[2]-window[1] {
			continue // a constant or a counter, which is no generator's
		}
		if how, ok := solveLCG(window); ok {
			return how, true
		}
		for _, g := range knownLCGs {
			if how, ok := g.explains(window, digits); ok {
				return how, true
			}
		}
	}
	return "", false
}

// explains reports whether the generator gives these outputs: its whole state,
// the state modulo a power of ten, or the state without its low 16 bits.
func (g lcg) explains(outputs []uint64, digits int) (how string, ok bool) {
	full := func(x uint64) uint64 { return x }
	if g.fits(full, outputs[0], 1, 1, outputs) {
		return "linear congruential generator (" + g.name + ")", true
	}
	if digits > 0 && digits < 19 && g.m != 0 {
		ten := pow10(digits)
		if states := g.m/ten + 1; states <= maxStates && g.fits(func(x uint64) uint64 { return x % ten }, outputs[0], ten, states, outputs) {
			return fmt.Sprintf("linear congruential generator (%s) modulo 10^%d", g.name, digits), true
		}
	}
	for _, width := range []int{15, 16, 32} {
		high := func(x uint64) uint64 { return x >> 16 & (1<<width - 1) }
		if g.m == 0 || outputs[0] >= 1<<width || g.m>>(16+width) > 2 {
			continue
		}
		for top := uint64(0); top == 0 || top<<(16+width) < g.m; top++ {
			if g.fits(high, top<<(16+width)|outputs[0]<<16, 1, 1<<16, outputs) {
				return fmt.Sprintf("linear congruential generator (%s) without its low bits", g.name), true
			}
		}
	}
	return "", false
}

// fits tries the states first, first+step, ... as the one behind outputs[0].
func (g lcg) fits(out func(uint64) uint64, first, step, states uint64, outputs []uint64) bool {
	for i := range states {
		x := first + i*step
		if g.m != 0 && x >= g.m {
			return false
		}
		ok := true
		for _, want := range outputs[1:] {
			if x = g.next(x); out(x) != want {
				ok = false
				break
			}
		}
		if ok {
			return true
		}
	}
	return false
}

// solveLCG finds any multiplier and increment that explain whole states for a
// modulus that is a power of two: two differences give the multiplier.
func solveLCG(x []uint64) (how string, ok bool) {
	for _, width := range []int{31, 32, 48, 64} {
		mask := ^uint64(0) >> (64 - width)
		if x[0] > mask || x[1] > mask || x[2] > mask {
			continue
		}
		d1, d2 := (x[1]-x[0])&mask, (x[2]-x[1])&mask
		if d1&1 == 0 {
			continue // no inverse
		}
		g := lcg{a: d2 * inverse(d1) & mask}
		g.c = (x[1] - g.a*x[0]) & mask
		ok := true
		for i, v := range x[:len(x)-1] {
			ok = ok && (g.a*v+g.c)&mask == x[i+1]
		}
		if ok {
			return fmt.Sprintf("linear congruential generator (multiplier %d, increment %d, modulo 2^%d)", g.a, g.c, width), true
		}
	}
	return "", false
}

// inverse is that of an odd number modulo 2^64, by Newton's iteration.
func inverse(x uint64) uint64 {
	inv := x
	for range 6 {
		inv *= 2 - x*inv
	}
	return inv
}

func pow10(n int) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}
