package hunt

// Mended is the program with every error that it meets undisturbed passed
// over, so that it comes to success: what always fails proves nothing. It is
// nil for one that makes no call.
func Mended(g Ground, p *Program) (*Program, error) {
	if err := g.Stage(nil, false); err != nil {
		return nil, err
	}
	q := &Program{Before: p.Before, Ops: append([]Op{}, p.Ops...)}
	for range q.Ops {
		v, at, err := succeeds(g, q)
		if err != nil || v {
			return q, err
		}
		q.Ops[at].Heed = false
	}
	return q, nil
}

// succeeds says whether the undisturbed program does, or which operation's
// error ends it.
func succeeds(g Ground, p *Program) (ok bool, at int, err error) {
	if _, err := g.Reset(true); err != nil {
		return false, 0, err
	}
	at = -1
	m := &Machine{Sys: g.System(func(Call) {}, func(ID) {})}
	if err := m.Prepare(p); err != nil {
		return false, 0, err
	}
	m.Each = func(Op) { at++ }
	return m.Run(p) == nil, at, nil
}
