package hunt

import (
	"math/rand/v2"
	"slices"
)

// Lot says what Generate may choose from.
type Lot struct {
	Linux bool // forms and operations that need a kernel
	Most  int  // operations, at most; 8 if 0
}

// Bases are the last names that programs use.
var Bases = []string{"a", "b", "d", "e", "x", "y"}

// names at three levels.
var allNames = []string{"a", "b", "d", "d/x", "d/y", "d/e", "d/e/x", "d/e/y"}

// Generate makes a program. The same seed gives the same one.
func Generate(seed uint64, lot Lot) *Program {
	g := &generator{r: rand.New(rand.NewPCG(seed, 0x746d7070726f6f66)), lot: lot}
	return g.program()
}

type generator struct {
	r     *rand.Rand
	lot   Lot
	names []string // of this program
	dirs  []string
	form  Form
	heed  float64
}

func (g *generator) one(in int) bool { return g.r.IntN(in) == 0 }

func pick[T any](g *generator, list []T) T { return list[g.r.IntN(len(list))] }

func (g *generator) program() *Program {
	most := g.lot.Most
	if most == 0 {
		most = 8
	}
	g.names = slices.Clone(pick(g, [][]string{
		{"a"}, {"a", "b"}, {"d", "d/x"}, {"d", "d/x", "d/y"}, {"a", "d", "d/x"}, {"d/x", "d/y"}, {"d", "d/e", "d/e/x"}, {"d/e/x", "d/e/y", "d/e"}, allNames,
	}))
	g.dirs = []string{"."}
	for _, n := range g.names {
		if p := parent(n); p != "" && !slices.Contains(g.dirs, p) {
			g.dirs = append(g.dirs, p)
		}
	}
	g.heed = pick(g, []float64{1, 0.8, 0.5})
	p := &Program{Before: g.before()}
	// What an entry has been made for is mostly what it is used for then.
	for n := 2 + g.r.IntN(most-1); len(p.Ops) < n; {
		o := g.op(p)
		p.Ops = append(p.Ops, o)
		switch o.Do {
		case CreateTemp:
			g.names = append(g.names, TempFile)
			if g.one(3) {
				g.names = append(g.names, TempFile+".d")
			}
		case MkdirTemp:
			g.names = append(g.names, TempDir, TempDir+"/x")
			g.dirs = append(g.dirs, TempDir)
		}
	}
	return p
}

// before makes some of the names, and what they lie in.
func (g *generator) before() []string {
	if g.one(2) {
		return nil
	}
	var list []string
	var there func(n string, dir bool)
	there = func(n string, dir bool) {
		if p := parent(n); p != "" {
			there(p, true)
		}
		if slices.Contains(list, n) || slices.Contains(list, n+"/") {
			return
		}
		if dir {
			n += "/"
		}
		list = append(list, n)
	}
	for _, n := range g.names {
		if g.one(2) {
			there(n, n == "d" || n == "d/e")
		}
	}
	return list
}

func (g *generator) op(p *Program) Op {
	var k verb
	for {
		k = pick(g, verbs)
		if k.linux && !g.lot.Linux || k.rare && !g.one(4) || k.check && len(p.Ops) > 0 && g.one(2) {
			continue
		}
		break
	}
	o := Op{Do: k.do, Heed: !k.check && g.r.Float64() < g.heed, Form: g.pathForm(k)}
	o.A = pick(g, g.names)
	if k.dir && !g.one(4) {
		o.A = pick(g, g.dirs)
	}
	if !k.dir && !k.check && !g.one(8) { // seldom a directory where a file is meant
		for i := 0; i < 3 && slices.Contains(g.dirs, o.A); i++ {
			o.A = pick(g, g.names)
		}
	}
	switch k.do {
	case CreateTemp, MkdirTemp:
		o.A, o.Form = pick(g, g.dirs), Absolute
	case Rmdir, RemoveAll, Mkdir, MkdirAll, IfMyDir, Remove:
		if o.A == "." {
			o.A = pick(g, g.names)
		}
	}
	if k.two {
		o.B = pick(g, g.names)
		if len(g.names) > 1 {
			for o.B == o.A {
				o.B = pick(g, g.names)
			}
		}
	}
	if k.mode != 0 {
		o.Mode = k.mode
		if g.one(8) {
			o.Mode = pick(g, []uint32{0o644, 0o666, 0o755, 0o777, 0o700, 0o600})
		}
	}
	return o
}

// pathForm is mostly that of the operation before: code seldom mixes them.
func (g *generator) pathForm(k verb) Form {
	if g.form == Absolute && !g.one(6) || !g.one(3) {
		return g.form
	}
	forms := []Form{Absolute, Absolute, InRoot}
	if g.lot.Linux {
		forms = append(forms, Relative, ByDir, Openat2, Beneath, ByProc)
	}
	g.form = pick(g, forms)
	return g.form
}
