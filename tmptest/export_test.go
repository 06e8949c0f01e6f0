package tmptest

import "slices"

// ListsDescriptors: the system lets R03 be checked.
var ListsDescriptors = !slices.ContainsFunc(platformUnchecked, func(s skippedRule) bool { return s.rule.ID == R03.ID })
