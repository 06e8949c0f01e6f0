package attack

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tmpproof/tmpproof/internal/rerun"
)

// leftToIt is a verb under tmpleak, which supervises the test already: tmpleak
// runs the test once more outside of what it watches, and this is the result of
// the call there.
func leftToIt(t *testing.T, call *rerun.Call, how verb) *Report {
	t.Helper()
	run, data, ok, fresh, err := call.Outside(t.Context())
	if err != nil {
		giveUp(t, how, "tmpleak supervises this test, and the kernel takes one supervisor only: "+err.Error())
	}
	if fresh && (run.Failed || testing.Verbose() || !ok) {
		t.Logf("%v under tmpleak, which ran the test by itself:\n%s", how, strings.TrimRight(run.Output, "\n"))
	}
	report := &Report{}
	done := ok && json.Unmarshal(data, report) == nil
	switch {
	case run.Failed && !done:
		t.FailNow()
	case run.Failed:
		t.Fail()
	case !done:
		t.SkipNow()
	}
	return report
}
