package tmptest

import "github.com/tmpproof/tmpproof/tmptest/rules"

// platformUnchecked are the rules that this package cannot check on this
// system, with the reason.
var platformUnchecked = []skippedRule{
	{rules.E07, "access control lists of macOS are not read"},
	{rules.C16, "the descriptors of the process are not listed on macOS"},
	{rules.R03, "the descriptors of the process are not listed on macOS"},
	{rules.R13, "other processes are not looked at on macOS"},
}
