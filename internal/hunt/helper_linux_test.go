package hunt_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/hunt"
)

// envServe makes the test binary the second attacker, in that directory.
const envServe = "TMPPROOF_HUNT_SERVE"

func init() {
	dir := os.Getenv(envServe)
	if dir == "" {
		return
	}
	err := hunt.Serve(dir, os.Stdin, os.Stdout)
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Exit(0)
}

// helper is the second attacker in a process of its own.
type helper struct {
	t   testing.TB
	in  io.WriteCloser
	to  *json.Encoder
	out *json.Decoder
	cmd *exec.Cmd
}

// startHelper starts one, on a disk in memory if there is one.
func startHelper(t testing.TB) *helper {
	at := ""
	if os.WriteFile("/dev/shm/hunt-probe", nil, 0o600) == nil {
		os.Remove("/dev/shm/hunt-probe")
		at = "/dev/shm"
	}
	dir, err := os.MkdirTemp(at, "hunt-")
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "scene"), 0o755))
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envServe+"="+filepath.Join(dir, "scene"))
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		err := errors.Join(cmd.Wait(), os.RemoveAll(dir))
		require.NoError(t, err)
	})
	return &helper{t, in, json.NewEncoder(in), json.NewDecoder(out), cmd}
}

func (h *helper) ask(q hunt.Question) hunt.Answer {
	h.t.Helper()
	require.NoError(h.t, h.to.Encode(q))
	var a hunt.Answer
	require.NoError(h.t, h.out.Decode(&a))
	require.Empty(h.t, a.Err, q.Program)
	return a
}
