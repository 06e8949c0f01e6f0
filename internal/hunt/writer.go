package hunt

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"strings"

	"github.com/spf13/afero"
)

// Writer is a victim for Faults and Kills: it writes a target, and cleans up,
// or does not.
type Writer struct {
	Before bool   // the target is there
	Steps  []Step //
	Clean  []Step // errors of these are passed over
	When   When
}

// When is when a Writer cleans up.
type When string

// Clean-ups.
const (
	OnError When = "onerror" // by the steps that ask for it
	Defer   When = "defer"   // at the end, also of a panic, unless it has come to success
	Always  When = "always"  // at the end, also of success
)

// Step is one call of a Writer.
type Step struct {
	Do   string
	Name string // "tmp", "target" or "other"
	Else Else
}

// Else is what a Writer does about an error.
type Else string

// Answers to an error.
const (
	Ignore Else = "-"
	Return Else = "!"
	Tidy   Else = "~" // cleans up, and returns it
)

// The steps, and how often they are chosen.
var writerSteps = []struct {
	do     string
	named  bool
	weight int
}{
	{"create", true, 3}, // O_EXCL
	{"open", true, 2},   // O_CREATE|O_TRUNC
	{"write", false, 5}, // a line more
	{"sync", false, 2},
	{"close", false, 4},
	{"chmod", true, 1},
	{"rename", true, 3}, // over the target
	{"remove", true, 1},
	{"stat", true, 1},
}

// String is the writer as ParseWriter reads it:
// "before | create! tmp; write~; close~; rename~ tmp | close; remove tmp | onerror".
func (w *Writer) String() string {
	before := map[bool]string{true: "before"}[w.Before]
	return strings.Join([]string{before, steps(w.Steps), steps(w.Clean), string(w.When)}, " | ")
}

func steps(list []Step) string {
	var all []string
	for _, s := range list {
		all = append(all, strings.TrimSpace(s.Do+string(s.Else)+" "+s.Name))
	}
	return strings.Join(all, "; ")
}

// ParseWriter reads what String wrote.
func ParseWriter(text string) (*Writer, error) {
	parts := strings.Split(text, "|")
	if len(parts) != 4 {
		return nil, fmt.Errorf("writer %q: not of the form before | steps | clean-up | when", text)
	}
	w := &Writer{Before: strings.TrimSpace(parts[0]) == "before", When: When(strings.TrimSpace(parts[3]))}
	var err error
	if w.Steps, err = parseSteps(parts[1]); err == nil {
		w.Clean, err = parseSteps(parts[2])
	}
	switch w.When {
	case OnError, Defer, Always:
	default:
		err = errors.Join(err, fmt.Errorf("writer %q: it cleans up %q, which is none of onerror, defer, always", text, w.When))
	}
	return w, err
}

func parseSteps(text string) ([]Step, error) {
	var list []Step
	for part := range strings.SplitSeq(text, ";") {
		f := strings.Fields(part)
		if len(f) == 0 {
			continue
		}
		s := Step{Do: f[0]}
		if end := s.Do[len(s.Do)-1:]; strings.Contains("-!~", end) {
			s.Do, s.Else = s.Do[:len(s.Do)-1], Else(end)
		}
		named, known := false, false
		for _, k := range writerSteps {
			if k.do == s.Do {
				named, known = k.named, true
			}
		}
		if len(f) == 2 {
			s.Name = f[1]
		}
		if !known || named != (len(f) == 2) || len(f) > 2 {
			return nil, fmt.Errorf("step %q: unknown, or a name too few or too many", part)
		}
		list = append(list, s)
	}
	return list, nil
}

// GenerateWriter makes a writer. Most are one that is right with a step or two
// left out, doubled, or put elsewhere.
func GenerateWriter(seed uint64) *Writer {
	r := rand.New(rand.NewPCG(seed, 0x77726974657273))
	w := &Writer{Before: r.IntN(2) == 0, When: []When{OnError, Defer, Defer, Always}[r.IntN(4)]}
	tmp := r.IntN(4) > 0
	name := map[bool]string{true: "tmp", false: "target"}[tmp]
	w.Steps = []Step{{Do: "create", Name: name}, {Do: "write"}, {Do: "write"}, {Do: "sync"}, {Do: "close"}}
	w.Clean = []Step{{Do: "close"}, {Do: "remove", Name: name}}
	if tmp {
		w.Steps = append(w.Steps, Step{Do: "rename", Name: "tmp"})
	} else if w.Before || r.IntN(2) == 0 {
		w.Steps[0].Do = "open"
	}
	for range r.IntN(4) {
		w.Steps = disturb(r, w.Steps)
	}
	for range r.IntN(2) {
		w.Clean = disturb(r, w.Clean)
	}
	for i := range w.Steps {
		w.Steps[i].Else = []Else{Ignore, Return, Tidy, Tidy, Tidy}[r.IntN(5)]
	}
	return w
}

// disturb changes a list of steps a little.
func disturb(r *rand.Rand, list []Step) []Step {
	if len(list) == 0 {
		return list
	}
	at := r.IntN(len(list))
	switch r.IntN(4) {
	case 0:
		return append(list[:at:at], list[at+1:]...)
	case 1:
		to := r.IntN(len(list))
		list[at], list[to] = list[to], list[at]
		return list
	default:
		total := 0
		for _, k := range writerSteps {
			total += k.weight
		}
		n := r.IntN(total)
		for _, k := range writerSteps {
			if n -= k.weight; n < 0 {
				s := Step{Do: k.do}
				if k.named {
					s.Name = []string{"tmp", "tmp", "target", "other"}[r.IntN(4)]
				}
				return append(list[:at:at], append([]Step{s}, list[at:]...)...)
			}
		}
		return list
	}
}

// WriterRun is one run of a writer.
type WriterRun struct {
	Dir   string
	FS    afero.Fs
	Point func() // called before each call at which a panic can come, if set
	file  afero.File
	wrote int
}

// TargetName is the name of the file that a Writer is to leave.
const TargetName = "target"

// oldTarget is in the target that is there before.
const oldTarget = "what was there before\n"

// Prepare makes what is there before.
func (r *WriterRun) Prepare(w *Writer) error {
	if !w.Before {
		return nil
	}
	return afero.WriteFile(r.FS, path.Join(r.Dir, TargetName), []byte(oldTarget), 0o600)
}

// Run writes.
func (r *WriterRun) Run(w *Writer) (err error) {
	done := false
	clean := func() {
		for _, s := range w.Clean {
			_ = r.step(s)
		}
	}
	if w.When != OnError {
		defer func() {
			if !done || w.When == Always {
				clean()
			}
		}()
	}
	for _, s := range w.Steps {
		switch err := r.step(s); {
		case err == nil || s.Else == Ignore || s.Else == "":
		case s.Else == Tidy && w.When == OnError:
			clean()
			return err
		default:
			return err
		}
	}
	done = true
	return nil
}

var errNoFile = errors.New("no file is open")

func (r *WriterRun) step(s Step) error {
	if r.Point != nil && s.Do != "close" && s.Do != "remove" && (r.file != nil || s.Do != "write" && s.Do != "sync") {
		r.Point()
	}
	name := path.Join(r.Dir, s.Name)
	switch s.Do {
	case "create":
		return r.open(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	case "open":
		return r.open(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	case "chmod":
		return r.FS.Chmod(name, 0o640)
	case "rename":
		return r.FS.Rename(name, path.Join(r.Dir, TargetName))
	case "remove":
		return r.FS.Remove(name)
	case "stat":
		_, err := r.FS.Stat(name)
		return err
	}
	if r.file == nil {
		return errNoFile
	}
	switch s.Do {
	case "write":
		r.wrote++
		_, err := fmt.Fprintf(r.file, "line %d\n", r.wrote)
		return err
	case "sync":
		return r.file.Sync()
	}
	f := r.file
	r.file = nil
	return f.Close()
}

// open leaves what was open before as it is: a descriptor is lost.
func (r *WriterRun) open(name string, flag int) error {
	f, err := r.FS.OpenFile(name, flag, fs.FileMode(0o600))
	if err == nil {
		r.file = f
	}
	return err
}
