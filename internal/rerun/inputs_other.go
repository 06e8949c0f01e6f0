//go:build !linux

package rerun

import (
	"os"
	"strings"
)

// newInputs has a log in a file, beside the one that the go command has given
// this process.
func newInputs(dir string) (*inputs, error) {
	f, err := os.CreateTemp(dir, "child-*.testlog")
	if err != nil {
		return nil, err
	}
	return &inputs{
		name: f.Name(),
		read: func() *inputsLog {
			l := newInputsLog()
			log, _ := os.ReadFile(f.Name())
			for line := range strings.Lines(string(log)) {
				l.add(line)
			}
			_ = os.Remove(f.Name())
			return l
		},
	}, f.Close()
}
