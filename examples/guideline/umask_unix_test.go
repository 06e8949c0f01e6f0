//go:build unix

package guideline

import "github.com/tmpproof/tmpproof/attack"

func init() {
	correct = append(correct, stop{
		name:   "umaskThenMkdtemp",
		story:  "mkdtemp to the guideline's letter: the code sets the umask itself, so the mode is its own doing.",
		victim: func(*attack.Scene) error { return umaskThenMkdtemp(roundTrip) },
	})
}
