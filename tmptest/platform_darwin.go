package tmptest

// platformUnchecked are the rules that this package cannot check on this
// system, with the reason.
var platformUnchecked = []skippedRule{
	{E07, "access control lists of macOS are not read"},
	{C16, "the descriptors of the process are not listed on macOS"},
	{R03, "the descriptors of the process are not listed on macOS"},
	{R13, "other processes are not looked at on macOS"},
}
