//go:build amd64 || arm64

package supervise

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const envProgram = "TEST_SUPERVISE_PROGRAM" // what the victim "program" starts, an argument a line

func init() {
	victims["program"] = func(dir string) {
		argv := strings.Split(os.Getenv(envProgram), "\n")
		cmd := exec.Command(argv[0], append(argv[1:], dir)...)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			os.Exit(5)
		}
	}
	victims["replaced"] = func(dir string) {
		_ = os.Mkdir(dir+"/before", 0o700)
		_ = unix.Exec("/bin/sh", []string{"sh", "-c", `mkdir "$0/after"`, dir}, os.Environ())
	}
	victims["twice"] = func(dir string) { // whose child is this program again
		if os.Getenv(envProgram) != "" {
			return
		}
		exe, _ := os.Executable()
		cmd := exec.Command(exe, "-test.run=^$")
		cmd.Env = []string{"TMPDIR=" + dir}
		if err := cmd.Run(); err != nil {
			os.Exit(5)
		}
	}
}

// running starts a victim that runs a program with dir as its last argument.
func running(t *testing.T, dir string, argv ...string) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath(argv[0]); err != nil {
		t.Skipf("there is no %s here", argv[0])
	}
	cmd := victim(t, "program", dir)
	cmd.Env = append(cmd.Env, envProgram+"="+strings.Join(argv, "\n"))
	return cmd
}

// gcc compiles a C program of testdata.
func gcc(t *testing.T, source string, flags ...string) string {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("there is no gcc here")
	}
	exe := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.Chmod(filepath.Dir(exe), 0o755))
	out, err := exec.Command("gcc", append(flags, "-O1", "-o", exe, "testdata/"+source, "-lpthread")...).CombinedOutput()
	require.NoError(t, err, string(out))
	return exe
}

// TestPrograms: the calls of programs in other languages are seen, and each
// leads to the Go line that started the program.
func TestPrograms(t *testing.T) {
	for _, tt := range []struct {
		name string
		argv []string
		want []string // in any order
		made []string
	}{
		{"sh", []string{"/bin/sh", "-c", `echo x >"$0/foo"`}, []string{"open foo"}, []string{"foo"}},
		{"sh with a subshell", []string{"/bin/sh", "-c", `(mkdir "$0/sub"; : >"$0/sub/f")`}, []string{"mkdir sub", "open sub/f"}, []string{"sub/f"}},
		{"an orphan", []string{"/bin/sh", "-c", `(: >"$0/a"; sleep 0.05; : >"$0/late") & exit 0`}, []string{"open a", "open late"}, []string{"late"}},
		{"mktemp", []string{"mktemp", "-p"}, []string{"open tmp.XXXXXXXXXX"}, nil},
		{"mktemp -d", []string{"mktemp", "-d", "-p"}, []string{"mkdir tmp.XXXXXXXXXX"}, nil},
		{"C with a thread", nil, []string{"mkdir main", "open thread"}, []string{"main", "thread"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.argv == nil {
				tt.argv = []string{gcc(t, "threads.c")}
			}
			tree := supervise(t, running(t, dir, tt.argv...), Names)
			var got []string
			watch(t, tree, func(ev *Event) bool {
				s := describe(ev, dir)
				if s == "" || !ev.Creates() {
					return false
				}
				verb, rest, _ := strings.Cut(strings.TrimSuffix(strings.Replace(s, "openat", "open", 1), "at"), " ")
				verb = strings.TrimSuffix(verb, "at")
				if strings.HasPrefix(rest, "tmp.") {
					rest = "tmp.XXXXXXXXXX"
				}
				got = append(got, verb+" "+rest)
				assert.NotEqual(t, tree.PID(), ev.PID)
				st, err := tree.Stack(ev)
				if assert.NoError(t, err) {
					assert.Contains(t, strings.Join(functions(st), "\n"), "os/exec.(*Cmd).Start")
					assert.NotEmpty(t, st.Via)
				}
				return false
			})
			assert.Equal(t, sorted(tt.want), sorted(got))
			for _, name := range tt.made {
				_, err := os.Stat(dir + "/" + name)
				assert.NoError(t, err)
			}
			assert.Empty(t, tree.Living())
		})
	}
}

// TestReplaced: a process that runs another program in its own place is
// another program from then on, and its line that of the execve.
func TestReplaced(t *testing.T) {
	dir := t.TempDir()
	tree := supervise(t, victim(t, "replaced", dir), Names)
	via := map[string]string{}
	watch(t, tree, func(ev *Event) bool {
		if s := describe(ev, dir); s != "" && ev.Kind == Mkdir {
			st, err := tree.Stack(ev)
			require.NoError(t, err)
			_, rest, _ := strings.Cut(s, " ")
			via[rest] = st.Via
			want := "os.Mkdir"
			if rest == "after" {
				want = "unix.Exec"
			}
			assert.Contains(t, strings.Join(functions(st), "\n"), want)
		}
		return false
	})
	assert.Empty(t, via["before"])
	assert.NotEmpty(t, via["after"])
}

// TestOwnProgramAsChild: this binary as a program that the victim starts has
// lines of its own.
func TestOwnProgramAsChild(t *testing.T) {
	dir := t.TempDir()
	tree := supervise(t, victim(t, "twice", dir), Names)
	own := 0
	watch(t, tree, func(ev *Event) bool {
		if ev.PID != tree.PID() && ev.Kind == Open {
			if st, err := tree.Stack(ev); err == nil && st.Via == "" {
				own++
			}
		}
		return false
	})
	assert.NotZero(t, own)
}
