package tmptest

import (
	"slices"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// ListsDescriptors: the system lets R03 be checked.
var ListsDescriptors = !slices.ContainsFunc(platformUnchecked, func(s skippedRule) bool { return s.rule == rules.R03 })
