package tmptest

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// draw is one name, and when it was made.
type draw struct {
	Name     []byte // may be no UTF-8
	From, To time.Time
}

// pattern is what a series of names has in common: a fixed beginning and end,
// and between them what varies.
type pattern struct {
	draws    []draw
	middle   []string
	prefix   string
	bits     float64 // entropy of one name, given those before it
	counter  bool    // something in it counts
	clock    string  // something in it is the time, and in which form
	constant bool
}

// study estimates how much chance is in a series of names.
//
// A position of the varying part counts in full, as one of all characters that
// were seen, when it shows at least half as many as chance would show there;
// else it counts for the characters it showed. Numbers in it that only grow
// count for how much their steps vary, and those that are the time of their
// making count for nothing. A number that comes twice counts once.
func study(draws []draw) pattern {
	p := pattern{draws: draws}
	p.trim()
	columns := p.columns()
	if columns == nil {
		p.bits = positions(p.middle)
		return p
	}
	for i, column := range columns {
		again := slices.ContainsFunc(columns[:i], func(c []string) bool { return slices.Equal(c, column) })
		if bits := p.column(column); !again {
			p.bits += bits
		}
	}
	return p
}

// trim finds what all names begin and end with. A number is not cut in two.
func (p *pattern) trim() {
	names := make([]string, len(p.draws))
	for i, d := range p.draws {
		names[i] = string(d.Name)
	}
	prefix, suffix := names[0], names[0]
	for _, n := range names[1:] {
		for !strings.HasPrefix(n, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
		for !strings.HasSuffix(n, suffix) {
			suffix = suffix[1:]
		}
	}
	if prefix == names[0] && suffix == names[0] {
		p.constant, p.prefix = true, prefix
		return
	}
	for prefix != "" && isDigits(prefix[len(prefix)-1:]) {
		prefix = prefix[:len(prefix)-1]
	}
	for suffix != "" && isDigits(suffix[:1]) {
		suffix = suffix[1:]
	}
	p.prefix = prefix
	for _, n := range names {
		end := max(len(n)-len(suffix), len(prefix))
		p.middle = append(p.middle, n[len(prefix):end])
	}
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// columns splits the names into runs of letters and digits, if all have the
// same number of them.
func (p *pattern) columns() [][]string {
	var columns [][]string
	for i, d := range p.draws {
		fields := strings.FieldsFunc(string(d.Name), func(r rune) bool { return r > 0x7f || !isAlnum(byte(r)) })
		if i == 0 {
			columns = make([][]string, len(fields))
		}
		if len(fields) != len(columns) {
			return nil
		}
		for j, f := range fields {
			columns[j] = append(columns[j], f)
		}
	}
	for _, column := range columns {
		cutWord(column)
	}
	return columns
}

// cutWord takes a word before a number off: dump1234 is 1234.
func cutWord(tokens []string) {
	n := strings.IndexFunc(tokens[0], func(r rune) bool { return r >= '0' && r <= '9' })
	if n <= 0 {
		return
	}
	word := tokens[0][:n]
	for _, token := range tokens {
		if number, ok := strings.CutPrefix(token, word); !ok || !isDigits(number) {
			return
		}
	}
	for i := range tokens {
		tokens[i] = tokens[i][n:]
	}
}

// column is the entropy of one run.
func (p *pattern) column(tokens []string) float64 {
	if form := p.clockForm(tokens); form != "" {
		p.clock = form
		return 0
	}
	total := positions(tokens)
	if steps, ok := growth(tokens); ok && steps < total {
		p.counter = true
		return steps
	}
	return total
}

// clockForm says in which form all tokens are the time of their making.
func (p *pattern) clockForm(tokens []string) string {
	form := ""
	for i, token := range tokens {
		from, to := p.draws[i].From, p.draws[i].To
		f := timeOf(token, from, to)
		if f == "" && isFraction(token, from, to) {
			f = "fraction of a second"
		}
		if f == "" {
			return ""
		}
		form = f
	}
	return form
}

// isFraction: milli-, micro- or nanoseconds after the full second.
func isFraction(token string, from, to time.Time) bool {
	if len(token) != 3 && len(token) != 6 && len(token) != 9 || !isDigits(token) {
		return false
	}
	n, err := strconv.ParseInt(token, 10, 64)
	if err != nil {
		return false
	}
	unit := int64(time.Second) / int64(pow10(len(token)))
	second := int64(time.Second) / unit
	low, high := from.UnixNano()/unit, to.UnixNano()/unit
	return ((n-low)%second+second)%second <= high-low
}

// positions is the entropy by characters.
func positions(tokens []string) float64 {
	var columns []map[byte]int
	for _, token := range tokens {
		for i := range len(token) {
			if i == len(columns) {
				columns = append(columns, make(map[byte]int))
			}
			columns[i][token[i]]++
		}
	}
	alphabet := make(map[byte]bool)
	for _, column := range columns {
		if len(column) < 2 {
			continue
		}
		for c := range column {
			alphabet[c] = true
		}
	}
	d := float64(len(alphabet))
	total := 0.0
	for _, column := range columns {
		n := 0
		for _, count := range column {
			n += count
		}
		if len(column) < 2 || n*4 < len(tokens) {
			continue // the same in all, or too long for most
		}
		k := float64(len(column))
		if expected := d * (1 - math.Pow(1-1/d, float64(n))); k >= expected/2 {
			k = d
		}
		total += math.Log2(k)
	}
	return total
}

// growth is how much the steps of numbers vary that grow from each to the
// next, in bits. A constant is no growth.
func growth(tokens []string) (float64, bool) {
	base := 10
	for _, token := range tokens {
		base = max(base, baseOf(token))
	}
	var last, low, high *big.Int
	for _, token := range tokens {
		n := parse(token, base)
		if n == nil {
			return 0, false
		}
		if last != nil {
			step := new(big.Int).Sub(n, last)
			if step.Sign() < 0 {
				return 0, false
			}
			if low == nil || step.Cmp(low) < 0 {
				low = step
			}
			if high == nil || step.Cmp(high) > 0 {
				high = step
			}
		}
		last = n
	}
	if high == nil || high.Sign() == 0 {
		return 0, false
	}
	spread := high.Sub(high, low)
	return float64(spread.BitLen()), true
}

// baseOf is the smallest of the usual bases that has the characters.
func baseOf(token string) int {
	switch {
	case isDigits(token):
		return 10
	case strings.Trim(token, "0123456789abcdef") == "", strings.Trim(token, "0123456789ABCDEF") == "":
		return 16
	case token == strings.ToLower(token), token == strings.ToUpper(token):
		return 36
	}
	return 62
}

// parse reads a number; in base 62 upper case sorts before lower case, as it
// does in most encodings.
func parse(token string, base int) *big.Int {
	if base < 62 {
		n, ok := new(big.Int).SetString(token, base)
		if !ok {
			return nil
		}
		return n
	}
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	n, b := new(big.Int), big.NewInt(62)
	for i := range len(token) {
		n.Add(n.Mul(n, b), big.NewInt(int64(strings.IndexByte(digits, token[i]))))
	}
	return n
}

// generator looks for a linear congruential generator behind the numbers.
func (p *pattern) generator() (how string, found bool) {
	for _, tokens := range p.columns() {
		base, width := 10, len(tokens[0])
		outputs := make([]uint64, 0, len(tokens))
		for _, token := range tokens {
			base = max(base, baseOf(token))
			if len(token) != width {
				width = 0
			}
		}
		if base > 16 {
			continue
		}
		for _, token := range tokens {
			n, err := strconv.ParseUint(token, base, 64)
			if err != nil {
				break
			}
			outputs = append(outputs, n)
		}
		if len(outputs) < len(tokens) {
			continue
		}
		if base != 10 {
			width = 0
		}
		if how, ok := findLCG(outputs, width); ok {
			return how, true
		}
	}
	return "", false
}
