package testname

import (
	"encoding/binary"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"github.com/tmpproof/tmpproof/internal/lines"
	"github.com/tmpproof/tmpproof/internal/supervise"
)

// Names reads the names of running tests from a test binary's memory, where
// its testing package is the same as ours. The name is a field of the
// testing.T that testing.tRunner, the outermost function of a test's goroutine,
// has in its frame.
type Names struct {
	Same  bool  // the test binary was built by the same version of Go as this program
	frame slots // of the frame
	top   slots // of the end of the stack
}

// slots are those words of many frames of one function that have always led to
// the frame's test. A word that the function has not written yet may lead to
// the test that had the stack before.
type slots struct {
	always map[int]bool
	seen   int // frames that left no doubt
}

// enough frames without a doubt make the slots known.
const enough = 8

// of chooses the test among those that the words lead to.
func (s *slots) of(ev *supervise.Event, words []uint64) string {
	if s.seen >= enough {
		if name, ok := s.known(ev, words); ok {
			return name
		}
	}
	at := map[uint64][]int{}
	names := map[uint64]string{}
	for i, word := range words {
		if _, known := at[word]; !known {
			if names[word] = testAt(ev, word); names[word] == "" {
				continue
			}
		}
		if names[word] != "" {
			at[word] = append(at[word], i)
		}
	}
	switch len(at) {
	case 0:
		return ""
	case 1:
		for word, found := range at {
			now := map[int]bool{}
			for _, i := range found {
				if s.always == nil || s.always[i] {
					now[i] = true
				}
			}
			if len(now) > 0 {
				s.always = now
				s.seen++
			}
			return names[word]
		}
	}
	name, _ := s.known(ev, words)
	return name
}

// known is the test to which all slots lead; false when they do not agree.
func (s *slots) known(ev *supervise.Event, words []uint64) (string, bool) {
	test := uint64(0)
	for i := range s.always {
		if i >= len(words) || test != 0 && words[i] != test {
			return "", false
		}
		test = words[i]
	}
	name := testAt(ev, test)
	return name, name != ""
}

// layout is where testing.common has some of its fields.
var layout = func() (l struct {
	ok                 bool
	name, runner, done uintptr
}) {
	t := reflect.TypeFor[testing.T]()
	common, ok := t.FieldByName("common")
	if !ok || common.Offset != 0 {
		return l
	}
	name, ok1 := common.Type.FieldByName("name")
	runner, ok2 := common.Type.FieldByName("runner")
	done, ok3 := common.Type.FieldByName("done")
	text := reflect.TypeFor[string]()
	l.ok = ok1 && ok2 && ok3 && name.Type == text && runner.Type == text && done.Type == reflect.TypeFor[bool]()
	l.name, l.runner, l.done = name.Offset, runner.Offset, done.Offset
	return l
}()

const testRunner = "testing.tRunner"

// Of is the name of the test whose goroutine makes a call, "" when it is none
// or cannot be told.
func (n *Names) Of(tree *supervise.Tree, ev *supervise.Event) string {
	if !n.Same || !layout.ok {
		return ""
	}
	return n.frame.of(ev, tree.Frame(ev, testRunner))
}

// By is the name of the test that makes a call, as far as it can be told: of the
// goroutine, of the one that started it, or the function that is on the stack.
func (n *Names) By(tree *supervise.Tree, ev *supervise.Event, frames []runtime.Frame) string {
	if name := n.Of(tree, ev); name != "" {
		return name
	}
	for _, g := range tree.Ancestry(ev) {
		if name := n.Started(ev, g); name != "" {
			return name
		}
	}
	return In(frames)
}

// Started is the name of the test whose goroutine g is: one that testing has
// started. The frame of its tRunner is at the end of its stack.
func (n *Names) Started(ev *supervise.Event, g supervise.Goroutine) string {
	if !n.Same || !layout.ok || !slices.ContainsFunc(g.Created, func(f runtime.Frame) bool { return lines.Package(f.Function) == "testing" }) {
		return ""
	}
	const most = 80
	var b [8 * most]byte
	if ev.Read(g.Top-8*most, b[:]) != nil {
		return ""
	}
	words := make([]uint64, most) // the outermost first
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(b[8*(most-1-i):])
	}
	return n.top.of(ev, words)
}

// testAt is the name of the testing.T at an address, "" when there is none: of
// a test that runs, testing notes by which function.
func testAt(ev *supervise.Event, addr uint64) string {
	if addr < 1<<16 || addr%uint64(unsafe.Alignof(uintptr(0))) != 0 {
		return ""
	}
	common := make([]byte, max(layout.name, layout.runner, layout.done)+16)
	if ev.Read(addr, common) != nil || common[layout.done] != 0 {
		return ""
	}
	if s, ok := ev.GoString(common[layout.runner:], len(testRunner)); !ok || s != testRunner {
		return ""
	}
	name, _ := ev.GoString(common[layout.name:], 4096)
	return name
}
