package hunt

import (
	"io/fs"
	"slices"
	"strings"
)

// outside is everything but the shared directory and the attacker's place.
func (r *reference) outside() (map[string]Thing, map[string]string) {
	things, content := map[string]Thing{}, map[string]string{}
	for _, f := range append(walk(r.g, vault), found{vault, r.g.Look(vault)}) {
		f.Links = 0 // see linked
		things[f.name] = f.Thing
		if f.Type == 0 {
			content[f.name] = r.g.Read(f.name)
		}
	}
	return things, content
}

// look is what is seen before each call and at the end.
func (r *reference) look(initial map[ID]bool) {
	o, g := r.now, r.g
	r.madeIt()
	r.linked()
	places := walk(g, shared)
	r.exposed(places, initial)
	if slices.ContainsFunc(o.done, func(a Act) bool { return strings.Contains(a.What, attic) }) {
		places = append(places, walk(g, attic)...)
	}
	for _, f := range places {
		if o.own[f.ID] == "" {
			continue
		}
		if want, is := o.data[f.ID]; is {
			if got := g.Read(f.name); got != want && !strings.HasPrefix(want, strings.TrimRight(got, "\x00")) {
				o.broken["X10"], o.written[f.ID] = true, true
			}
		}
		if was, is := o.within[f.ID]; is {
			for _, in := range places {
				if parent(in.name) == f.name && was[base(in.name)] != in.ID && o.own[in.ID] == "" && (r.confirms || !r.canary(in.ID)) {
					o.broken["X06"] = true
				}
			}
		}
	}
}

// linked sees a further name of another user's file, made by the victim. One
// that is removed is not missed: it may be the attacker's.
func (r *reference) linked() {
	now := r.g.Look(vault + "/file").Links
	if now > r.now.links {
		r.now.broken["X01"] = true
	}
	r.now.links = now
}

// exposed sees files of the victim's that others can open, or could.
func (r *reference) exposed(places []found, initial map[ID]bool) {
	o := r.now
	var open map[string]bool                    // directories that others can search
	for _, f := range slices.Backward(places) { // a directory comes before what is in it
		mine := o.own[f.ID] == "" && !r.canary(f.ID)
		if p := parent(f.name); p != shared && !open[p] {
			continue
		}
		switch {
		case f.Type == fs.ModeDir && (f.Perm&1 != 0 || !mine):
			if open == nil {
				open = map[string]bool{}
			}
			open[f.name] = true
		case f.Type == 0 && mine && !initial[f.ID]:
			o.perm[f.ID] |= f.Perm & 6
			if f.Size > 0 && o.perm[f.ID]&4 != 0 {
				o.broken["X04"] = true
			}
			if f.Size > 0 && o.perm[f.ID]&2 != 0 {
				o.broken["X09"] = true
			}
		}
	}
}

func (r *reference) canary(id ID) bool {
	for _, t := range r.before {
		if t.ID == id {
			return true
		}
	}
	return false
}

// end judges what a run has come to.
func (r *reference) end(success, attacked bool) {
	o, g := r.now, r.g
	things, content := r.outside()
	if len(things) != len(r.before) {
		o.broken["X01"] = true
	}
	for n, was := range r.before {
		if things[n] != was || content[n] != r.content[n] {
			o.broken["X01"] = true
		}
	}
	r.touched = o.broken["X01"]
	if attacked {
		for _, n := range r.leftovers() {
			if !r.left[r.shape(n)] {
				o.broken["X08"] = true
			}
		}
	}
	if !success {
		return
	}
	for _, id := range o.read {
		if o.own[id] != "" && !o.written[id] && o.listed[id] != "-" {
			o.broken["X03"] = true
		}
		if r.canary(id) && (r.confirms || r.stands(id, things, content)) {
			o.broken["X02"] = true
		}
	}
	for n := range o.adopted {
		if t := g.Look(n); t.Type == fs.ModeDir && o.own[t.ID] != "" {
			o.broken["X06"] = true
		}
	}
}

// leftovers are the victim's entries in the shared directory that were not
// there before.
func (r *reference) leftovers() []string {
	o, g := r.now, r.g
	var all []string
	// In a directory of the attacker's, or in one that an undisturbed run leaves:
	// that is told of by itself.
	hidden := func(name string) bool {
		for d := parent(name); d != shared; d = parent(d) {
			if o.own[g.Look(d).ID] != "" || r.left[r.shape(d)] {
				return true
			}
		}
		return false
	}
	for _, f := range walk(g, shared) {
		rel := f.name[len(shared)+1:]
		before := slices.Contains(r.p.Before, rel) || slices.Contains(r.p.Before, rel+"/")
		if o.own[f.ID] == "" && !r.canary(f.ID) && !before && !hidden(f.name) {
			all = append(all, f.name)
		}
	}
	return all
}

// shape writes the names that chance has made as $T and $M.
func (r *reference) shape(name string) string {
	for chosen, which := range r.machine.chose {
		name = strings.ReplaceAll(name, chosen, which)
	}
	return name
}

// adopts follows what becomes of the directories that the victim makes: one
// of the attacker's stands where it would have made its own, or in the place of
// the one that it has made, and it goes on there.
func (r *reference) adopts(c Call) {
	o, g := r.now, r.g
	for _, p := range c.Paths {
		for n, made := range o.made {
			if t := g.Look(n); t.Type == fs.ModeDir && o.own[t.ID] != "" && (p == n || strings.HasPrefix(p, n+"/")) && o.replaced[made] {
				o.adopted[n] = true
			}
		}
	}
	if c.Name != "mkdir" || len(c.Paths) == 0 {
		return
	}
	n := c.Paths[0]
	if t := g.Look(n); t.Type == fs.ModeDir && o.own[t.ID] != "" {
		o.adopted[n] = true
	}
	o.making = n
}

// madeIt notes a directory that the victim has just made.
func (r *reference) madeIt() {
	o := r.now
	if t := r.g.Look(o.making); o.making != "" && t.Type == fs.ModeDir && o.own[t.ID] == "" {
		o.made[o.making] = t.ID
	}
	o.making = ""
}

// empties sees that something is removed from a directory that was listed, or
// the directory itself: it was listed for that, and its names say nothing else.
func (r *reference) empties(c Call) {
	if c.Name != "unlink" && c.Name != "rmdir" {
		return
	}
	for id, name := range r.now.listed {
		for _, p := range c.Paths {
			if p == name || strings.HasPrefix(p, name+"/") {
				r.now.listed[id] = "-"
			}
		}
	}
}

// stands says that another user's file is where it was, and as it was. What one
// reads of another is no longer that user's: X01 tells of it.
func (r *reference) stands(id ID, now map[string]Thing, content map[string]string) bool {
	for n, t := range r.before {
		if t.ID == id {
			return now[n] == t && content[n] == r.content[n]
		}
	}
	return false
}
