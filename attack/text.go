package attack

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds what a report repeats of the victim's words, in bytes.
const maxText = 400

// printable makes visible what a terminal would obey: control and formatting
// characters, and bytes that are no UTF-8. A text without them stays as it
// is.
func printable(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

// brief keeps a text that the victim chose within what a message can carry.
func brief(s string) string { return s[:min(len(s), 1<<14)] }

// firstLine is the beginning of a text of the victim's.
func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	if len(line) > maxText {
		cut := maxText
		for cut > 0 && !utf8.RuneStart(line[cut]) {
			cut--
		}
		return printable(line[:cut]) + "..."
	}
	return printable(line)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
