package attack

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"unicode/utf8"

	"github.com/tmpproof/tmpproof/internal/leftover"
)

// form is what a content is by its looks; the greater says more.
type form uint8

const (
	bytesForm form = iota
	textForm
	linesForm // text whose last line is whole
	jsonForm
)

func (f form) String() string { return [...]string{"bytes", "text", "whole lines", "JSON"}[f] }

// maxForm bounds the contents that are looked at for their form.
const maxForm = 1 << 20

func formOf(b []byte) form {
	switch {
	case len(b) == 0:
		return bytesForm
	case json.Valid(b):
		return jsonForm
	case !utf8.Valid(b) || slices.Contains(b, 0):
		return bytesForm
	case b[len(b)-1] == '\n':
		return linesForm
	}
	return textForm
}

// targetShape is what undisturbed runs have alike of a target whose content
// differs from run to run.
type targetShape struct {
	files    int
	min, max int64
	form     form
	outlines []string // of directories: the names in them
}

// shapeOf is the shape of what several runs left under one pattern.
func shapeOf(of []target) *targetShape {
	s := &targetShape{form: jsonForm}
	for _, t := range of {
		for _, e := range t.entries {
			switch e.kind {
			case "file":
				if s.files++; s.files == 1 {
					s.min = e.file.size
				}
				s.min, s.max, s.form = min(s.min, e.file.size), max(s.max, e.file.size), min(s.form, e.file.form)
			case "directory":
				if !slices.Contains(s.outlines, e.outline) {
					s.outlines = append(s.outlines, e.outline)
				}
			}
		}
	}
	return s
}

// differs says in what an entry has not the shape; empty when it has.
func (s *targetShape) differs(e targetEntry) string {
	size := e.file.size
	switch {
	case e.kind == "directory" && len(s.outlines) == 1 && e.outline != s.outlines[0]:
		return "it does not hold the entries that it has after an undisturbed run"
	case e.kind != "file" || s.files == 0:
		return ""
	case size == 0 && s.min > 0:
		return "it is empty, which it never is after an undisturbed run"
	case size < s.min/2:
		return fmt.Sprintf("it has %s, and %d at least after an undisturbed run", leftover.Count(int(size), "byte", "bytes"), s.min)
	case size/2 > s.max:
		return fmt.Sprintf("it has %d bytes, and %d at most after an undisturbed run", size, s.max)
	case e.file.form < s.form && size <= maxForm && (s.form == jsonForm || e.file.form < textForm || s.form == linesForm):
		return "it is not " + s.form.String() + ", which it always is after an undisturbed run"
	}
	return ""
}

func (s *targetShape) String() string {
	if s.files == 0 {
		return "by the names in it"
	}
	return fmt.Sprintf("by its size (%d to %d bytes, give or take a half) and as %s", s.min, s.max, s.form)
}

// learnTargets sees which targets are the same in every undisturbed run, and
// how the others are compared. Elsewhere is what was left under other
// knowledge.
func (p *plan) learnTargets(runs [][]target, elsewhere []target) {
	p.targets, p.stableTargets, p.loose = runs[0], true, make([]*targetShape, len(runs[0]))
	p.timeless = make([]bool, len(runs[0]))
	for i := range runs[0] {
		var all []target
		same := true
		for _, r := range runs {
			all = append(all, r[i])
			same = same && sameTargets(runs[0][i:i+1], r[i:i+1])
		}
		shape := shapeOf(all)
		if !same {
			p.stableTargets = false
			p.loose[i] = shape
		}
		p.timeless[i] = same && (elsewhere == nil || sameTargets(runs[0][i:i+1], elsewhere[i:i+1]))
		p.shapes = append(p.shapes, shape)
	}
}

// wrongTarget says that an entry of the i-th pattern is not what undisturbed
// runs leave there, and how; empty when it is.
func (r *run) wrongTarget(i int, e targetEntry) string {
	want := r.plan.targets[i]
	if len(want.entries) == 0 {
		return ""
	}
	if shape := r.looseShape(i); shape != nil {
		if how := shape.differs(e); how != "" {
			return describe(e) + ": " + how
		}
		return ""
	}
	if !r.plan.stableTargets && r.plan.loose == nil || want.has(e) {
		return ""
	}
	return describe(e)
}

// looseShape is the shape that a target is compared by; nil: byte for byte. One
// that is made of the time, or of process numbers, is another where the attack
// has let the clock go on, or other programs be started.
func (r *run) looseShape(i int) *targetShape {
	p := r.plan
	switch {
	case p.loose == nil: // a race knows all or nothing
		return nil
	case p.loose[i] != nil:
		return p.loose[i]
	case !p.timeless[i] && (r.outcome.WentOn != p.wentOn || len(r.outcome.Context.Programs) != p.programs):
		return p.shapes[i]
	}
	return nil
}

// assumeTargets notes the targets that are not compared byte for byte.
func (e *explorer) assumeTargets() {
	if e.plan == nil {
		return
	}
	for i, shape := range e.plan.loose {
		if shape != nil {
			e.assume(Assumption{assumedTargets, pretty(path.Join(dirShared, e.opt.targets[i])), "its content differs from run to run, and is compared " + shape.String()})
		}
	}
}
