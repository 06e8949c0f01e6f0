package rerun

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// ID names one call of a verb: the test that made it and its ordinal among
// the calls of Enter in that test, counted from 1.
type ID struct {
	Test string // t.Name()
	N    int
}

// String is the test's name, and "#2" and so on for the later calls.
func (id ID) String() string {
	if id.N == 1 {
		return id.Test
	}
	return id.Test + "#" + strconv.Itoa(id.N)
}

// key is unambiguous, also for a subtest that is named like "TestX/sub#2".
func (id ID) key() string { return strconv.Itoa(id.N) + " " + strconv.QuoteToASCII(id.Test) }

// root is the name of the top-level test that the call is part of.
func (id ID) root() string {
	root, _, _ := strings.Cut(id.Test, "/")
	return root
}

// Pattern is the -run pattern that matches the named test, its ancestors
// and what is below it, and nothing else.
//
// White space and what does not print is written as an escape: the testing
// package rewrites such characters in patterns as it does in the names of
// subtests, but it takes the names of seed files as they are.
func Pattern(test string) string {
	elems := strings.Split(test, "/")
	for i, elem := range elems {
		var b strings.Builder
		b.WriteByte('^')
		for _, r := range elem {
			if unicode.IsSpace(r) || !strconv.IsPrint(r) {
				fmt.Fprintf(&b, `\x{%X}`, r)
				continue
			}
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
		b.WriteByte('$')
		elems[i] = b.String()
	}
	return strings.Join(elems, "/")
}
