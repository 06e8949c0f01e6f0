package attack

import (
	"path/filepath"

	"github.com/spf13/afero"
)

// Victim is the code under test. It works in the scene, and returns an error
// where the code under test does. It runs many times: each time in a scene
// made anew, in a process of its own kind, with umask 0.
type Victim func(s *Scene) error

// Scene is what a victim runs in.
type Scene struct {
	Dir  string   // the shared directory, as /tmp is; the victim's TMPDIR
	Home string   // the victim's private directory, on the same file system
	FS   afero.Fs // the file system of both

	point func(op, name string) // of Kills: it may panic
}

// Path joins elements below Dir.
func (s *Scene) Path(elem ...string) string {
	return filepath.Join(append([]string{s.Dir}, elem...)...)
}

// Point is a place at which Kills injects a panic and a runtime.Goexit, beside
// the operations of FS. A victim calls it where its own code could panic
// within the code under test: in a callback, a Reader, a template's function.
// For the other verbs it does nothing.
func (s *Scene) Point() {
	if s.point != nil {
		s.point("Point", s.Dir)
	}
}

// callVictim is the frame at which a victim's own stack begins.
//
//go:noinline
func callVictim(v Victim, s *Scene) error { return v(s) }
