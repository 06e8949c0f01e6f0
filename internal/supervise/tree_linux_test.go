package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// victims are what a re-run of this binary can be asked to do.
var victims = map[string]func(dir string){
	"stat-write": func(dir string) {
		_, _ = os.Stat(dir + "/out")
		_ = os.WriteFile(dir+"/out", []byte("x"), 0o600)
	},
	"loop": func(dir string) {
		for range 20000 {
			_, _ = os.Stat(dir + "/out")
		}
	},
}

const opDone = OpUser

func TestMain(m *testing.M) {
	name := os.Getenv("SUPERVISE_TEST_VICTIM")
	if name == "" {
		os.Exit(m.Run())
	}
	c, err := Attach()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	victims[name](os.Getenv("SUPERVISE_TEST_DIR"))
	if _, err := c.Call(opDone, []byte("done")); err != nil {
		os.Exit(4)
	}
}

func start(t *testing.T, victim, dir string, set Set) *Tree {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "SUPERVISE_TEST_VICTIM="+victim, "SUPERVISE_TEST_DIR="+dir)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	tree, err := Start(cmd, set, time.Now().Add(20*time.Second))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tree.Kill()) })
	return tree
}

func TestFirst(t *testing.T) {
	dir := t.TempDir()
	tree := start(t, "stat-write", dir, Names|Data)
	for {
		ev, err := tree.Next(time.Now().Add(5 * time.Second))
		require.NoError(t, err)
		if ev.Type == Gone {
			break
		}
		if ev.Type == Message {
			t.Log(string(ev.Data))
			tree.Answer(ev, 0)
			continue
		}
		st, err := tree.Stack(ev)
		line := ""
		if err == nil {
			for _, f := range st.Frames {
				line += fmt.Sprintf(" %s:%d", filepath.Base(f.File), f.Line)
			}
		}
		t.Log(ev.Name, ev.Paths, ev.FD, err, line)
		tree.Continue(ev)
	}
}

func TestSpeed(t *testing.T) {
	dir := "/dev/shm"
	tree := start(t, "loop", dir, Names)
	begin, n := time.Now(), 0
	for {
		ev, err := tree.Next(time.Now().Add(5 * time.Second))
		require.NoError(t, err)
		if ev.Type == Gone {
			break
		}
		if ev.Type == Message {
			t.Log(time.Since(begin)/time.Duration(n), n)
			tree.Answer(ev, 0)
			continue
		}
		if os.Getenv("STACKS") != "" {
			_, err := tree.Stack(ev)
			require.NoError(t, err)
		}
		n++
		tree.Continue(ev)
	}
}
