//go:build amd64 || arm64

package supervise

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/supervise/refuse"
	"github.com/tmpproof/tmpproof/internal/swept"
)

// The victims of these tests run in this test binary, started again: TestMain
// attaches it to its supervisor and calls the one that the variable names.
const (
	envVictim = "TEST_SUPERVISE_VICTIM"
	envDir    = "TEST_SUPERVISE_DIR"
	envOld    = "TEST_SUPERVISE_OLD" // the victim's kernel is one before 5.19

	opDone = OpUser
	opMark = OpUser + 1
)

// victims by name; the argument is a directory of the test's.
var victims = map[string]func(dir string){}

// child is the victim's end of the link.
var child *Child

func TestMain(m *testing.M) {
	name := os.Getenv(envVictim)
	if name == "" {
		os.Exit(swept.Run(m))
	}
	if before, ok := beforeAttach[name]; ok {
		before()
	}
	if os.Getenv(envOld) != "" {
		if err := refuse.WaitKillable(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
	}
	var err error
	if child, err = Attach(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	victims[name](os.Getenv(envDir))
	if _, err := child.Call(opDone, nil); err != nil {
		os.Exit(4)
	}
}

// beforeAttach is what a victim does before it is supervised.
var beforeAttach = map[string]func(){}

const patience = 20 * time.Second

func soon() time.Time { return time.Now().Add(patience) }

// victim prepares a victim of this binary.
func victim(t testing.TB, name, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), envVictim+"="+name, envDir+"="+dir, "GODEBUG=asyncpreemptoff=1")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd
}

// supervise starts a victim and kills what is left of it after the test.
func supervise(t testing.TB, cmd *exec.Cmd, set Set) *Tree {
	t.Helper()
	return superviseBy(t, cmd, set, soon())
}

func superviseBy(t testing.TB, cmd *exec.Cmd, set Set, deadline time.Time) *Tree {
	t.Helper()
	runtime.LockOSThread() // of which the child's life depends; the test's goroutine ends with it
	tree, err := Start(cmd, set, deadline)
	if err != nil {
		t.Fatalf("starting: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, tree.Kill()) })
	return tree
}

// watch drives a tree to the end of its last process. at is called at each
// call that is not a repeated one, and says whether it has answered.
func watch(t testing.TB, tree *Tree, at func(*Event) bool) {
	t.Helper()
	for {
		ev, err := tree.Next(soon())
		require.NoError(t, err)
		switch {
		case ev.Type == Gone:
			return
		case ev.Type == Message:
			at(ev)
			tree.Answer(ev, 0)
		case ev.Repeat || !at(ev):
			tree.Continue(ev)
		}
	}
}

// trace is the whole life of a victim, one line for each call under dir:
// "mkdirat d/sub", with the directory's name left out.
func trace(t testing.TB, name, dir string, set Set) []string {
	t.Helper()
	var lines []string
	watch(t, supervise(t, victim(t, name, dir), set), func(ev *Event) bool {
		if s := describe(ev, dir); s != "" {
			lines = append(lines, s)
		}
		return false
	})
	return lines
}

// describe is a call that concerns dir, "" for others.
func describe(ev *Event, dir string) string {
	if ev.Type != Call {
		return ""
	}
	words := []string{ev.Name}
	for _, p := range ev.Paths {
		if rel, err := filepath.Rel(dir, p.Raw); err == nil && !strings.HasPrefix(rel, "..") {
			words = append(words, rel)
		}
	}
	if len(words) == 1 {
		return ""
	}
	return strings.Join(words, " ")
}

func sorted(s []string) []string {
	sort.Strings(s)
	return s
}

// cstring is s as C has it.
func cstring(s string) []byte { return append(bytes.Clone([]byte(s)), 0) }

// countsCoverage says that a call is of what a program does at its end under
// -cover.
func countsCoverage(ev *Event) bool {
	dir := os.Getenv("GOCOVERDIR")
	return dir != "" && slices.ContainsFunc(ev.Paths, func(p Path) bool { return strings.HasPrefix(p.Raw, dir) })
}
