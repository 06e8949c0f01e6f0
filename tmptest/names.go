package tmptest

import (
	"math/big"
	"os"
	"os/user"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// source is something about a process that others can find out or guess, and
// that names are made of.
type source struct {
	What  string // "process id"
	Value string
}

// knownSources are those of this process.
func knownSources(test string) []source {
	all := []source{
		{"process id", strconv.Itoa(os.Getpid())},
		{"parent process id", strconv.Itoa(os.Getppid())},
	}
	if uid := os.Getuid(); uid >= 0 {
		all = append(all, source{"user id", strconv.Itoa(uid)})
	}
	if u, err := user.Current(); err == nil {
		all = append(all, source{"user name", u.Username})
	}
	if host, err := os.Hostname(); err == nil {
		all = append(all, source{"host name", host})
	}
	for part := range strings.SplitSeq(test, "/") {
		all = append(all, source{"test name", part})
	}
	return append(all, source{"program name", path.Base(os.Args[0])})
}

// units are the resolutions in which times are written as numbers.
var units = []struct {
	name string
	d    time.Duration
}{
	{"seconds", time.Second}, {"milliseconds", time.Millisecond},
	{"microseconds", time.Microsecond}, {"nanoseconds", time.Nanosecond},
}

// layouts are the forms of calendar times without separators, local and UTC.
var layouts = []string{"20060102150405", "060102150405", "20060102", "150405"}

// timeOf says in which form token is a time between from and to.
func timeOf(token string, from, to time.Time) string {
	for base, name := range map[int]string{10: "", 16: " in hex", 36: " in base 36"} {
		n, ok := new(big.Int).SetString(token, base)
		if !ok || len(token) < 6 || base != 10 && isDigits(token) {
			continue
		}
		for _, u := range units {
			low := big.NewInt(from.UnixNano() / int64(u.d))
			high := big.NewInt(to.UnixNano() / int64(u.d))
			if n.Cmp(low) >= 0 && n.Cmp(high) <= 0 {
				return "time in " + u.name + name
			}
		}
	}
	if !isDigits(token) {
		return ""
	}
	for _, layout := range layouts {
		if len(token) != len(layout) {
			continue
		}
		for _, zone := range []*time.Location{time.UTC, time.Local} {
			if a, b := from.In(zone).Format(layout), to.In(zone).Format(layout); a <= token && token <= b {
				return "time of day or date"
			}
		}
	}
	return ""
}

// nameJudge finds out what a single name is made of.
type nameJudge struct {
	sources []source
	from    time.Time
}

func newNameJudge(test string, from time.Time) nameJudge {
	return nameJudge{sources: knownSources(test), from: from.Add(-time.Second)}
}

// madeOf says what a name is made of, if all of it but fixed words is known:
// process id, user, host, time, a counter, or the test's name. Of words alone
// a single name does not tell whether they are random.
func (j nameJudge) madeOf(name string) string {
	var parts []string
	rest := name
	for _, s := range j.sources { // those with separators inside
		if len(s.Value) > 3 && strings.Contains(rest, s.Value) {
			rest = strings.Replace(rest, s.Value, " ", 1)
			parts = append(parts, s.What)
		}
	}
	to := time.Now().Add(time.Second)
	for _, token := range words(rest) {
		alone := isDigits(token)
		for _, run := range runs(token) {
			if isWord(run) {
				continue
			}
			what := j.digits(run, to)
			if what == "" && alone && len(run) <= 3 {
				what = "counter"
			}
			if what == "" {
				return ""
			}
			parts = append(parts, what)
		}
	}
	slices.Sort(parts)
	return strings.Join(slices.Compact(parts), ", ")
}

// digits says what a number stands for.
func (j nameJudge) digits(run string, to time.Time) string {
	for _, s := range j.sources {
		if s.Value == run {
			return s.What
		}
	}
	return timeOf(run, j.from, to)
}

// words splits a name at whatever is no letter, digit or underscore.
func words(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool {
		return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// runs splits a word into its runs of letters and of digits.
func runs(word string) []string {
	var all []string
	for part := range strings.FieldsFuncSeq(word, func(r rune) bool { return r == '_' }) {
		start := 0
		for i, r := range part {
			if i > 0 && isDigits(part[start:start+1]) != (r >= '0' && r <= '9') {
				all = append(all, part[start:i])
				start = i
			}
		}
		all = append(all, part[start:])
	}
	return all
}

func isDigits(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// isWord: letters, lower case but for the first, or all upper case.
func isWord(s string) bool {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) }) || len(s) == 0 {
		return false
	}
	return s[1:] == strings.ToLower(s[1:]) || s == strings.ToUpper(s)
}
