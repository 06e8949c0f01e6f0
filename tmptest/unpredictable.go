package tmptest

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

const (
	ownDraws   = 128 // names drawn in this process
	children   = 2
	childDraws = 16 // names drawn in each child

	// exclusiveBits is what a name needs that O_EXCL guards, as os.CreateTemp
	// has; aloneBits what one needs that is used without.
	exclusiveBits = 32
	aloneBits     = 64
)

// Unpredictable asserts that nobody who knows the program, its process, its
// user and the time can tell the next name: it draws 128 names here and 16 in
// each of two child processes that run the same test again up to this call.
// The names are for files that are created exclusively (O_EXCL), as
// os.CreateTemp does; see [Unguessable] for others.
//
// It fails with C06 for a fixed name and one that is made of process id,
// parent's process id, user id or name, host, time, counter or test name
// alone; with C07 if two processes draw the same names though they look like
// chance; with C08 if there are fewer than 2^32 names; and with C09 if a name follows from those before it:
// a counter after a random start, or a linear congruential generator
// (afero.TempFile has one), the usual ones also when their output is cut to
// decimal digits or to the high bits. Other weak generators are not found,
// and a hash of something known looks like chance.
//
// name may create files; removing them is up to the test. Paths are judged as
// a whole, so that a fixed name in a random directory passes. When name
// returns an error the assertion fails with it.
//
// Calls in one test must be made one after the other. A t that is no
// *testing.T, a benchmark, a fuzzing worker and a synctest bubble cannot be
// run again in a child: names are drawn in this process only then, and the
// test's log says so.
func Unpredictable(t TestingT, name func() (string, error), msgAndArgs ...any) bool {
	help(t)
	return judgeNames(t, name, exclusiveBits, msgAndArgs)
}

// Unguessable is [Unpredictable] for names that are used without O_EXCL, such
// as the address of a socket or a key: there have to be 2^64 of them.
func Unguessable(t TestingT, name func() (string, error), msgAndArgs ...any) bool {
	help(t)
	return judgeNames(t, name, aloneBits, msgAndArgs)
}

// series are the names of one process, and what its names may be made of.
type series struct {
	Draws   []draw
	Sources []source
	Error   string
}

func judgeNames(t TestingT, name func() (string, error), need float64, msgAndArgs []any) bool {
	help(t)
	test := ""
	if n, ok := t.(interface{ Name() string }); ok {
		test = n.Name()
	}
	sample := func(n int) series { return drawNames(name, n, test) }
	call, err := enter(t)
	if err != nil {
		logf(t, "tmptest.Unpredictable: names are drawn in this process only, and C07 is not checked: %v", err)
	}
	var others []series
	if call != nil {
		if call.Role() == rerun.Other {
			return earlier(t, call)
		}
		others, err = sampleChildren(t, call, sample)
		if err != nil {
			return assert.Fail(t, "tmptest.Unpredictable: no names from a child process: "+err.Error(), msgAndArgs...)
		}
	}
	ok := reportNames(t, append([]series{sample(ownDraws)}, others...), need, test, msgAndArgs)
	if call != nil {
		call.Finish(strconv.AppendBool(nil, ok))
	}
	return ok
}

func reportNames(t TestingT, all []series, need float64, test string, msgAndArgs []any) bool {
	help(t)
	for _, s := range all {
		if s.Error != "" {
			return assert.Fail(t, "tmptest.Unpredictable: no name: "+s.Error, msgAndArgs...)
		}
	}
	found := tidy(judge(all, need), nil)
	if len(found) == 0 {
		return true
	}
	again := ""
	if test != "" {
		again = "\n  again: " + callSite(12).again(test)
	}
	return assert.Fail(t, fmt.Sprintf("tmptest.Unpredictable: %s: broken by the names drawn at %s%s%s",
		ids(found), callSite(12), text(found, ""), again), msgAndArgs...)
}

// judge compares the series; the first is that of this process.
func judge(all []series, need float64) []Violation {
	own := all[0]
	p := study(own.Draws)
	first := string(own.Draws[0].Name)
	var found []Violation
	add := func(r rules.Rule, format string, args ...any) {
		found = append(found, Violation{Rule: r, Path: p.shape(first), Detail: fmt.Sprintf(format, args...)})
	}
	if how, ok := p.generator(); ok {
		add(rules.C09, "each name follows from the one before: %s", how)
	}
	shared := common(all)
	if p.bits >= need {
		if shared != "" {
			add(rules.C07, "was drawn by two processes")
		}
		return found
	}
	made := madeOf(all)
	if p.clock != "" {
		made = append(made, p.clock)
	}
	if p.counter {
		made = append(made, "counter")
	}
	slices.Sort(made)
	differs := len(all) > 1 && shared == "" && !slices.ContainsFunc(made, func(m string) bool { return m != "counter" })
	switch {
	case p.constant && differs && len(made) == 0:
		add(rules.C09, "is the same for each file of a process, so that the first name gives all away")
	case p.counter && differs:
		add(rules.C09, "counts on from a start that differs by process, so that the first name gives all away")
	case len(made) > 0:
		add(rules.C06, "is made of %s", strings.Join(slices.Compact(made), ", "))
	case p.constant:
		add(rules.C06, "is the same each time")
	default:
		add(rules.C08, "is one of about 2^%.1f names, and 2^%.0f are needed", p.bits, need)
	}
	return found
}

// shape is a name with what varies left out, the same in each run.
func (p pattern) shape(first string) string {
	if p.constant {
		return filepath.Base(first)
	}
	end := len(p.prefix) + len(p.middle[0])
	return filepath.Base(p.prefix + "*" + first[min(end, len(first)):])
}

// common is a name that two processes have drawn.
func common(all []series) string {
	seen := make(map[string]int)
	for i, s := range all {
		for _, d := range s.Draws {
			if by, ok := seen[string(d.Name)]; ok && by != i {
				return string(d.Name)
			}
			seen[string(d.Name)] = i
		}
	}
	return ""
}

// madeOf lists the sources that each process has in each of its names, as a
// word of its own, in decimal or in hex.
func madeOf(all []series) []string {
	var made []string
	for i, s := range all[0].Sources {
		inAll := true
		for _, other := range all {
			for _, d := range other.Draws {
				inAll = inAll && i < len(other.Sources) && hasWord(filepath.Base(string(d.Name)), other.Sources[i].Value)
			}
		}
		if inAll {
			made = append(made, s.What)
		}
	}
	return made
}

func hasWord(name, value string) bool {
	forms := []string{value}
	if n, err := strconv.ParseUint(value, 10, 64); err == nil {
		forms = append(forms, strconv.FormatUint(n, 16), strconv.FormatUint(n, 36))
	}
	for _, form := range forms {
		for from := 0; form != ""; {
			i := strings.Index(name[from:], form)
			if i < 0 {
				break
			}
			start, end := from+i, from+i+len(form)
			if (start == 0 || parts(name[start-1], name[start], form)) && (end == len(name) || parts(name[end-1], name[end], form)) {
				return true
			}
			from = start + 1
		}
	}
	return false
}

// parts reports whether a word ends between a and b: at whatever is no letter
// or digit, and for all but short words where a letter meets a digit.
func parts(a, b byte, word string) bool {
	if !isAlnum(a) || !isAlnum(b) {
		return true
	}
	return len(word) > 2 && isDigits(string(a)) != isDigits(string(b))
}

// drawNames calls name n times.
func drawNames(name func() (string, error), n int, test string) series {
	s := series{Sources: knownSources(test)}
	for range n {
		from := time.Now()
		got, err := name()
		if err != nil {
			s.Error = err.Error()
			return s
		}
		s.Draws = append(s.Draws, draw{Name: []byte(got), From: from, To: time.Now()})
	}
	return s
}

// enter makes the call one that can be run again, if t is of a test.
func enter(t TestingT) (*rerun.Call, error) {
	tb, ok := t.(rerun.TB)
	if !ok {
		return nil, fmt.Errorf("%T is no *testing.T, so that the test cannot be run again", t)
	}
	return rerun.Enter(tb)
}

// earlier is the verdict that the parent process came to. This process is a
// child for another call; if for an earlier one, it is done.
func earlier(t TestingT, call *rerun.Call) bool {
	data, ok := call.Earlier()
	if !ok {
		t.(rerun.TB).SkipNow()
	}
	return string(data) == "true"
}

// sampleChildren draws names in child processes; in a child it does not
// return. A child that fails after its names were drawn has given them all the
// same: it ran the test up to this call only, and the parent sees the rest.
func sampleChildren(t TestingT, call *rerun.Call, sample func(int) series) ([]series, error) {
	var all []series
	for range children {
		data, err := call.Once(t.(rerun.TB).Context(), func() []byte {
			data, err := json.Marshal(sample(childDraws))
			if err != nil {
				panic(err) // it has strings, bytes and times only
			}
			return data
		})
		if e := (*rerun.Error)(nil); errors.As(err, &e) && e.Kind == rerun.EndedBadly {
			err = nil
		}
		if err != nil {
			return nil, err
		}
		var s series
		if err := json.Unmarshal(data, &s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}
