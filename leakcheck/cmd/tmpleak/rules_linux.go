//go:build amd64 || arm64

package main

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

// brokenKey groups what one line of code did again and again, whoever called it.
type brokenKey struct{ rule, line string }

// judge holds the call that makes a name against the rules of creation.
func (w *watch) judge(ev *supervise.Event, name string, m *maker) {
	at := w.places.of(filepath.Dir(name))
	if !at.shared || m.tool {
		return
	}
	base := filepath.Base(name)
	why := ""
	if at.writable && !m.drawn {
		why = foretold(base, ev.PID, m.test)
	}
	if at.writable && ev.Kind == supervise.Open && ev.Flags&unix.O_EXCL == 0 {
		w.breaks(rules.C01, name, m, "created without O_EXCL where others may create it first")
		if by := w.absent[name]; by != nil {
			w.breaks(rules.C10, name, m, "found absent at "+by.where+", then created by a call that takes what is there")
		}
	}
	delete(w.absent, name)
	hasMode := ev.Kind == supervise.Open || ev.Kind == supervise.Mkdir || ev.Kind == supervise.Mknod && ev.Name != "bind"
	if mode := ev.Mode & 0o777; hasMode && mode&0o077 != 0 {
		w.breaks(rules.C03, name, m, fmt.Sprintf("created with mode %#o where others can reach it", mode))
	}
	if why != "" {
		w.breaks(rules.C06, name, m, "can be foretold: "+why)
	}
	// A private directory with a name of its own is what C11 asks for.
	if at.system && (ev.Kind != supervise.Mkdir || ev.Mode&0o077 != 0 || why != "") {
		w.breaks(rules.C11, name, m, "created directly in "+filepath.Dir(name))
	}
}

// fixOf is what to do about a broken rule. C11's own words say to use
// os.TempDir; code that made something in the directory which that gives may well
// have done so.
func fixOf(rule rules.Rule, name string) string {
	if rule == rules.C11 && filepath.Dir(name) == filepath.Clean(os.TempDir()) {
		return "create inside a directory of os.MkdirTemp, which nobody else can reach"
	}
	return rule.Fix()
}

func (w *watch) breaks(rule rules.Rule, name string, m *maker, how string) {
	if w.cfg.ignored(name) {
		return
	}
	key := brokenKey{rule.ID(), innermost(m.where) + " " + m.via}
	b := w.broken[key]
	if b == nil {
		b = &brokenRule{rule: rule, fix: fixOf(rule, name), Rule: rule.ID(), Title: rule.Title(), Path: name, How: how, Where: m.where, Via: m.via}
		w.broken[key] = b
	}
	if m.where != b.Where && !slices.Contains(b.Callers, m.where) && len(b.Callers) < mostCallers {
		b.Callers = append(b.Callers, m.where)
	}
	b.Times++
	if m.test != "" && !slices.Contains(b.Tests, m.test) {
		b.Tests = append(b.Tests, m.test)
	}
}

var (
	longNumber = regexp.MustCompile(`[0-9]+`)
	word       = regexp.MustCompile(`[0-9A-Za-z]+`)
)

// foretold says why others can know a name before it exists, "" when it has a
// random part, or may have one.
func foretold(name string, pid int, test string) string {
	var of []string
	rest := name
	drop := func(s, what string) {
		if len(s) > 2 && strings.Contains(rest, s) {
			of = append(of, what)
			rest = strings.ReplaceAll(rest, s, "-")
		}
	}
	for n := range strings.SplitSeq(strings.Join(longNumber.FindAllString(name, -1), " "), " ") {
		switch v, err := strconv.ParseInt(n, 10, 64); {
		case err != nil:
		case v == int64(pid) || v == int64(os.Getpid()):
			drop(n, "the process id")
		case isNow(v):
			drop(n, "the time")
		}
	}
	for _, part := range strings.Split(test, "/") {
		drop(part, "the test's name")
	}
	for _, s := range knownWords() {
		drop(s, "the user or host")
	}
	for _, part := range word.FindAllString(rest, -1) {
		if mayBeRandom(part) {
			return ""
		}
	}
	if len(of) == 0 {
		return "nothing in it is random"
	}
	return "it is made of " + strings.Join(of, " and ")
}

// isNow says that a number is the time, in seconds or less.
func isNow(v int64) bool {
	now := time.Now()
	for _, n := range []int64{now.Unix(), now.UnixMilli(), now.UnixMicro(), now.UnixNano()} {
		const hour = 3600
		if per := n / now.Unix(); v/per > now.Unix()-hour && v/per < now.Unix()+hour {
			return true
		}
	}
	return false
}

// mayBeRandom says that a part of a name looks drawn: six or more characters
// that are not a word.
func mayBeRandom(s string) bool {
	digits, turns := 0, 0
	for i, c := range s {
		if c >= '0' && c <= '9' {
			digits++
		} else if i > 0 && (c >= 'a') != (s[i-1] >= 'a') {
			turns++
		}
	}
	return len(s) >= 6 && (digits > 0 || turns > 1)
}

var knownWords = sync.OnceValue(func() []string {
	var list []string
	if u, err := user.Current(); err == nil {
		list = append(list, u.Username)
	}
	if h, err := os.Hostname(); err == nil {
		list = append(list, h)
	}
	return list
})
