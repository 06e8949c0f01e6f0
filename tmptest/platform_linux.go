package tmptest

// platformUnchecked are the rules that this package cannot check on this
// system, with the reason.
var platformUnchecked []skippedRule
