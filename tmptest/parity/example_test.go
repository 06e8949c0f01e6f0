package parity_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/tmpproof/tmpproof/tmptest/parity"
)

// A function that stands in for mkstemp, and one for mkdtemp.
func ExampleRun() {
	_ = func(t *testing.T) {
		parity.Run(t, parity.Mkstemp, func(dir string) (*os.File, error) { return os.CreateTemp(dir, "app-*") })
		parity.Run(t, parity.Mkdtemp, func(dir string) (string, error) { return os.MkdirTemp(dir, "app-*") })
	}
}

// What is promised.
func ExampleRow() {
	for _, row := range parity.Mkdtemp[:1] {
		fmt.Println(row.Rule.ID(), row.Promise)
	}
	fmt.Println(len(parity.TemporaryFile) > 0, len(parity.NamedTemporaryFile) > 0, len(parity.SpooledTemporaryFile) > 0)
	// Output:
	// E06 only the owner can read, write and search the directory
	// true true true
}
