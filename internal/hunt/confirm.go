package hunt

import (
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
)

// Confirm tries just the moves of a schedule of package attack's, each before
// every call, and returns the rules that they break. It is for what attack finds
// and the second attacker has no kind of act for: another user's directory, say,
// that has one name and not another.
func Confirm(g Ground, p *Program, unsticky bool, schedule string) ([]string, error) {
	r := &reference{g: g, p: p, names: p.Names(), verdict: &Verdict{Broken: map[string][]Act{}}, confirms: true}
	var moves []planned
	for part := range strings.SplitSeq(schedule, ";") {
		move, _, _ := strings.Cut(part, "@")
		m, err := r.parseMove(move)
		if err != nil {
			return nil, fmt.Errorf("schedule %q: %w", schedule, err)
		}
		moves = append(moves, m)
	}
	if err := g.Stage(p.bases(), unsticky, r.asked...); err != nil {
		return nil, err
	}
	calm, err := r.run(nil)
	if err != nil {
		return nil, err
	}
	r.left = map[string]bool{}
	for _, n := range r.leftovers() {
		r.left[r.shape(n)] = true
	}
	// An attacked run can be longer than an undisturbed one.
	err = r.confirm(moves, nil, 2*calm.gap+8)
	return r.verdict.Rules(), err
}

func (r *reference) confirm(moves, placed []planned, calls int) error {
	if len(moves) == 0 {
		_, err := r.run(placed)
		return err
	}
	from := 0
	if len(placed) > 0 {
		from = placed[len(placed)-1].gap
	}
	for gap := from; gap < calls; gap++ {
		m := moves[0]
		m.gap = gap
		if err := r.confirm(moves[1:], append(slices.Clone(placed), m), calls); err != nil {
			return err
		}
	}
	return nil
}

// parseMove reads a move: "dir{x=file,y=symlink-file}=shared/d".
func (r *reference) parseMove(text string) (planned, error) {
	head, target, _ := strings.Cut(text, "=")
	inside := ""
	if h, rest, ok := strings.Cut(text, "{"); ok {
		head = h
		inside, target, _ = strings.Cut(rest, "}=")
	}
	target, err := url.PathUnescape(target)
	if err != nil {
		return planned{}, err
	}
	var in []child
	for part := range strings.SplitSeq(inside, ",") {
		at, kind, _ := strings.Cut(part, "=")
		if at, err = url.PathUnescape(at); err != nil {
			return planned{}, err
		}
		if at != "" {
			in = append(in, child{byName(at), plant{what: kind}})
		}
	}
	what, err := r.parsePlant(head, in)
	return planned{name: byName(strings.TrimPrefix(target, "shared/")), what: what}, err
}

// byName puts $T and $M in the place of the patterns of chance.
func byName(name string) string {
	name = strings.ReplaceAll(name, "tmp-*", TempFile)
	return strings.ReplaceAll(name, "dir-*", TempDir)
}

func (r *reference) parsePlant(name string, in []child) (plant, error) {
	switch name {
	case "symlink-file":
		return plant{kind: 'L', target: vault + "/file"}, nil
	case "symlink-absent":
		return plant{kind: 'L', target: vault + "/absent"}, nil
	case "symlink-dir":
		return plant{kind: 'L', target: vault + "/lacks"}, nil
	case "symlink-own":
		return plant{kind: 'L', target: attic + "/file"}, nil
	case "symlink-mirror":
		r.mirrors++
		top := fmt.Sprint("asked", r.mirrors) // two moves can want different things of one name
		r.asked = append(r.asked, found{top, Thing{Type: fs.ModeDir}})
		for _, c := range in {
			r.asked = append(r.asked, found{top + "/" + c.name, Thing{Type: theirType(c.what.what)}})
		}
		return plant{kind: 'L', target: vault + "/" + top}, nil
	case "hardlink":
		return plant{kind: 'H'}, nil
	case "file":
		return file, nil
	case "remove":
		return removal, nil
	case "dir", "symlink-owndir":
		d := plant{kind: map[string]byte{"dir": 'D', "symlink-owndir": 'O'}[name]}
		for i, c := range in {
			if slices.ContainsFunc(in[:i], func(o child) bool { return o.what.what == "symlink-mirror" && strings.HasPrefix(c.name, o.name+"/") }) {
				continue // in another user's directory
			}
			var theirs []child
			for _, o := range in {
				if rest, ok := strings.CutPrefix(o.name, c.name+"/"); ok {
					theirs = append(theirs, child{rest, o.what})
				}
			}
			what, err := r.parsePlant(c.what.what, theirsOf(c.what.what, theirs))
			if err != nil {
				return plant{}, err
			}
			d.put(c.name, what)
		}
		return d, nil
	}
	return plant{}, fmt.Errorf("the second attacker has no %q", name)
}

// theirsOf is what lies below a link to another user's directory; below one of
// the attacker's it is listed by itself.
func theirsOf(kind string, below []child) []child {
	if kind == "symlink-mirror" {
		return below
	}
	return nil
}

func theirType(kind string) fs.FileMode {
	switch kind {
	case "dir":
		return fs.ModeDir
	case "symlink-file":
		return fs.ModeSymlink
	}
	return 0
}
