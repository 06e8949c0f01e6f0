package attack

import "syscall"

// world runs the victim. The explorer, the attacker and the oracles know
// nothing else of where it runs.
type world interface {
	disk() disk
	// run sets a fresh scene up and runs the victim once. Entries that the
	// attacker owns are shown to the victim with another user's id.
	run(a *attacker, h hooks) (*outcome, error)
	// restart runs the function of Restart on what the last run in this place
	// has left, and undoes nothing. The outcome is that of the function.
	restart() (*outcome, error)
	// exact says that at is called once for each call, come what may.
	exact() bool
	// settled tells that the run has been judged, and whether a canary must
	// be made anew.
	settled(touched bool)
	close() error
}

// hooks are what a world calls in the course of a run.
type hooks struct {
	prepared func() error          // the scene stands: after Setup, before the victim
	at       func(*boundary) error // before each call that concerns the scene; it may set the boundary's answer
	returned func()                // the victim returned nil, and Ensure follows
	// What is done by descriptor to what the attacker made: content is about
	// to be written (-1: of unknown length), it is about to be cut or
	// overwritten by what tells nothing, a lock is about to be waited for.
	wrote func(o id, n int64)
	cut   func(o id)
	locks func()
	knows knowledge
}

// answer is what becomes of the call at a boundary. The zero answer lets it
// go on.
type answer struct {
	act   act
	errno syscall.Errno  // of fail
	sig   syscall.Signal // of kill
	// alike says that further calls of this kind, with the same flags and in
	// the same directory, are to fail likewise: the world need not ask.
	alike bool
}

type act uint8

const (
	goOn    act = iota
	fail        // the call returns errno, and has not run; but a close has closed
	short       // a write writes half of what it was given, one byte at least
	kill        // the process gets sig before the call runs
	panics      // the code panics: at a point only
	goexits     // runtime.Goexit ends the goroutine: at a point only
)
