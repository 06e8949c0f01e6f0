package attack

import "math/bits"

// alphabet is the kinds of characters that were seen.
type alphabet uint8

const (
	decimals alphabet = 1 << iota
	hexLower
	hexUpper
	lowers
	uppers
	others // punctuation, and bytes that are no ASCII
)

// alphabetOf is what a text is made of. A letter of the hexadecimal digits is
// no sign of more.
func alphabetOf(s string) (a alphabet) {
	for i := range len(s) {
		switch c := s[i]; {
		case digit(c):
			a |= decimals
		case c >= 'a' && c <= 'f':
			a |= hexLower
		case c >= 'A' && c <= 'F':
			a |= hexUpper
		case c >= 'a' && c <= 'z':
			a |= lowers
		case c >= 'A' && c <= 'Z':
			a |= uppers
		default:
			a |= others
		}
	}
	return a
}

// whole adds the characters that a text of these kinds could as well have had.
func (a alphabet) whole() alphabet {
	if a&lowers != 0 {
		a |= hexLower
	}
	if a&uppers != 0 {
		a |= hexUpper
	}
	if a&^(decimals|others) != 0 {
		a |= decimals
	}
	return a
}

// size is how many characters it has.
func (a alphabet) size() int {
	n := 0
	for b := a.whole(); b != 0; b &= b - 1 {
		n += [...]int{10, 6, 6, 20, 20, 2}[bits.TrailingZeros8(uint8(b))]
	}
	return max(n, 2)
}

// has says that a text is made of these kinds only.
func (a alphabet) has(s string) bool { return alphabetOf(s)&^a.whole() == 0 }
