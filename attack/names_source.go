package attack

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// derived says what the differing part of two names is made of, when taking
// that away makes them equal.
func derived(a, b string, ca, cb context) string {
	for _, src := range sources {
		x, y := src.strip(a, ca), src.strip(b, cb)
		if x != a && y != b && x == y {
			return src.name
		}
	}
	if stripAll(a, ca) == stripAll(b, cb) && stripAll(a, ca) != a {
		return "things that an attacker knows (process ids, time, user, host)"
	}
	if d, ok := counter(a, b); ok {
		return fmt.Sprintf(aCounter+" (%d further in the next run)", d)
	}
	return ""
}

const aCounter = "a counter"

func stripAll(s string, c context) string {
	for _, src := range sources {
		s = src.strip(s, c)
	}
	return s
}

type source struct {
	name  string
	strip func(s string, c context) string
}

var sources = []source{
	{"the process id", func(s string, c context) string { return stripNumber(s, int64(c.PID)) }},
	{"the parent's process id", func(s string, c context) string { return stripNumber(s, int64(c.PPID)) }},
	{"the process id of a program that it starts", stripProgram},
	{"the time", stripTime},
	{"the user's id", func(s string, c context) string { return stripNumber(s, int64(c.UID)) }},
	{"the user's name", func(s string, c context) string { return stripWord(s, c.User) }},
	{"the host's name", func(s string, c context) string { return stripWord(s, c.Host) }},
}

const blank = "\x00"

func stripProgram(s string, c context) string {
	for _, pid := range c.Programs {
		if t := stripNumber(s, int64(pid)); t != s {
			return t
		}
	}
	return s
}

func stripWord(s, w string) string {
	if len(w) < 2 {
		return s
	}
	return strings.ReplaceAll(s, w, blank)
}

func stripNumber(s string, n int64) string {
	for _, t := range []string{strconv.FormatInt(n, 10), strconv.FormatInt(n, 16), strconv.FormatInt(n, 36)} {
		if t := replaceNumber(s, t); t != s {
			return t
		}
	}
	return s
}

// replaceNumber replaces t where it stands as a whole number, so that pid 12
// is not found in 31234.
func replaceNumber(s, t string) string {
	for i := 0; i+len(t) <= len(s); i++ {
		if s[i:i+len(t)] == t && (i == 0 || !digit(s[i-1])) && (i+len(t) == len(s) || !digit(s[i+len(t)])) {
			return s[:i] + blank + s[i+len(t):]
		}
	}
	return s
}

// stripTime removes a number that is a moment of the run, in seconds,
// milli-, micro- or nanoseconds, or a date in one of the usual layouts.
func stripTime(s string, c context) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < 0x80 && digit(byte(r)) }) {
		return s
	}
	begin := c.Begin - int64(tick)
	for i := 0; i < len(s); i++ {
		if !digit(s[i]) || i > 0 && digit(s[i-1]) {
			continue
		}
		j := i
		for j < len(s) && digit(s[j]) {
			j++
		}
		if n, err := strconv.ParseInt(s[i:j], 10, 64); err == nil {
			for unit := int64(1); unit <= 1e9; unit *= 1000 {
				if n >= begin/unit && n <= c.End/unit {
					return s[:i] + blank + s[j:]
				}
			}
		}
	}
	for at := begin - begin%1e9; at <= c.End; at += 1e9 {
		for _, loc := range []*time.Location{time.UTC, time.Local} {
			t := time.Unix(0, at).In(loc)
			for _, layout := range []string{"20060102150405", "20060102-150405", "20060102_150405", "20060102T150405", "2006-01-02-15-04-05",
				"2006-01-02_15-04-05", time.RFC3339, "2006-01-02T15:04:05", "150405", "15:04:05", "15-04-05", "20060102", "2006-01-02"} {
				if t := strings.Replace(s, t.Format(layout), blank, 1); t != s {
					return t
				}
			}
		}
	}
	return s
}

// tick is by how much time(2) lags: it gives the time of the last one (HZ=100).
const tick = 10 * time.Millisecond

// counter says that two names differ in one number that grew by little.
func counter(a, b string) (int64, bool) {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	for i > 0 && digit(a[i-1]) {
		i--
	}
	na, ra := number(a[i:])
	nb, rb := number(b[i:])
	if ra != rb || na < 0 || nb < 0 {
		return 0, false
	}
	d := nb - na
	return d, d > 0 && d <= 64 && nb < 1e6
}

// number splits the digits off the front.
func number(s string) (int64, string) {
	j := 0
	for j < len(s) && digit(s[j]) {
		j++
	}
	n, err := strconv.ParseInt(s[:j], 10, 64)
	if err != nil {
		return -1, s
	}
	return n, s[j:]
}
