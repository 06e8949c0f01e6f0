package leakcheck

import "github.com/stretchr/testify/suite"

// Suite is a testify suite of which every test is checked as by Check. Embed
// it in place of suite.Suite; a suite with a SetupTest of its own calls this
// one first.
//
//	type StoreSuite struct{ leakcheck.Suite }
type Suite struct {
	suite.Suite

	// Options are those of Check.
	Options []Option
}

// SetupTest begins the check of one test.
func (s *Suite) SetupTest() { Check(s.T(), s.Options...) }
