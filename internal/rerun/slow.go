package rerun

import (
	"fmt"
	"os"
	"strconv"
)

const envSlow = "TMPPROOF_SLOW"

// Slowness is how many times slower than usual the machine is, as its user says
// it: a factor for budgets.
func Slowness() (int, error) {
	v := os.Getenv(envSlow)
	if v == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > 1000 {
		return 0, fmt.Errorf("%s=%q: give a factor for budgets, 1 to 1000, or unset it", envSlow, v)
	}
	return n, nil
}
