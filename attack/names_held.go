package attack

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"math"
	"slices"
	"strings"
)

// learnHeld compares undisturbed runs whose knowledge was held still: two of
// different processes first, then more of the second, then one with other
// knowledge. What the first two have alike although their chance differs can be
// foretold, whatever it is made of. partly says that not all could be held: the
// runs may have met in one second.
func (n *names) learnHeld(paths [][]string, elsewhere []string, contexts []context, partly bool) {
	used := make([][]string, len(paths))
	for i, list := range paths {
		used[i] = elements(list)
	}
	n.fixed, n.known = map[string]bool{}, map[string]pattern{}
	for _, name := range used[0] {
		if slices.Contains(used[1], name) {
			n.fixed[name] = true
		}
	}
	n.tapes = slices.Clone(used[:2])
	if partly {
		n.fixedByNotation(contexts[:len(paths)])
	}
	n.compare(used[0], used[1], contexts[0], contexts[1])
	for i := 2; i < len(used); i++ {
		n.knownIn(used[1], used[i], contexts[1], contexts[i], "what it keeps from one run to the next")
		n.drawn(used[i])
	}
	if elsewhere != nil {
		n.knownIn(used[1], elements(elsewhere), contexts[1], contexts[len(contexts)-1], "what others know: the time, or process numbers")
	}
	n.longestFirst()
}

// knownIn finds what stands, in a run of other knowledge or in a later one of
// the same process, for names that are known.
func (n *names) knownIn(a, b []string, ca, cb context, what string) {
	here := slices.DeleteFunc(without(a, b), func(name string) bool { return !n.fixed[name] })
	there := slices.DeleteFunc(without(b, a), func(name string) bool { p, ok := n.pattern(name); return ok && p.why == "" })
	for _, pair := range pairs(here, there) {
		prefix, suffix := literal(pair[0], pair[1])
		p := pattern{prefix: prefix, suffix: suffix, why: what}
		if why := derived(pair[0], pair[1], ca, cb); why != "" {
			p.why = why
		}
		p.saw(pair[0], pair[1])
		if _, told := n.known[pair[0]]; !told {
			n.known[pair[0]] = p
		}
		switch i := slices.IndexFunc(n.patterns, func(o pattern) bool { return o.prefix == prefix && o.suffix == suffix }); {
		case i < 0:
			n.patterns = append(n.patterns, p)
		case n.patterns[i].why != "":
			n.patterns[i].saw(pair[0], pair[1])
		default:
			n.alike = true // and only the same names in each run tell them apart
		}
	}
}

// drawn takes in the names of a run with one more tape.
func (n *names) drawn(used []string) {
	n.widen(used)
	for i := range n.patterns {
		p := &n.patterns[i]
		for _, name := range used {
			if (p.why == "" || p.guessed) && !n.fixed[name] && p.wraps(name) && !n.otherThan(i, name) {
				p.saw(name)
			}
		}
	}
	n.tapes = append(n.tapes, used)
}

// widen shortens the ends of patterns that names of another tape do not have:
// they were alike by chance.
func (n *names) widen(used []string) {
	for _, name := range used {
		if _, known := n.known[name]; known || n.fixed[name] || slices.ContainsFunc(n.patterns, func(p pattern) bool { return p.wraps(name) }) {
			continue
		}
		best, most := -1, 0
		for i, p := range n.patterns {
			prefix, suffix := literal(p.sample, name)
			if l := len(prefix) + len(suffix); p.why == "" && p.sample != "" && l >= most && !slices.ContainsFunc(used, p.wraps) {
				best, most = i, l
			}
		}
		if best < 0 {
			continue
		}
		p := &n.patterns[best]
		prefix, suffix := literal(p.sample, name)
		wide := pattern{prefix: p.prefix[:min(len(prefix), len(p.prefix))], suffix: p.suffix[max(0, len(p.suffix)-len(suffix)):], sample: p.sample}
		wide.saw(p.sample, name)
		for _, list := range n.tapes {
			for _, other := range list {
				if p.wraps(other) {
					wide.saw(other)
				}
			}
		}
		*p = wide
	}
	n.longestFirst()
}

// otherThan says that a name is one of another pattern, and more so.
func (n *names) otherThan(i int, name string) bool {
	for j, p := range n.patterns {
		if j != i && len(p.prefix)+len(p.suffix) > len(n.patterns[i].prefix)+len(n.patterns[i].suffix) && p.wraps(name) {
			return true
		}
	}
	return false
}

// chances reports whether a name is made by chance, or may be.
func (n *names) chances() bool {
	return slices.ContainsFunc(n.patterns, func(p pattern) bool { return p.why == "" || p.guessed })
}

// counts says that a number in a name grows from each run to the next.
func (n *names) counts(p pattern) bool {
	last := int64(-1)
	for i := range n.tapes {
		for _, name := range n.drawnIn(i, p) {
			now, rest := number(p.star(name))
			if rest != "" || now <= last {
				return false
			}
			last = now
		}
	}
	return true
}

// count notes the names that come back, or have few bits: chance that an
// attacker guesses.
func (n *names) count() {
	for i := range n.patterns {
		p := &n.patterns[i]
		if p.guessed && strings.HasPrefix(p.why, aCounter) && !n.counts(*p) {
			p.why, p.guessed = "", false // two draws of chance can look so
		}
		switch {
		case p.why != "":
		case n.comesBack(*p):
			p.few, p.why = true, "it is one of few, and came back with other chance"
		case p.bits() < fewBits && !p.isAfero(), seenBits(n.drawnOf(*p)) < seenFew, n.spelledBits(*p) < fewBits:
			p.few, p.why = true, "it has fewer than 32 bits of chance"
		}
	}
}

// comesBack says that a name of a pattern was drawn twice. What a process has
// drawn for all its runs says nothing.
func (n *names) comesBack(p pattern) bool {
	if len(n.tapes) < 3 {
		return false
	}
	first, all := n.drawnIn(0, p), map[string]int{}
	for i := 1; i < len(n.tapes); i++ {
		for _, name := range n.drawnIn(i, p) {
			all[name]++
		}
	}
	for name, times := range all {
		if slices.Contains(first, name) || times > 1 && times < len(n.tapes)-1 {
			return true
		}
	}
	return false
}

// drawnIn are the names of a pattern in one of the undisturbed runs.
func (n *names) drawnIn(i int, p pattern) []string {
	return slices.DeleteFunc(slices.Clone(n.tapes[i]), func(name string) bool { q, ok := n.pattern(name); return !ok || q.String() != p.String() })
}

// drawnOf are the differing parts of a pattern's names, in all those runs.
func (n *names) drawnOf(p pattern) (parts []string) {
	for i := range n.tapes {
		for _, name := range n.drawnIn(i, p) {
			parts = append(parts, p.star(name))
		}
	}
	return parts
}

// seenFew is the bound for what was seen of chance, which is less exact than
// what its characters allow: a notation that spreads few bits over many
// characters has the same ones at a place again and again. Of seven names with
// 32 bits, in decimals as os.CreateTemp makes them or in hexadecimals, less than
// one set in 100,000 falls below it (6 in 1,000 below 24); of those with 16 bits
// in eight characters all do.
const seenFew = 18

// seenBits estimates the chance in names of one length, from how often two of
// them have the same character at a place.
func seenBits(parts []string) (bits float64) {
	slices.Sort(parts)
	parts = slices.Compact(parts)
	longest := 0
	for _, p := range parts {
		longest = max(longest, len(p))
	}
	parts = slices.DeleteFunc(parts, func(p string) bool { return len(p) != longest })
	if len(parts) < 4 {
		return math.Inf(1)
	}
	for at := range longest {
		same, all := 0, alphabet(0)
		for i, p := range parts {
			all |= alphabetOf(p[at : at+1])
			for _, q := range parts[:i] {
				if p[at] == q[at] {
					same++
				}
			}
		}
		most := math.Log2(float64(all.size()))
		if same > 0 {
			most = min(most, math.Log2(float64(len(parts)*(len(parts)-1)/2)/float64(same)))
		}
		bits += most
	}
	return bits
}

// spellings are the encodings in which a number's digits make longer names, of
// more letters, than its bits are worth.
var spellings = []func(string) ([]byte, error){
	base64.RawURLEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
	base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString,
	hex.DecodeString,
}

// spelledBits is how much chance the names of a pattern have if all are encoded
// decimal numbers. What begins them all alike stands in the pattern's prefix.
func (n *names) spelledBits(p pattern) float64 {
	var all []string
	for i := range n.tapes {
		all = append(all, n.drawnIn(i, p)...)
	}
	for _, decode := range spellings {
		for back := range min(len(p.prefix), 7) + 1 {
			longest := 0
			for _, name := range all {
				b, err := decode(strings.TrimRight(name[len(p.prefix)-back:len(name)-len(p.suffix)], "="))
				if err != nil || len(b) == 0 || strings.Trim(string(b), "0123456789") != "" {
					longest = 0
					break
				}
				longest = max(longest, len(b))
			}
			if longest > 0 {
				return bitsOf(10, longest)
			}
		}
	}
	return math.Inf(1)
}

// isAfero says that a name has the form of afero.TempFile's: nine digits, which
// are two bits short. What os.CreateTemp draws looks the same where all that was
// seen of it happened to be so short.
func (p pattern) isAfero() bool {
	return p.letters == decimals && p.max == 9 && p.told == 0
}

// wraps says that a name has the pattern's ends and something between.
func (p pattern) wraps(s string) bool {
	return len(s) > len(p.prefix)+len(p.suffix) && strings.HasPrefix(s, p.prefix) && strings.HasSuffix(s, p.suffix)
}

// bits is how much chance the differing part has at most, by its characters.
// Those that stand between them, a dot or a dash, have none.
func (p pattern) bits() float64 {
	return bitsOf((p.letters &^ others).size(), max(0, p.max-p.told-p.marks))
}
