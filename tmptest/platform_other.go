//go:build !linux && !darwin && !windows

package tmptest

import "github.com/tmpproof/tmpproof/tmptest/rules"

// platformUnchecked are the rules that this package cannot check on this
// system, with the reason.
var platformUnchecked = []skippedRule{
	{rules.E07, "access control lists are not read on this system"},
	{rules.E08, "the type of a file system is not read on this system"},
	{rules.C16, "the descriptors of the process are not listed on this system"},
	{rules.E17, "free space is not read on this system"},
	{rules.R03, "the descriptors of the process are not listed on this system"},
	{rules.R13, "other processes are not looked at on this system"},
}
