package safe

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
)

const (
	behindFile = "testdata/behind.md"
	envUpdate  = "TMPPROOF_UPDATE" // 1: write the table anew
)

// behindRows are writers of real modules and by hand, safe and unsafe.
var behindRows = []struct {
	name string
	code code
	opts []attack.Option
}{
	{"CreateTemp, rename", createTempRename, replaced("out")},
	{"CreateTemp, chmod, sync, rename", createTempSyncRename, replaced("out")},
	{"O_TMPFILE, linkat", tmpfile, target("out")},
	{"link, remove", linkName, target("out")},
	{"renameio v1", renameioV1, replaced("out")},
	{"renameio v2", renameioV2, replaced("out")},
	{"renameio v2 pending file", renameioV2Pending, nil},
	{"moby atomicwriter", atomicwriterFile, replaced("out")},
	{"moby atomicwriter set", atomicwriterSet, nil},
	{"natefinch/atomic at home", natefinchAtomic, nil},
	{"tailscale atomicfile", tailscaleAtomicfile, replaced("out")},
	{"containerd continuity atomic", continuityAtomic, nil},
	{"go-safetemp", safetempDir, nil},
	{"gofrs/flock", flockInside, nil},
	{"CreateTemp, remove", createTempRemove, nil},
	{"CreateTemp, unlink at once", createTempUnlink, nil},
	{"O_TMPFILE, never named", tmpfileHidden, nil},
	{"MkdirTemp, predictable names inside", predictableInside, nil},
	{"O_NOFOLLOW, fstat, append", appendOwn, ownState()},
	{"pinned directory with st_uid", pinnedDir, target("app")},
	{"os.WriteFile", inPlace, replaced("out")},
	{"chmod later", chmodLater, target("out")},
	{"containerd continuity CopyFile", copyFileShared, replaced("out")},
	{"otiai10/copy", copyShared, target("out")},
	{"leak", leaks, nil},
}

// inPlace is what is written most.
func inPlace(dir, _ string) error {
	return os.WriteFile(filepath.Join(dir, "out"), content, 0o600)
}

// replaced is a target that is there already.
func replaced(name string) []attack.Option {
	return []attack.Option{attack.Target(name), attack.Setup(func(s *attack.Scene) error {
		return os.WriteFile(s.Path(name), []byte("the old content"), 0o600)
	})}
}

// TestBehind: what each of these leaves behind when its calls fail, and when
// it is killed, is what the table says.
func TestBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute: left out with -short")
	}
	var b strings.Builder
	b.WriteString(`# What real code leaves behind

Written by TestBehind (TMPPROOF_UPDATE=1 writes it anew). Faults: each call fails with each error that it can return, alone
and with all that follow. Kills: SIGKILL before each call, SIGTERM and SIGINT. A line is one finding; the call is the first at which it shows,
the number that of the ways to it.

Checked by hand, in the modules' sources: renameio v2 returns from NewPendingFile when the fstat after its creation fails, with
the file open and in place, and its tempDir does not look at the error of os.Remove; otiai10/copy has the error of its chmod
overwritten by the result of the copy that follows; os.WriteFile truncates before it writes.

| code | verb | runs | rule | first shows when | what |
|---|---|---|---|---|---|
`)
	done := 0
	for _, r := range behindRows {
		for _, v := range []struct {
			name string
			verb func(*testing.T, attack.Victim, ...attack.Option) *attack.Report
		}{{"Faults", attack.Faults}, {"Kills", attack.Kills}} {
			t.Run(r.name+" "+v.name, func(t *testing.T) {
				report := v.verb(t, r.code.victim, append(r.opts, attack.ReportOnly())...)
				require.True(t, report.Complete)
				done++
				for _, f := range report.Findings {
					when, what, ok := strings.Cut(f.Detail, ": ")
					if !ok {
						when, what = "nothing is done to it", f.Detail
					}
					fmt.Fprintf(&b, "| %s | %s | %d | %s | %s (%d) | %s |\n", r.name, v.name, report.Schedules, f.Rule.ID(), when, f.Count, inBrief(what))
				}
				if len(report.Findings) == 0 {
					fmt.Fprintf(&b, "| %s | %s | %d | | | nothing |\n", r.name, v.name, report.Schedules)
				}
			})
		}
	}
	if done < 2*len(behindRows) {
		return // some failed, or were not asked for, as in the child process of one
	}
	if os.Getenv(envUpdate) == "1" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(behindFile, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(behindFile)
	require.NoError(t, err)
	assert.Equal(t, string(want), b.String())
}

var numbers = regexp.MustCompile(`[0-9]{6,}`)

// inBrief is a finding without the words that all of its kind have.
func inBrief(what string) string {
	what = numbers.ReplaceAllString(what, "*")
	for _, cut := range []string{"the code ", " is neither what was there before nor what an undisturbed run leaves"} {
		what = strings.ReplaceAll(what, cut, "")
	}
	return strings.ReplaceAll(what, "|", "\\|")
}
