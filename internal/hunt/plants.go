package hunt

import (
	"fmt"
	"slices"
	"strings"
)

// plant is something that the attacker makes at a name: aside, and then in one
// act. A directory has entries of its own.
type plant struct {
	kind   byte   // 'L'ink, 'H'ard link, 'F'ile, 'D'irectory, 'O': a link to a directory of his, '-' removal
	what   string // its name in a schedule of package attack's
	target string // of a link
	below  []child
}

type child struct {
	name string
	what plant
}

func (p plant) String() string {
	switch {
	case p.kind == 'L':
		return "L>" + p.target
	case p.kind == 'O':
		return "L>" + attic + plant{kind: 'D', below: p.below}.String()
	case len(p.below) > 0:
		var in []string
		for _, c := range p.below {
			in = append(in, c.name+":"+c.what.String())
		}
		return "D{" + strings.Join(in, " ") + "}"
	}
	return string(p.kind)
}

var (
	removal = plant{kind: '-'}
	file    = plant{kind: 'F'}
	// singles can stand at any name.
	singles = []plant{
		{kind: 'L', target: vault + "/file"},
		{kind: 'L', target: vault + "/absent"},
		{kind: 'L', target: vault + "/lacks"},
		{kind: 'L', target: vault + "/files"},
		{kind: 'L', target: vault + "/dirs"},
		{kind: 'L', target: vault + "/deep"},
		{kind: 'L', target: vault + "/empty"},
		{kind: 'L', target: attic + "/file"},
		{kind: 'L', target: attic + "/empty"},
		{kind: 'L', target: attic + "/files"},
		{kind: 'L', target: attic + "/links"},
		{kind: 'H'},
		file,
		{kind: 'D'},
	}
	// inner can stand below a directory of the attacker's.
	inner = []plant{
		{kind: 'L', target: vault + "/file"}, {kind: 'L', target: vault + "/absent"}, {kind: 'L', target: vault + "/lacks"},
		{kind: 'L', target: vault + "/files"}, {kind: 'L', target: attic + "/file"}, {kind: 'H'}, file, {kind: 'D'},
	}
)

// few are the kinds of the schedules of several acts, whose number grows with
// their power: what a call can be led to once each, and what it can meet.
func few(p plant) bool {
	switch p.kind {
	case 'L':
		return p.target == vault+"/file" || p.target == vault+"/lacks" || p.target == vault+"/files" || p.target == attic+"/file"
	case 'D':
		return len(p.below) == 0 || len(p.below) == 1 && p.below[0].what.String() == singles[0].String()
	}
	return true
}

// plantsAt are all that can be made at a name of a program: each single thing,
// and a directory with each thing at each name that is looked for below it,
// alone and beside files or directories at the others.
func plantsAt(name string, names []string) []plant {
	list := slices.Clone(singles)
	var below []string
	for _, n := range names {
		if rest, ok := strings.CutPrefix(n, name+"/"); ok {
			below = append(below, rest)
		}
	}
	for _, b := range below {
		for _, k := range inner {
			list = append(list, directory([]child{{b, k}}))
			if len(below) > 1 {
				list = append(list, directory(beside(below, b, k)))
			}
		}
	}
	if len(below) > 1 {
		for _, k := range inner {
			var all []child
			for _, b := range below {
				all = append(all, child{b, k})
			}
			list = append(list, directory(all))
		}
	}
	return slices.CompactFunc(list, func(a, b plant) bool { return a.String() == b.String() })
}

// beside has k at one name, and a file at each of the others.
func beside(below []string, at string, k plant) []child {
	all := []child{{at, k}}
	for _, b := range below {
		if b != at && !strings.HasPrefix(at, b+"/") && !strings.HasPrefix(b, at+"/") {
			all = append(all, child{b, file})
		}
	}
	return all
}

// directory has entries of one or two levels; of two that need different
// things at one name, the first is kept.
func directory(entries []child) plant {
	d := plant{kind: 'D'}
	for _, e := range entries {
		d.put(e.name, e.what)
	}
	return d
}

func (p *plant) put(name string, what plant) {
	first, rest, deeper := strings.Cut(name, "/")
	i := slices.IndexFunc(p.below, func(c child) bool { return c.name == first })
	switch {
	case i < 0 && deeper:
		in := plant{kind: 'D'}
		in.put(rest, what)
		p.below = append(p.below, child{first, in})
	case i < 0:
		p.below = append(p.below, child{first, what})
	case deeper && p.below[i].what.kind == 'D':
		p.below[i].what.put(rest, what)
	}
}

// build makes a plant at a free name of the attic.
func (r *reference) build(p plant, at string) error {
	g := r.g
	var err error
	switch p.kind {
	case 'L':
		err = g.Symlink(p.target, at)
	case 'H':
		return g.Link(vault+"/file", at)
	case 'O':
		dir := p
		dir.kind = 'D'
		if err = r.build(dir, at+"-dir"); err == nil {
			err = g.Symlink(at+"-dir", at)
		}
	case 'F':
		err = g.File(at, attackerData, 0o777)
	case 'D':
		err = g.Mkdir(at, 0o777)
		for _, c := range p.below {
			if err == nil {
				err = r.build(c.what, at+"/"+c.name)
			}
		}
	default:
		return fmt.Errorf("nothing to build: %c", p.kind)
	}
	if err == nil {
		err = g.Own(at)
	}
	if err == nil {
		err = g.Age(at)
	}
	if err == nil {
		r.owns(at, p)
	}
	return err
}
