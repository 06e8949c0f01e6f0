//go:build amd64 || arm64

package supervise

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func init() {
	victims["waits"] = func(dir string) { _ = unix.Mkdir(dir+"/stop", 0o700) }
}

// TestFalseHangup: a listener that hangs up while the child lives is no end of
// the tree, from which nothing would be seen any more.
func TestFalseHangup(t *testing.T) {
	dir := t.TempDir()
	tree := supervise(t, victim(t, "waits", dir), Names)
	for { // to its boundary, where it stays
		ev, err := tree.Next(soon())
		require.NoError(t, err)
		require.NotEqual(t, Gone, ev.Type)
		if describe(ev, dir) != "" {
			break
		}
		tree.Continue(ev)
	}
	var p [2]int
	require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
	require.NoError(t, unix.Close(p[1]))
	listener := tree.listener
	tree.listener = p[0]
	_, err := tree.Next(time.Now().Add(10 * time.Millisecond))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	tree.hungUp = time.Now().Add(-killWait - time.Second)
	_, err = tree.Next(soon())
	require.ErrorContains(t, err, "POLLHUP")
	assert.NoError(t, unix.Close(p[0]))
	tree.listener = listener
	require.NoError(t, tree.Kill())
	ev, err := tree.Next(soon())
	require.NoError(t, err)
	assert.Equal(t, Gone, ev.Type, "a true hang-up is one")
}
