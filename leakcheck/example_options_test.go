package leakcheck_test

import (
	"testing"

	"github.com/tmpproof/tmpproof/leakcheck"
)

// For the first days in a suite that leaks much: all is reported, nothing
// fails.
func ExampleWarn() {
	_ = func(m *testing.M) {
		leakcheck.Main(m,
			leakcheck.Warn(),
			leakcheck.Explain(false), // tests are not run again to find the line
			leakcheck.KeepOnLeak(),   // look at what was left
			leakcheck.AllowOpen(),    // files only: no descriptors and processes
			leakcheck.Dir("/var/tmp"),
		)
	}
}

// A test that starts what stays for all tests, such as a pool of connections.
func ExampleAllowElsewhere() {
	_ = func(t *testing.T) {
		leakcheck.Check(t, leakcheck.AllowElsewhere())
	}
}
