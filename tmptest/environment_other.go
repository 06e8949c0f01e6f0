//go:build !linux

package tmptest

import (
	"runtime"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

func checkUmask() []Violation {
	return []Violation{unchecked(rules.E10, "umask", "it cannot be read without a change on "+runtime.GOOS)}
}

func checkProtection() []Violation {
	return []Violation{unchecked(rules.E16, "fs.protected_*", "these are settings of Linux, and this is "+runtime.GOOS)}
}
