package notes

import (
	"testing"

	"github.com/tmpproof/tmpproof/attack"
)

// FuzzSave: an input that was just generated cannot be run again by name in a
// second process, so that the disk is in memory.
func FuzzSave(f *testing.F) {
	f.Add("a note")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		attack.Prove(t, func(s *attack.Scene) error {
			return Save(s.FS, s.Path("note"), text)
		}, attack.Fake(), attack.Target("note"))
	})
}
