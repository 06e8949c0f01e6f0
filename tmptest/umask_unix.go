//go:build unix

package tmptest

import (
	"io/fs"
	"syscall"
	"testing"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// Umask sets the umask for a serial test and restores it at the end: under
// Umask(t, 0) a file shows the mode that the code asked for (E11). The umask
// belongs to the whole process, so a parallel test is ended with an error. A
// test that leaves another umask than the one set here is told so (E10).
//
// On Windows, which has no umask, the test is skipped.
func Umask(t testing.TB, mask fs.FileMode) {
	t.Helper()
	if mask&^fs.ModePerm != 0 {
		t.Fatalf("tmptest.Umask: %#o is no umask: give bits of 0777", uint32(mask))
	}
	mustBeSerial(t, "Umask", "move it to a test that is serial")
	old := syscall.Umask(int(mask))
	t.Cleanup(func() {
		t.Helper()
		if left := syscall.Umask(old); left != int(mask) {
			t.Logf("tmptest.Umask: advice%s", text([]Violation{{
				Rule: rules.E10, Path: "umask", Detail: "was changed by the test from " + modeText(mask) + " to " + modeText(fs.FileMode(left)),
			}}, ""))
		}
	})
}
