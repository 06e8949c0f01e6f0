package notes

import (
	"testing"

	"github.com/stretchr/testify/suite"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/leakcheck"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// NotesSuite hands T() to the verbs, and embeds leakcheck.Suite in place of
// suite.Suite.
type NotesSuite struct{ leakcheck.Suite }

func TestSuite(t *testing.T) { suite.Run(t, new(NotesSuite)) }

func (s *NotesSuite) TestSave() {
	attack.Prove(s.T(), func(s *attack.Scene) error {
		return Save(s.FS, s.Path("note"), "text")
	}, attack.Target("note"))
}

func (s *NotesSuite) TestSaveWithErrors() {
	attack.Faults(s.T(), func(s *attack.Scene) error {
		return Save(s.FS, s.Path("note"), "text")
	}, attack.Target("note"))
}

func (s *NotesSuite) TestHastySave() {
	attack.Prove(s.T(), func(s *attack.Scene) error {
		return HastySave(s.FS, s.Path("note"), "text")
	}, attack.Target("note"), attack.Expect(rules.X01, rules.X05, rules.X07, rules.X10))
}
