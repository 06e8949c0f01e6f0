package tmptest

import "github.com/tmpproof/tmpproof/tmptest/rules"

// platformUnchecked are the rules that this package cannot check on this
// system, with the reason.
var platformUnchecked = []skippedRule{
	{rules.E03, "owners are not read on Windows"},
	{rules.E04, "access control lists are not read on Windows"},
	{rules.E05, "links and junctions in the path are resolved, not judged, on Windows"},
	{rules.E06, "the access control list of the directory is not read on Windows"},
	{rules.E07, "access control lists are not read on Windows"},
	{rules.C04, "files have no mode bits on Windows"},
	{rules.C05, "files have no mode bits on Windows"},
	{rules.C15, "owners and link counts are not read on Windows"},
	{rules.C16, "the handles of the process are not listed on Windows"},
	{rules.C18, "owners and access control lists are not read on Windows"},
	{rules.U04, "files have no mode bits on Windows"},
	{rules.R03, "the handles of the process are not listed on Windows"},
	{rules.R13, "other processes are not looked at on Windows"},
}
