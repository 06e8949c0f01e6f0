package attack

import (
	"path"
	"slices"
)

// undisturbed runs the victim without an attack: twice in one process, once in
// another, and once more in which the attacker looks at what it can reach.
func (r *racer) undisturbed() ([]mark, error) {
	r.plan = &plan{opt: r.opt, names: &names{test: leaf(r.test)},
		made: map[string]bool{}, left: map[string]bool{}, known: map[key]bool{}, undisturbed: map[string]bool{}}
	r.plan.names.place(r.world.d.abs(""))
	var runs []*run
	var paths [][]string
	var contexts []context
	var dirs []string
	for i := range 3 {
		if i == 2 {
			r.world.stop(true)
		}
		w, err := watch(r.world.d)
		if err != nil {
			return nil, err
		}
		one, _, err := r.once(nil)
		paths = append(paths, w.stop())
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, w.made...)
		contexts = append(contexts, one.outcome.Context)
		if !r.comesBack(one) || r.useless(one) {
			return nil, nil
		}
		runs = append(runs, one)
	}
	first := runs[0]
	r.plan.names.learn(paths, contexts)
	for _, one := range runs {
		r.plan.names.rename(one.left)
	}
	r.plan.targets, r.plan.stableTargets = first.left, true
	for _, one := range runs[1:] {
		r.compare(one.left)
	}
	r.record(first)
	for _, f := range first.facts {
		shape := r.plan.names.shape(f.path)
		r.plan.left[shape], r.plan.undisturbed[f.rule.ID()+" "+shape] = true, true
	}
	var marks []mark
	_, _, err := r.once(func(one *run) error {
		marks = r.survey(one, slices.Concat(paths...), dirs)
		return nil
	})
	return marks, err
}

// survey lists the names that the attacker can act on before the victim makes
// them.
func (r *racer) survey(one *run, shown, dirs []string) []mark {
	var names []string
	for _, t := range literalTargets(r.opt.targets) {
		names = append(names, path.Join(dirShared, t))
	}
	for _, h := range r.opt.hostile {
		names = append(names, path.Join(dirShared, h))
	}
	names = append(names, shown...)
	var marks []mark
	for i, name := range names {
		if slices.Contains(names[:i], name) || !r.plan.names.predictable(path.Base(name)) {
			continue
		}
		acc := access{dir: path.Dir(name), name: path.Base(name), node: one.disk.stat(name), last: true}
		one.attacker.see(acc)
		reach := one.attacker.reach(acc)
		if !reach.plant && !reach.replace {
			continue
		}
		_, _, _, others := one.attacker.inDir(acc.dir)
		m := mark{name: name, exists: acc.node.exists(), others: others}
		for _, below := range names {
			if path.Dir(below) == name {
				m.next = path.Base(below)
				break
			}
		}
		if m.next == "" && (slices.Contains(dirs, name) || acc.node.isDir()) {
			m.next = "kept"
		}
		marks = append(marks, m)
	}
	return marks
}
