//go:build !linux

package guideline

import (
	"errors"
	"os"
)

// openUnnamed is for systems that have no unnamed files.
func openUnnamed(string) (*os.File, error) { return nil, errors.ErrUnsupported }
