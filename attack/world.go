package attack

// world runs the victim. The explorer, the attacker and the oracles know
// nothing else of where it runs.
type world interface {
	disk() disk
	// run sets a fresh scene up, runs the victim once and calls at before
	// each of its calls that concerns the scene. prepared is called when
	// the scene stands, after Setup and before the victim. Entries that the
	// attacker owns are shown to the victim with another user's id.
	run(a *attacker, prepared func() error, at func(*boundary) error) (*outcome, error)
	// settled tells that the run has been judged, and whether a canary must
	// be made anew.
	settled(touched bool)
	close() error
}
