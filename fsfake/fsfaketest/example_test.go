package fsfaketest_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/fsfake/fsfaketest"
)

// The contracts, on a file system of your own.
func ExampleRun() {
	_ = func(t *testing.T) {
		fsfaketest.Run(t, func(t *testing.T) (afero.Fs, string) { return afero.NewOsFs(), t.TempDir() })
	}
}

// One contract, without a test.
func ExampleContract() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return
	}
	defer os.RemoveAll(dir)
	name := fsfaketest.Names()[0]
	var c fsfaketest.Contract = fsfaketest.All[name]
	fmt.Println(c.Check(afero.NewOsFs(), dir))
	// Output: <nil>
}
