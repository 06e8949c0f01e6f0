package leakcheck_test

import (
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/suite"
	"github.com/tmpproof/tmpproof/leakcheck"
)

// The whole package, in TestMain.
func ExampleMain() {
	_ = func(m *testing.M) { // TestMain
		leakcheck.Main(m, leakcheck.Ignore("go-build*"))
	}
}

// A TestMain that has more to do.
func ExampleRun() {
	_ = func(m *testing.M) int {
		stop := func() {} // what the tests need
		defer stop()
		return leakcheck.Run(m)
	}
}

// One test.
func ExampleCheck() {
	_ = func(t *testing.T) {
		leakcheck.Check(t)
		// ... the test, with t.TempDir after Check
	}
}

// A file system that exists in the test alone.
func ExampleCheckFs() {
	_ = func(t *testing.T) {
		fs := afero.NewMemMapFs()
		leakcheck.CheckFs(t, fs)
		// ... code that gets fs
	}
}

type StoreSuite struct{ leakcheck.Suite }

func (s *StoreSuite) TestPut() {}

// Every test of a testify suite.
func ExampleSuite() {
	_ = func(t *testing.T) { suite.Run(t, new(StoreSuite)) }
}
