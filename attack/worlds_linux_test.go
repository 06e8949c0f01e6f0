package attack_test

import (
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
)

// ours says that a file is the user's and regular, and how many names it has.
func ours(fi fs.FileInfo) (bool, int) {
	st := fi.Sys().(*syscall.Stat_t)
	return int(st.Uid) == os.Getuid() && fi.Mode().IsRegular(), int(st.Nlink)
}

// TestWorldsAgree attacks each victim on the system's disk and on a fake one:
// the same boundaries, schedules, findings, and words.
func TestWorldsAgree(t *testing.T) {
	for _, tt := range attack.ShortSample(worldTests) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.slow && !attack.Long {
				t.Skip("takes seconds: run with TMPPROOF_LONG=1")
			}
			opts := append(tt.opts[:len(tt.opts):len(tt.opts)], attack.ReportOnly())
			real := attack.Prove(t, tt.victim, opts...)
			fake := attack.Prove(t, tt.victim, append(opts, attack.Fake())...)
			assert.Equal(t, tt.want, rulesOf(real), "on the system's disk:\n%s", texts(real))
			assert.Equal(t, tt.want, rulesOf(fake), "on the fake one:\n%s", texts(fake))
			assert.Equal(t, texts(real), texts(fake))
			assert.Equal(t, [2]int{real.Boundaries, real.Schedules}, [2]int{fake.Boundaries, fake.Schedules}, "boundaries, schedules")
		})
	}
}

// uid says that the test's own user has made it.
func uid(fi fs.FileInfo) bool { return int(fi.Sys().(*syscall.Stat_t).Uid) == os.Getuid() }
