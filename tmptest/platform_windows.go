package tmptest

// platformUnchecked are the rules that this package cannot check on this
// system, with the reason.
var platformUnchecked = []skippedRule{
	{E03, "owners are not read on Windows"},
	{E04, "access control lists are not read on Windows"},
	{E05, "links and junctions in the path are resolved, not judged, on Windows"},
	{E06, "the access control list of the directory is not read on Windows"},
	{E07, "access control lists are not read on Windows"},
	{C04, "files have no mode bits on Windows"},
	{C05, "files have no mode bits on Windows"},
	{C15, "owners and link counts are not read on Windows"},
	{C16, "the handles of the process are not listed on Windows"},
	{C18, "owners and access control lists are not read on Windows"},
	{U04, "files have no mode bits on Windows"},
	{R03, "the handles of the process are not listed on Windows"},
	{R13, "other processes are not looked at on Windows"},
}
