package leftover

import (
	"regexp"
	"slices"
	"strings"
)

// Pattern is a name without its random parts, as far as one name tells them. A
// part is left out as a whole: no torn piece of it stays.
func Pattern(name string) string {
	tokens := split(uuid.ReplaceAllString(name, "*"))
	for i, t := range tokens {
		tokens[i] = mask(t)
	}
	return join(tokens)
}

var uuid = regexp.MustCompile(`[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}`)

// Common is what two names have in common, with * for what differs: parts of
// letters and digits are taken as a whole, but for a word before a number. No
// part of it is taken for random that both have.
func Common(a, b string) string {
	e := Compare(a, b)
	if !e.Star {
		return a
	}
	return e.Before + "*" + e.After
}

// Elem is the pattern of names that differ in one part.
type Elem struct {
	Before, After string
	Star          bool // something between the two
}

// Match reports whether the name fits the pattern.
func (e Elem) Match(name string) bool {
	if !e.Star {
		return name == e.Before
	}
	rest, ok := strings.CutPrefix(name, e.Before)
	if ok {
		rest, ok = strings.CutSuffix(rest, e.After)
	}
	return ok && rest != ""
}

// Compare finds the pattern of two names.
func Compare(a, b string) Elem {
	if a == b {
		return Elem{Before: a}
	}
	s, t := split(a), split(b)
	n := 0
	for n < min(len(s), len(t)) && s[n] == t[n] {
		n++
	}
	e := Elem{Before: strings.Join(s[:n], ""), Star: true}
	s, t = s[n:], t[n:]
	n = 0
	for n < min(len(s), len(t)) && s[len(s)-1-n] == t[len(t)-1-n] {
		n++
	}
	e.After = strings.Join(s[len(s)-n:], "")
	s, t = s[:len(s)-n], t[:len(t)-n]
	if len(s) > 0 && len(t) > 0 {
		if word := wordBeforeNumber(s[0]); word != "" && word == wordBeforeNumber(t[0]) {
			e.Before += word
		}
	}
	return e
}

// split cuts a name into runs of letters and digits, and what is between them.
func split(name string) []string {
	var tokens []string
	start := 0
	for i := 1; i <= len(name); i++ {
		if i == len(name) || !alnum(name[i-1]) || !alnum(name[i]) {
			tokens = append(tokens, name[start:i])
			start = i
		}
	}
	return tokens
}

func alnum(c byte) bool { return digit(c) || letter(c) || c >= 0x80 }

func digit(c byte) bool { return c >= '0' && c <= '9' }

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// wordBeforeNumber is the word of one that is followed by a number.
func wordBeforeNumber(token string) string {
	word := strings.TrimRight(token, "0123456789")
	if word == token || strings.ContainsFunc(word, func(r rune) bool { return r >= '0' && r <= '9' }) {
		return ""
	}
	return word
}

// longNumber is how many digits a random number has at least.
const longNumber = 4

func mask(token string) string {
	word := wordBeforeNumber(token)
	switch {
	case !digits(token) && word == "" && !looksRandom(token):
		return token
	case digits(token) && len(token) < longNumber:
		return token
	case word != "" && len(token)-len(word) < longNumber && !looksRandom(token):
		return token
	case word != "" && !hex(word):
		return word + "*"
	}
	return "*"
}

func digits(token string) bool { return token != "" && strings.Trim(token, "0123456789") == "" }

func hex(token string) bool { return strings.Trim(token, "0123456789abcdefABCDEF") == "" }

// looksRandom reports whether letters and digits change too often for a word: a
// number in another base, or drawn characters.
func looksRandom(token string) bool {
	const short, shortTurns, turns = 8, 4, 3
	n := 0
	for i := 1; i < len(token); i++ {
		if digit(token[i]) != digit(token[i-1]) {
			n++
		}
	}
	return n >= shortTurns || n >= turns && len(token) >= short
}

// join puts tokens together. A - or _ between a star and another separator is of
// what was drawn (base64). Stars that only a separator of identifiers is between,
// as in a UUID, become one.
func join(tokens []string) string {
	apart := func(i int) bool { return i >= 0 && i < len(tokens) && tokens[i] != "*" && !alnum(tokens[i][0]) }
	for i := 0; i < len(tokens); {
		at := func(j int) bool { return j >= 0 && j < len(tokens) && tokens[j] == "*" }
		if t := tokens[i]; (t == "-" || t == "_") && (at(i+1) && apart(i-1) || at(i-1) && apart(i+1)) {
			tokens = slices.Delete(tokens, i, i+1)
			i = max(0, i-1) // there may be several
			continue
		}
		i++
	}
	for i := 2; i < len(tokens); {
		if tokens[i] == "*" && tokens[i-2] == "*" && (tokens[i-1] == "-" || tokens[i-1] == "_") {
			tokens = slices.Delete(tokens, i-1, i+1)
			continue
		}
		i++
	}
	return strings.Join(tokens, "")
}
