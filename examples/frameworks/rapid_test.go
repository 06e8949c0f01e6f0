package notes

import (
	"flag"
	"testing"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/attack"
	"pgregory.net/rapid"
)

// safe is the property that Save has for any text. rapid makes its own inputs in
// each process, so that the disk is in memory, and it wants to know by itself
// what has failed, to make it smaller.
func safe(t *testing.T, save func(fs afero.Fs, name, text string) error) func(*rapid.T) {
	return func(rt *rapid.T) {
		text := rapid.String().Draw(rt, "text")
		report := attack.Prove(t, func(s *attack.Scene) error {
			return save(s.FS, s.Path("note"), text)
		}, attack.Fake(), attack.Target("note"), attack.Depth(1), attack.ReportOnly())
		for _, f := range report.Findings {
			rt.Fatal(f)
		}
	}
}

func TestSaveRapid(t *testing.T) { rapid.Check(t, safe(t, Save)) }

// TestHastySaveRapid: a property that does not hold fails.
func TestHastySaveRapid(t *testing.T) {
	if err := flag.Set("rapid.nofailfile", "true"); err != nil { // it is to fail each time
		t.Fatal(err)
	}
	broken := &failing{TB: t}
	rapid.Check(broken, safe(t, HastySave))
	if !broken.failed {
		t.Error("HastySave was found to be safe")
	}
}

// failing keeps a failure to itself.
type failing struct {
	rapid.TB
	failed bool
}

func (f *failing) Failed() bool          { return f.failed }
func (f *failing) Fail()                 { f.failed = true }
func (f *failing) FailNow()              { f.failed = true }
func (f *failing) Error(...any)          { f.failed = true }
func (f *failing) Errorf(string, ...any) { f.failed = true }
func (f *failing) Fatal(...any)          { f.failed = true }
func (f *failing) Fatalf(string, ...any) { f.failed = true }
