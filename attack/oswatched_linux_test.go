package attack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/supervise"
)

// TestReasonNamesTmpleak: a supervisor that is there already is named where a
// process above is tmpleak, and not where it is another.
func TestReasonNamesTmpleak(t *testing.T) {
	for name, want := range map[string]bool{"tmpleak": true, "other": false} {
		t.Run(name, func(t *testing.T) {
			sh, err := exec.LookPath("sh")
			require.NoError(t, err)
			link := filepath.Join(t.TempDir(), name)
			require.NoError(t, os.Symlink(sh, link))
			cmd := exec.Command(link, "-c", "sleep 60 & echo $!; read x; kill $!")
			in, err := cmd.StdinPipe()
			require.NoError(t, err)
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			pid := 0
			_, err = fmt.Fscan(out, &pid)
			require.NoError(t, err)
			assert.Equal(t, want, hasAncestor(pid, "tmpleak"))
			require.NoError(t, in.Close())
			_ = cmd.Wait()
		})
	}
	un := &supervise.UnsupportedError{Reason: "a kernel without listeners"}
	assert.Equal(t, un.Reason, unsupportedReason(un))
}
