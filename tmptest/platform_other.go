//go:build !linux && !darwin && !windows

package tmptest

// platformUnchecked are the rules that this package cannot check on this
// system, with the reason.
var platformUnchecked = []skippedRule{
	{E07, "access control lists are not read on this system"},
	{E08, "the type of a file system is not read on this system"},
	{C16, "the descriptors of the process are not listed on this system"},
	{E17, "free space is not read on this system"},
	{R03, "the descriptors of the process are not listed on this system"},
	{R13, "other processes are not looked at on this system"},
}
